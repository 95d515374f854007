// The documents and what they speak of: examples are quoted from code that is compiled and run,
// links lead somewhere, commands are there.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "docs/quotes.h"

namespace tiercache::docs {
namespace {

using structure::Finding;
using structure::SourceFile;

std::vector<SourceFile> all_documents() {
  std::vector<SourceFile> documents = structure::read_files("docs", {".md"});
  for (const char* path : {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}) {
    documents.push_back(read_document(path));
  }
  return documents;
}

std::vector<Block> cpp_blocks(const SourceFile& document) {
  auto blocks = fenced_blocks(document);
  std::erase_if(blocks, [](const Block& block) { return block.language != "cpp"; });
  return blocks;
}

// What is wrong with the C++ blocks of a document that must be quoted from one of `sources`.
std::vector<Finding> unquoted(const SourceFile& document, const std::vector<SourceFile>& sources) {
  std::vector<Finding> findings;
  for (const Block& block : cpp_blocks(document)) {
    const bool quoted = std::any_of(sources.begin(), sources.end(), [&](const SourceFile& source) {
      return quotes(block, source);
    });
    if (!quoted) {
      findings.push_back({document.path, block.line, "this code is in no file that is compiled"});
    }
  }
  return findings;
}

TEST(Quotes, are_paragraphs_in_order_whatever_their_indentation) {
  const SourceFile source{"a.cc", {"int a;", "  int b;", "int between;", "", "    int c;"}};
  const auto quoted = [&](std::vector<std::string> lines) {
    return quotes({.line = 1, .language = "cpp", .lines = std::move(lines)}, source);
  };
  EXPECT_TRUE(quoted({"int a;", "int b;", "", "int c;"}));
  EXPECT_FALSE(quoted({"int a;", "int b;", "int c;"})) << "not consecutive";
  EXPECT_FALSE(quoted({"int c;", "", "int a;"})) << "not in order";
  EXPECT_FALSE(quoted({"int d;"}));
}

TEST(Quotes, blocks_links_and_anchors_are_read) {
  const SourceFile document{
      "a.md", {"# The `Cache`, *now*", "see [x](b.md#y)", "```cpp", "[no](link)", "```", "## A-b"}};
  const auto blocks = fenced_blocks(document);
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_EQ(blocks[0].language, "cpp");
  EXPECT_EQ(blocks[0].line, 4);
  const auto links = links_of(document);
  ASSERT_EQ(links.size(), 1u);
  EXPECT_EQ(links[0].target, "b.md#y");
  EXPECT_EQ(anchors_of(document), (std::vector<std::string>{"the-cache-now", "a-b"}));
}

TEST(Readme, first_example_is_the_program_of_examples_minimal) {
  const auto blocks = cpp_blocks(read_document("README.md"));
  ASSERT_FALSE(blocks.empty());
  const SourceFile program = read_document("examples/minimal/minimal.cc");
  EXPECT_TRUE(quotes(blocks.front(), program))
      << "the first C++ block of README.md is not in " << program.path;
}

// Includes aside, which a reader passes over.
TEST(Readme, first_example_stays_as_short_as_promised) {
  const auto blocks = cpp_blocks(read_document("README.md"));
  ASSERT_FALSE(blocks.empty());
  const auto& lines = blocks.front().lines;
  const auto counts = std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
    return !line.empty() && !line.starts_with("#include");
  });
  EXPECT_LE(counts, 20);
}

// tests/examples holds the program to the same two lines.
TEST(Readme, shows_the_output_of_the_first_example) {
  auto blocks = fenced_blocks(read_document("README.md"));
  std::erase_if(blocks, [](const Block& block) { return block.language != "text"; });
  ASSERT_FALSE(blocks.empty());
  ASSERT_EQ(blocks.front().lines.size(), 2u);
  const auto shape = [](const std::string& tier) {
    return std::regex("2 activities from " + tier + R"(, \d+ ms old, fresh)");
  };
  EXPECT_TRUE(std::regex_match(blocks.front().lines[0], shape("source")));
  EXPECT_TRUE(std::regex_match(blocks.front().lines[1], shape("files")));
}

TEST(Readme, commands_it_names_are_there_and_executable) {
  namespace fs = std::filesystem;
  for (const char* command : {"examples/run.sh", "tests/run.sh"}) {
    const SourceFile readme = read_document("README.md");
    EXPECT_TRUE(std::any_of(readme.lines.begin(), readme.lines.end(), [&](const std::string& line) {
      return line.find(command) != line.npos;
    })) << command;
    const fs::path file = structure::source_directory() / command;
    ASSERT_TRUE(fs::is_regular_file(file)) << command;
    const auto permissions = fs::status(file).permissions();
    EXPECT_NE(permissions & fs::perms::owner_exec, fs::perms::none) << command;
  }
}

TEST(Guide, code_is_quoted_from_tests_that_run_it) {
  const auto sources = structure::read_files("tests/docs", {"_test.cc"});
  for (const char* path : {"docs/guide.md", "docs/configuration.md", "docs/http-sources.md"}) {
    const auto findings = unquoted(read_document(path), sources);
    EXPECT_TRUE(findings.empty()) << to_string(findings);
  }
}

// A link to a heading counts where the document has such a heading.
std::string what_is_wrong(const SourceFile& document, const std::string& target) {
  if (target.find("://") != std::string::npos || target.starts_with("mailto:")) return {};
  const auto hash = target.find('#');
  const auto path = target.substr(0, hash);
  namespace fs = std::filesystem;
  const fs::path file =
      path.empty() ? fs::path(document.path) : fs::path(document.path).parent_path() / path;
  const fs::path place = structure::source_directory() / file;
  if (!fs::exists(place)) return "leads to " + path + ", which is not there";
  if (hash == std::string::npos) return {};
  const auto anchors = anchors_of(read_document(file.lexically_normal().generic_string()));
  const std::string anchor = target.substr(hash + 1);
  return std::find(anchors.begin(), anchors.end(), anchor) == anchors.end()
             ? "leads to #" + anchor + ", which is no heading there"
             : "";
}

TEST(Documents, links_lead_somewhere) {
  std::vector<Finding> findings;
  for (const SourceFile& document : all_documents()) {
    for (const Link& link : links_of(document)) {
      const std::string wrong = what_is_wrong(document, link.target);
      if (!wrong.empty()) findings.push_back({document.path, link.line, wrong});
    }
  }
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

}  // namespace
}  // namespace tiercache::docs
