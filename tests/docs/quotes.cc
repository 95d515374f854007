#include "docs/quotes.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <regex>

namespace tiercache::docs {

using structure::SourceFile;

namespace {

constexpr std::string_view kFence = "```";

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> trimmed(const std::vector<std::string>& lines) {
  std::vector<std::string> result;
  for (const std::string& line : lines) result.push_back(trimmed(line));
  return result;
}

std::vector<std::vector<std::string>> paragraphs(const std::vector<std::string>& lines) {
  std::vector<std::vector<std::string>> result(1);
  for (const std::string& line : trimmed(lines)) {
    if (!line.empty()) {
      result.back().push_back(line);
    } else if (!result.back().empty()) {
      result.emplace_back();
    }
  }
  if (result.back().empty()) result.pop_back();
  return result;
}

// The lines of the document with those inside fences left empty.
std::vector<std::string> prose(const SourceFile& document) {
  std::vector<std::string> lines;
  bool fenced = false;
  for (const std::string& line : document.lines) {
    const bool fence = trimmed(line).starts_with(kFence);
    lines.push_back(fenced || fence ? "" : line);
    if (fence) fenced = !fenced;
  }
  return lines;
}

}  // namespace

std::vector<Block> fenced_blocks(const SourceFile& document) {
  std::vector<Block> blocks;
  bool open = false;
  for (std::size_t i = 0; i < document.lines.size(); ++i) {
    const std::string line = trimmed(document.lines[i]);
    if (line.starts_with(kFence)) {
      open = !open;
      if (open) {
        const auto first = static_cast<int>(i) + 2;
        blocks.push_back({.line = first, .language = line.substr(kFence.size()), .lines = {}});
      }
    } else if (open) {
      blocks.back().lines.push_back(document.lines[i]);
    }
  }
  return blocks;
}

bool quotes(const Block& block, const SourceFile& source) {
  const std::vector<std::string> lines = trimmed(source.lines);
  auto from = lines.begin();
  for (const auto& paragraph : paragraphs(block.lines)) {
    const auto found = std::search(from, lines.end(), paragraph.begin(), paragraph.end());
    if (found == lines.end()) return false;
    from = found + static_cast<std::ptrdiff_t>(paragraph.size());
  }
  return true;
}

std::vector<Link> links_of(const SourceFile& document) {
  static const std::regex code_span("`[^`]*`");
  static const std::regex link(R"(\]\(([^)\s]+)\))");
  std::vector<Link> links;
  const auto lines = prose(document);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string line = std::regex_replace(lines[i], code_span, "code");
    for (std::sregex_iterator found(line.begin(), line.end(), link), end; found != end; ++found) {
      links.push_back({.line = static_cast<int>(i) + 1, .target = (*found)[1]});
    }
  }
  return links;
}

std::vector<std::string> anchors_of(const SourceFile& document) {
  std::vector<std::string> anchors;
  std::map<std::string, int> seen;
  for (const std::string& line : prose(document)) {
    const auto level = line.find_first_not_of('#');
    if (level == 0 || level == std::string::npos || line[level] != ' ') continue;
    std::string anchor;
    for (const char c : trimmed(line.substr(level))) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == ' ') {
        anchor += '-';
      } else if (std::isalnum(byte) != 0 || c == '-' || c == '_' || byte >= 0x80) {
        anchor += static_cast<char>(std::tolower(byte));
      }
    }
    const int before = seen[anchor]++;
    anchors.push_back(before == 0 ? anchor : anchor + '-' + std::to_string(before));
  }
  return anchors;
}

SourceFile read_document(const std::string& path) {
  return {path, structure::read_lines(structure::source_directory() / path)};
}

}  // namespace tiercache::docs
