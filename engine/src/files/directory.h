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
  // It was ours and was deleted: what of ours is there without the marker is no reason to refuse
  // it.
  bool was_ours = false;
};

// Makes the directory when missing, checks that it is a local directory of our format and project
// which this user may write to, though the disk need not take anything just now, and writes its
// marker `tiercache.json` once. Throws `BadDirectory` saying what is wrong and what to do; nothing
// in a refused directory is touched. Returns true when it was empty or new.
bool open_directory(FileSystem& file_system, const DirectoryOptions& options);

// False when its marker is gone.
bool has_marker(FileSystem& file_system, const std::string& path);

}  // namespace tiercache
