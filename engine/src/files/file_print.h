// What a file looks like without being read: by this a saved index tells the files that are still
// as it knew them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tiercache/file_system.h"

namespace tiercache {

// A hash of a file's path, inode, size and times; 0: not known. Persisted
// (`docs/formats/index.md`).
using FilePrint = std::uint64_t;

// `path` is relative to `data/`.
FilePrint print_of(std::string_view path, const FileInfo& info);

// A moment of a file system's clock, in nanoseconds since the epoch.
using FileTime = std::int64_t;

// A file that changed so shortly before it was looked at may change again without looking
// different: clocks of file systems tick, the coarsest every two seconds.
inline constexpr FileTime kClockTick = std::chrono::nanoseconds(std::chrono::seconds(2)).count();

// Whether the file was changed for the last time well before `time`.
inline bool settled_before(FileTime time, const FileInfo& info) {
  return std::max(info.modified_ns, info.changed_ns) < time - kClockTick;
}

// The prints that a saved index has, and which of them were met among the files. Not thread-safe.
class PrintsMet {
 public:
  explicit PrintsMet(std::vector<FilePrint> prints);
  // False: not one of them.
  bool meet(FilePrint print);
  bool was_met(FilePrint print) const;

 private:
  std::size_t place_of(FilePrint print) const;

  std::vector<FilePrint> prints_;  // sorted
  std::vector<bool> met_;          // beside them
};

}  // namespace tiercache
