// A temporary directory that goes with its object.
#pragma once

#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

namespace tiercache::testing {

class ScratchDirectory {
 public:
  // `name` tells whose it is. Throws when none can be made.
  explicit ScratchDirectory(const std::string& name) {
    std::string path =
        (std::filesystem::temp_directory_path() / ("tiercache-" + name + "-XXXXXX")).string();
    if (::mkdtemp(path.data()) == nullptr) {
      throw std::system_error(errno, std::generic_category(), "mkdtemp " + path);
    }
    path_ = path;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!kept_) std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // It stays, for a person to look at.
  void keep() { kept_ = true; }

 private:
  std::filesystem::path path_;
  bool kept_ = false;
};

}  // namespace tiercache::testing
