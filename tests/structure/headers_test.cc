#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "structure/source_tree.h"

namespace tiercache::structure {
namespace {

std::set<std::string> listed_headers() {
  const auto lines = read_lines(TIERCACHE_HEADER_LIST);
  return {lines.begin(), lines.end()};
}

std::set<std::string> public_headers() {
  std::set<std::string> headers;
  for (const char* directory : {"engine", "adapters"}) {
    for (const SourceFile& file : read_files(directory, {".h"})) {
      if (file.path.find("/include/") != std::string::npos) headers.insert(file.path);
    }
  }
  return headers;
}

TEST(PublicHeaders, are_all_compiled_alone) {
  const auto listed = listed_headers();
  const auto there = public_headers();
  std::vector<Finding> findings;
  for (const std::string& header : there) {
    if (!listed.contains(header)) findings.push_back({header, 0, "is not in the list"});
  }
  for (const std::string& header : listed) {
    if (!there.contains(header)) findings.push_back({header, 0, "is listed, but is not there"});
  }
  EXPECT_GT(there.size(), 20u);
  EXPECT_TRUE(findings.empty()) << to_string(findings)
                                << "the list stands in tests/structure/CMakeLists.txt";
}

TEST(PublicHeaders, are_included_once) {
  std::vector<Finding> findings;
  for (const char* directory : {"engine", "adapters", "tests", "bench", "examples"}) {
    for (const SourceFile& file : read_files(directory, {".h"})) {
      bool once = false;
      for (const std::string& line : file.lines) once = once || line == "#pragma once";
      if (!once) findings.push_back({file.path, 0, "lacks #pragma once"});
    }
  }
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

}  // namespace
}  // namespace tiercache::structure
