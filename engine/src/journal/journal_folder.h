// The folders and segments that an open journal has on disk, as it remembers them.
//
//     <directory>/life-7/          a JournalFolder: its own, where new segments go
//         owner                    carries the lock
//         0000000012.seg           a JournalSegment
//     <directory>/life-3/          another: of a dead owner, adopted, until it is empty
//
// Folders outlive the table that lists them as long as somebody reads in them: the lock is dropped
// with the last pointer.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "tiercache/file_system.h"

namespace tiercache {

// A folder of segments that this journal owns: its own, or a dead owner's.
struct JournalFolder {
  std::string path;
  std::unique_ptr<FileLock> lock;
  std::uint64_t owner = 0;        // what was locked
  std::atomic<bool> own{false};   // what is written goes here
  std::atomic<bool> gone{false};  // somebody deleted it
  // It holds bad bytes that could not be brought to quarantine: never deleted.
  std::atomic<bool> keep{false};
  std::size_t segments = 0;  // the segment table's, under its mutex
};

struct JournalSegment {
  // Fixed once the table has it.
  std::uint64_t number =
      0;  // among all segments of this journal, in the order they were made or met
  std::shared_ptr<JournalFolder> folder;
  std::string path;
  std::uint64_t salt = 0;
  std::uint64_t file_bytes = 0;
  // The segment table's, under its mutex.
  std::uint64_t used_bytes = 0;  // of frames
  bool unreadable =
      false;            // a live record in it could not be read back: compaction leaves it alone
  bool failed = false;  // a write or sync of it failed: what is live in it should move
  bool going = false;   // some thread is deleting it
  bool stuck = false;   // its deletion failed; the next compaction tries again
};

using SegmentPtr = std::shared_ptr<JournalSegment>;
using SegmentMap = std::map<std::uint64_t, SegmentPtr>;  // by number

// The file in a folder that carries its lock.
inline std::string owner_path(const JournalFolder& of) {
  return of.path + "/owner";
}

// The directory that holds this path.
inline std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace tiercache
