// What the small examples share: a directory of their own, and a list of what they showed.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace example {

// A fresh directory under the system's place for temporary files, removed with all that is in it
// when the object goes.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tiercache-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
    path_ = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Prints what the example shows, line by line, and remembers whether all of it was so.
class Shown {
 public:
  void operator()(bool is_so, std::string_view what) {
    std::cout << (is_so ? "  yes  " : "  NO   ") << what << '\n';
    all_so_ = all_so_ && is_so;
  }
  int exit_code() const { return all_so_ ? EXIT_SUCCESS : EXIT_FAILURE; }

 private:
  bool all_so_ = true;
};

}  // namespace example
