// What a file looks like from outside. A saved index tells by this which files have not changed
// since it was written, without reading them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tiercache/file_system.h"

namespace tiercache {

// A hash of a file's path, inode, size and times; 0 if it is not known. Persisted
// (`docs/formats/index.md`).
using FilePrint = std::uint64_t;

// `path` is relative to `data/`.
FilePrint print_of(std::string_view path, const FileInfo& info);

// A moment of a file system's clock, in nanoseconds since the epoch.
using FileTime = std::int64_t;

// A file that changed within this time before it was looked at may change again and still look the
// same, because file systems' clocks tick, the coarsest of them every two seconds.
inline constexpr FileTime kClockTick = std::chrono::nanoseconds(std::chrono::seconds(2)).count();

// True if the file has certainly not changed since `time`: its last change was at least a tick
// before it.
inline bool unchanged_since(FileTime time, const FileInfo& info) {
  return std::max(info.modified_ns, info.changed_ns) < time - kClockTick;
}

// The prints in a saved index, and which of them were met among the files. Not thread-safe.
class PrintsMet {
 public:
  explicit PrintsMet(std::vector<FilePrint> prints);
  // Notes that a file has this print; false if the saved index has no such print.
  bool meet(FilePrint print);
  bool was_met(FilePrint print) const;

 private:
  std::size_t place_of(FilePrint print) const;

  std::vector<FilePrint> prints_;  // sorted
  std::vector<bool> met_;          // for each of them
};

}  // namespace tiercache
