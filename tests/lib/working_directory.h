// The process's working directory, for the time of a test.
#pragma once

#include <filesystem>

namespace tiercache::testing {

class WorkingDirectory {
 public:
  explicit WorkingDirectory(const std::filesystem::path& path) { go(path); }
  ~WorkingDirectory() { go(before_); }
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;

  void go(const std::filesystem::path& path) const { std::filesystem::current_path(path); }

 private:
  const std::filesystem::path before_ = std::filesystem::current_path();
};

}  // namespace tiercache::testing
