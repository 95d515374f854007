// The segment that is being written: its file, and how far that is written and synced.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "journal/segments/journal_folder.h"
#include "journal/segments/queued_record.h"
#include "tiercache/file_system.h"

namespace tiercache {

// Owned by the segment writer. Not thread-safe: it belongs to the thread that has the turn to
// write.
class CurrentSegment {
 public:
  // `seed` goes into each segment's salt, so that no other segment has the same.
  CurrentSegment(FileSystem& file_system, std::uint64_t seed)
      : file_system_(file_system), seed_(seed) {}

  // Null while there is none; then nothing fits.
  const SegmentPtr& segment() const { return segment_; }
  // True if frames of so many bytes can still be written to it.
  bool fits(std::uint64_t bytes) const;
  // By the frames that were written.
  std::uint64_t used_bytes() const;

  // Makes the file of `made`, whose folder and number must be set, with room for `capacity` bytes
  // of frames, and makes it the current segment. After an error the one before is still current.
  IoStatus start(SegmentPtr made, std::uint64_t capacity);
  // The frames of these records, which must fit. Each record gets its place behind what was written
  // before. Their sequence numbers rise from `sequence`.
  std::string encode(std::span<QueuedRecord* const> records, std::uint64_t sequence) const;
  // Writes what was encoded, and syncs it unless `sync` is no. A file whose name no longer leads to
  // it counts as failed. After an error nobody knows which bytes are on the disk, and the segment
  // must not be written or synced again.
  IoStatus write(const std::string& bytes, Sync sync);
  // Ends the segment; from now on there is no current one. The answer is its open file, by which it
  // can be read even if its name is gone.
  std::unique_ptr<File> detach();

 private:
  FileSystem& file_system_;
  const std::uint64_t seed_;
  SegmentPtr segment_;
  std::unique_ptr<File> file_;
  std::uint64_t identity_ = 0;   // of the file
  std::uint64_t end_ = 0;        // where the next frame goes
  std::uint64_t synced_to_ = 0;  // goes into each frame as `Frame::synced_to`
  std::uint64_t limit_ = 0;      // frames must end before this
};

}  // namespace tiercache
