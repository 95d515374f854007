// Rules that hold for every text file of ours.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "structure/source_tree.h"

namespace tiercache::structure {
namespace {

constexpr std::size_t kMostLines = 500;
constexpr std::ptrdiff_t kMostColumns = 100;

// Of UTF-8: the bytes that begin a character.
std::ptrdiff_t columns(const std::string& line) {
  return std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

// Put together here, so that this file does not find itself.
const std::string kOpenEnds =
    R"(\b()" + std::string("TO") + "DO|FIX" + "ME|XX" + "X|HA" + R"(CK)\b)";
const std::string kGlob = R"(\bGLO)" + std::string(R"(B(_RECURSE)?\b)");

std::vector<Finding> lines_with(const SourceFile& file, const std::string& pattern,
                                const std::string& what) {
  const std::regex searched(pattern);
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    if (std::regex_search(file.lines[i], searched)) {
      findings.push_back({file.path, static_cast<int>(i) + 1, what});
    }
  }
  return findings;
}

std::vector<Finding> lines_of_tree_with(const std::vector<std::string>& endings,
                                        const std::string& pattern, const std::string& what) {
  std::vector<Finding> findings;
  for (const SourceFile& file : read_all_files(endings)) {
    const auto some = lines_with(file, pattern, what);
    findings.insert(findings.end(), some.begin(), some.end());
  }
  return findings;
}

TEST(Text, patterns_find_what_they_are_for) {
  EXPECT_EQ(lines_with({"a", {std::string("// TO") + "DO: later"}}, kOpenEnds, "").size(), 1u);
  EXPECT_EQ(lines_with({"a", {"auto todo = 1;", "HACKNEY"}}, kOpenEnds, "").size(), 0u);
  EXPECT_EQ(lines_with({"a", {std::string("file(GLO") + "B x *.cc)"}}, kGlob, "").size(), 1u);
  EXPECT_EQ(lines_with({"a", {"# GLOBAL PROPERTY"}}, kGlob, "").size(), 0u);
}

// Tables may be wider, as they cannot be broken.
bool is_wide_comment(const std::string& line) {
  static const std::regex comment("^ *//");
  static const std::regex table("^ *// [|].*[|]$");
  return columns(line) > kMostColumns && std::regex_search(line, comment) &&
         !std::regex_search(line, table);
}

TEST(Text, wide_comments_are_found_by_columns_not_bytes) {
  const std::string column(kMostColumns - 3, 'x');
  EXPECT_FALSE(is_wide_comment("// " + column));
  EXPECT_TRUE(is_wide_comment("// " + column + "x"));
  EXPECT_FALSE(is_wide_comment("// " + column.substr(1) + "é"));
  EXPECT_TRUE(is_wide_comment("  // " + column));
  EXPECT_FALSE(is_wide_comment("// | " + column + " |"));
  EXPECT_FALSE(is_wide_comment("auto x = \"" + column + column + "\";")) << "clang-format's";
}

TEST(Text, comments_keep_within_the_columns_of_the_code) {
  std::vector<Finding> findings;
  for (const SourceFile& file : read_all_files({".h", ".cc"})) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      if (!is_wide_comment(file.lines[i])) continue;
      findings.push_back({file.path, static_cast<int>(i) + 1,
                          "a comment line of " + std::to_string(columns(file.lines[i])) +
                              " columns; at most " + std::to_string(kMostColumns)});
    }
  }
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

TEST(Text, no_open_ends) {
  const auto findings =
      lines_of_tree_with({".h", ".cc", ".sql", ".sh", ".txt", ".cmake", ".md", ".yml"}, kOpenEnds,
                         "an open end: finish it, or make it an issue");
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

TEST(Text, sources_are_listed_not_globbed) {
  const auto findings = lines_of_tree_with({"CMakeLists.txt", ".cmake"}, kGlob, "list the files");
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

// The files that a line of a page names in backticks, by their paths from the top or, as the page
// on the architecture does, from engine/src/cache.
std::vector<std::string> named_files(const std::string& line) {
  static const std::regex top(R"re(`((?:engine|adapters|tests|examples|bench)/[\w./-]+\.\w+)`)re");
  static const std::regex room(
      R"re(`((?:runtime|store|local|writing|refreshing|upkeep|reading)/\w+\.(?:h|cc))`)re");
  std::vector<std::string> paths;
  for (std::sregex_iterator at(line.begin(), line.end(), top), end; at != end; ++at) {
    paths.push_back((*at)[1]);
  }
  for (std::sregex_iterator at(line.begin(), line.end(), room), end; at != end; ++at) {
    paths.push_back("engine/src/cache/" + (*at)[1].str());
  }
  return paths;
}

TEST(Text, files_that_a_line_names_are_found) {
  const auto found =
      named_files("`engine/src/a/b.h` in `upkeep/c.cc`, not `d.h`, `e/f.h` or g/h.h");
  EXPECT_EQ(found, (std::vector<std::string>{"engine/src/a/b.h", "engine/src/cache/upkeep/c.cc"}));
}

TEST(Text, pages_name_files_that_exist) {
  std::vector<Finding> findings;
  std::size_t named = 0;
  for (const SourceFile& file : read_all_files({".md"})) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      for (const std::string& path : named_files(file.lines[i])) {
        ++named;
        if (std::filesystem::exists(source_directory() / path)) continue;
        findings.push_back({file.path, static_cast<int>(i) + 1, "names " + path});
      }
    }
  }
  EXPECT_GT(named, 50u);
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

TEST(Text, files_hold_one_idea) {
  std::vector<Finding> findings;
  for (const SourceFile& file : read_all_files({".h", ".cc", ".sql", ".sh", ".cmake"})) {
    if (file.lines.size() <= kMostLines) continue;
    findings.push_back({file.path, 0,
                        std::to_string(file.lines.size()) + " lines; more than " +
                            std::to_string(kMostLines) + " are probably two ideas"});
  }
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

}  // namespace
}  // namespace tiercache::structure
