// Writes records into segments, one after the other as they fill, and into a new one after a
// failure:
//
//     as many records as fit -> encode -> write -> sync -> live in the index, then answered
//                                           |
//                                         failed: the segment is left behind for good; its live
//                                         records and the records at hand go to a new segment
//
// After a failed sync nobody knows which bytes are on the disk, and the next sync may say that all
// is well although it is not. So a segment that failed is never written or synced again, and no
// record is acknowledged before it is synced somewhere else. If the new segment fails too, the old
// one waits for the next round. Its file stays open meanwhile, so that it can be read even if
// somebody has deleted it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "journal/segments/current_segment.h"
#include "journal/segments/journal_counters.h"
#include "journal/segments/own_folder.h"
#include "journal/segments/queued_record.h"
#include "journal/segments/record_reader.h"
#include "journal/segments/segment_table.h"

namespace tiercache {

// Owned by the journal. Not thread-safe: it belongs to the thread that has the turn to write.
class SegmentWriter {
 public:
  // A segment has room for `segment_bytes` of frames. A larger record gets a segment of its own.
  SegmentWriter(FileSystem& file_system, std::uint64_t segment_bytes, std::uint64_t seed,
                OwnFolder& own_folder, SegmentTable& table, RecordReader& reader,
                JournalCounters& counters);

  // Writes the records, syncs them unless `sync` is no, and makes them live. After an error, which
  // is the answer, the results of the records from there on say what became of them.
  IoStatus write(std::span<QueuedRecord* const> records, Sync sync);

  // Ends the current segment. The next write begins a new one, and this one may be deleted once
  // nothing in it is live.
  void finish_segment();
  // The same for a segment whose name is gone: it can still be read by `file_of`.
  void leave_behind();
  // Adds the live records of all segments that were left behind, ready to be written.
  void collect_left_behind(std::vector<QueuedRecord>* copies);
  // Closes the files of segments that were left behind, or of this one. What was live in them is
  // somewhere else by now.
  void forget_left_behind();
  void forget_left_behind(const SegmentPtr& segment);
  // The open file of a segment that was left behind; null for any other.
  File* file_of(const SegmentPtr& segment) const;
  // Closes all files. Nothing may be written after this.
  void let_go();

 private:
  struct LeftBehind {
    SegmentPtr segment;
    std::unique_ptr<File> file;
  };

  // How many of the records, from the first on, fit into the current segment.
  std::size_t count_fitting(std::span<QueuedRecord* const> records) const;
  // Makes a new segment current, with room for so many bytes of frames at least.
  IoStatus start_segment(std::uint64_t bytes);
  // Writes records that fit into the current segment, or rescues them if that fails.
  IoStatus write_chunk(std::span<QueuedRecord* const> chunk, Sync sync);
  IoStatus append_to_current(std::span<QueuedRecord* const> records, Sync sync);
  // Abandons the current segment, which failed, and writes these records and all that is live in
  // segments that were left behind to a new one.
  IoStatus rescue(std::span<QueuedRecord* const> records);
  void make_live(std::span<QueuedRecord* const> records, Sync sync);

  const std::uint64_t segment_bytes_;
  OwnFolder& own_folder_;
  SegmentTable& table_;
  RecordReader& reader_;
  JournalCounters& counters_;
  CurrentSegment current_;
  std::vector<LeftBehind> left_behind_;
};

}  // namespace tiercache
