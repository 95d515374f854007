// The folders and segments that an open journal has on disk, as it remembers them.
//
//     <directory>/life-7/          a JournalFolder: the journal's own, where new segments go
//         owner                    the file that carries the lock
//         0000000012.seg           a JournalSegment
//     <directory>/life-3/          another one: adopted from a dead owner, here until it is empty
//
// Both are shared pointers: the segment table lists them, and whoever reads in them holds on to
// them. A folder's lock is released with the last pointer to it, so no other process adopts a
// folder in which somebody still reads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "tiercache/file_system.h"

namespace tiercache {

// A folder of segments that this journal has locked: its own, or a dead owner's.
struct JournalFolder {
  std::string path;
  std::unique_ptr<FileLock> lock;
  std::uint64_t owner_identity = 0;    // of the file that was locked; 0 where it is not known
  std::atomic<bool> own{false};        // new segments go here
  std::atomic<bool> deleted{false};    // somebody deleted it, or the disk never took it
  std::atomic<bool> must_stay{false};  // it has bad bytes that could not be quarantined
  std::size_t segments = 0;            // guarded by the segment table's mutex
};

// A segment that is being written or read, or waits to be deleted. What comes first is fixed before
// the segment table lists it; the rest is guarded by the table's mutex.
struct JournalSegment {
  // Counts the segments of this open journal in the order in which it made or adopted them. It is
  // in the file's name where this journal made the file.
  std::uint64_t number = 0;
  std::shared_ptr<JournalFolder> folder;
  std::string path;
  std::uint64_t salt = 0;
  std::uint64_t file_bytes = 0;

  std::uint64_t used_bytes = 0;  // by frames
  bool unreadable = false;       // one of its live records cannot be read: compaction skips it
  bool write_failed = false;     // its live records should move, since a write or sync failed
  bool being_deleted = false;    // by some thread, just now
  bool deletion_failed = false;  // it is not tried again before the next compaction
};

using SegmentPtr = std::shared_ptr<JournalSegment>;
using SegmentMap = std::map<std::uint64_t, SegmentPtr>;  // by number

// The path of the file that carries the folder's lock.
inline std::string owner_path(const JournalFolder& of) {
  return of.path + "/owner";
}

}  // namespace tiercache
