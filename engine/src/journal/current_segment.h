// The one segment that is being written: its file, and how far it is written and synced.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "journal/journal_folder.h"
#include "journal/queued_record.h"
#include "tiercache/file_system.h"

namespace tiercache {

// Not thread-safe: it belongs to the thread whose turn it is to write.
class CurrentSegment {
 public:
  // `seed` makes the segments' salts unlike any other's.
  CurrentSegment(FileSystem& file_system, std::uint64_t seed)
      : file_system_(file_system), seed_(seed) {}

  // Null: none, and nothing fits.
  const SegmentPtr& segment() const { return segment_; }
  bool fits(std::uint64_t bytes) const;
  std::uint64_t used_bytes() const;  // of frames

  // Makes the file of `made`, whose folder and number are set, with room for `capacity` bytes of
  // frames, and goes on there. After an error what was current still is.
  IoStatus start(SegmentPtr made, std::uint64_t capacity);
  // Encodes records that fit, from the end on, and fills in their places. Their sequences rise from
  // `sequence`.
  std::string place(std::span<QueuedRecord* const> records, std::uint64_t sequence) const;
  // Writes what was placed. After an error nothing tells which bytes are on the disk: the segment
  // is to be left.
  IoStatus put(const std::string& bytes, Sync sync);
  // There is none from now on. The file of the one that was, by which it can be read even if its
  // name is gone.
  std::unique_ptr<File> leave();

 private:
  FileSystem& file_system_;
  const std::uint64_t seed_;
  SegmentPtr segment_;
  std::unique_ptr<File> file_;
  std::uint64_t identity_ = 0;  // of the file
  std::uint64_t end_ = 0;
  std::uint64_t synced_to_ = 0;
  std::uint64_t limit_ = 0;
};

}  // namespace tiercache
