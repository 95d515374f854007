// The source tree as the structure tests read it.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace tiercache::structure {

// One thing that is wrong, at a place an editor can open.
struct Finding {
  std::string file;  // relative to the source directory
  int line = 0;      // from 1; 0: the file as a whole
  std::string what;
};
std::ostream& operator<<(std::ostream& out, const Finding& finding);
// All findings, one a line: what a failing test prints.
std::string to_string(const std::vector<Finding>& findings);

struct SourceFile {
  std::string path;  // relative to the source directory, with '/'
  std::vector<std::string> lines;
};

std::filesystem::path source_directory();
std::vector<std::string> read_lines(const std::filesystem::path& file);

// The files below `directory` (relative to the source directory) whose names end in one of
// `endings`, sorted. Empty where there is no such directory.
std::vector<SourceFile> read_files(const std::string& directory,
                                   const std::vector<std::string>& endings);
// The same for every directory of ours, and the files at the top.
std::vector<SourceFile> read_all_files(const std::vector<std::string>& endings);

// The code of C++ lines: comments and what stands in string and character literals left out. Lines
// stay lines. Raw strings may span lines.
std::vector<std::string> without_comments_and_literals(const std::vector<std::string>& lines);

}  // namespace tiercache::structure
