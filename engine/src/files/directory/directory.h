// The cache's directory as a whole: who may use it and what format it has.
#pragma once

#include <cstdint>
#include <string>

#include "tiercache/file_system.h"

namespace tiercache {

struct DirectoryOptions {
  std::string path;
  std::string project;
  bool allow_remote = false;  // accept NFS and the like, on which locks and syncs may not hold
  // The directory was ours and was deleted while the cache was open. Folders that tiercache makes
  // are then no reason to refuse it, even if the marker is missing.
  bool was_ours = false;
};

// Makes the directory if it is missing, and writes its marker `tiercache.json` once. Checks that it
// is a local directory of our format and project, and that this user may write to it; a disk that
// is full or read-only just now is accepted. Throws `BadDirectory`, which says what is wrong and
// what to do about it. Nothing in a refused directory is touched. Returns true when it was empty or
// new.
bool open_directory(FileSystem& file_system, const DirectoryOptions& options);

// False when the directory's marker is gone, which means that somebody has deleted the directory.
bool has_marker(FileSystem& file_system, const std::string& path);

}  // namespace tiercache
