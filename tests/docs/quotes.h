// What the documents show, compared with what the tests compile and run.
#pragma once

#include <string>
#include <vector>

#include "structure/source_tree.h"

namespace tiercache::docs {

// A fenced block of a Markdown file.
struct Block {
  int line = 0;          // of its first line of content, from 1
  std::string language;  // what stands behind the opening fence
  std::vector<std::string> lines;
};

std::vector<Block> fenced_blocks(const structure::SourceFile& document);

// True when `source` holds the block: each of its paragraphs (they end at blank lines) as
// consecutive lines, in the same order, indented in whatever way.
bool quotes(const Block& block, const structure::SourceFile& source);

// The targets of the links of a Markdown file, with their lines; fenced blocks and code spans are
// passed over.
struct Link {
  int line = 0;
  std::string target;
};
std::vector<Link> links_of(const structure::SourceFile& document);

// The anchors of a Markdown file's headings, as the common renderers make them.
std::vector<std::string> anchors_of(const structure::SourceFile& document);

structure::SourceFile read_document(const std::string& path);

}  // namespace tiercache::docs
