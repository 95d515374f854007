#include "structure/source_tree.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

namespace tiercache::structure {

namespace fs = std::filesystem;

namespace {

bool ends_in(const std::string& name, const std::vector<std::string>& endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](const std::string& ending) { return name.ends_with(ending); });
}

SourceFile read_source(const fs::path& file) {
  return {file.lexically_relative(source_directory()).generic_string(), read_lines(file)};
}

void sort_by_path(std::vector<SourceFile>* files) {
  std::sort(files->begin(), files->end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
}

// Reads C++ a character at a time and keeps what is code.
class CodeReader {
 public:
  std::string code_of(const std::string& line) {
    std::string code;
    for (at_ = 0; at_ < line.size();) step(line, &code);
    return code;
  }

 private:
  void step(const std::string& line, std::string* code) {
    if (in_comment_) {
      skip_to(line, "*/", &in_comment_);
    } else if (in_raw_string_) {
      skip_to(line, raw_end_, &in_raw_string_);
    } else if (line.compare(at_, 2, "//") == 0) {
      at_ = line.size();
    } else if (line.compare(at_, 2, "/*") == 0) {
      in_comment_ = true;
      at_ += 2;
    } else if (line.compare(at_, 2, "R\"") == 0) {
      begin_raw_string(line);
    } else if (line[at_] == '"' || (line[at_] == '\'' && !is_digit_separator(line))) {
      skip_literal(line);
      *code += "\"\"";
    } else {
      *code += line[at_++];
    }
  }
  void skip_to(const std::string& line, const std::string& end, bool* inside) {
    const std::size_t found = line.find(end, at_);
    *inside = found == std::string::npos;
    at_ = *inside ? line.size() : found + end.size();
  }
  void begin_raw_string(const std::string& line) {
    const std::size_t open = line.find('(', at_);
    raw_end_ = ")" + line.substr(at_ + 2, open - at_ - 2) + "\"";
    in_raw_string_ = true;
    at_ = open == std::string::npos ? line.size() : open + 1;
  }
  void skip_literal(const std::string& line) {
    const char quote = line[at_++];
    while (at_ < line.size() && line[at_] != quote) at_ += line[at_] == '\\' ? 2 : 1;
    at_ = std::min(at_ + 1, line.size());
  }
  bool is_digit_separator(const std::string& line) const {
    return at_ > 0 && std::isxdigit(static_cast<unsigned char>(line[at_ - 1])) != 0;
  }

  std::size_t at_ = 0;
  bool in_comment_ = false;
  bool in_raw_string_ = false;
  std::string raw_end_;
};

}  // namespace

std::ostream& operator<<(std::ostream& out, const Finding& finding) {
  out << finding.file << ':';
  if (finding.line > 0) out << finding.line << ':';
  return out << ' ' << finding.what;
}

std::string to_string(const std::vector<Finding>& findings) {
  std::ostringstream out;
  for (const Finding& finding : findings) out << finding << '\n';
  return out.str();
}

fs::path source_directory() {
  return TIERCACHE_SOURCE_DIR;
}

std::vector<std::string> read_lines(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<SourceFile> read_files(const std::string& directory,
                                   const std::vector<std::string>& endings) {
  std::vector<SourceFile> files;
  const fs::path root = source_directory() / directory;
  if (!fs::is_directory(root)) return files;
  for (const auto& item : fs::recursive_directory_iterator(root)) {
    if (item.is_regular_file() && ends_in(item.path().filename().string(), endings)) {
      files.push_back(read_source(item.path()));
    }
  }
  sort_by_path(&files);
  return files;
}

std::vector<SourceFile> read_all_files(const std::vector<std::string>& endings) {
  std::vector<SourceFile> files;
  for (const char* directory :
       {"engine", "adapters", "schema", "bench", "tests", "examples", "docs", ".ci", ".github"}) {
    auto some = read_files(directory, endings);
    std::move(some.begin(), some.end(), std::back_inserter(files));
  }
  for (const auto& item : fs::directory_iterator(source_directory())) {
    if (item.is_regular_file() && ends_in(item.path().filename().string(), endings)) {
      files.push_back(read_source(item.path()));
    }
  }
  sort_by_path(&files);
  return files;
}

std::vector<std::string> without_comments_and_literals(const std::vector<std::string>& lines) {
  CodeReader reader;
  std::vector<std::string> code;
  for (const std::string& line : lines) code.push_back(reader.code_of(line));
  return code;
}

}  // namespace tiercache::structure
