// Writes records into segments: one after the other as they fill, and a new one after a failure.
//
//     chunk of records that fit -> place -> write -> sync -> live in the index
//                                           |
//                                         failed: the segment is left behind for good, and its live
//                                         records go to a new one, with the chunk at hand
//
// After a failed sync nothing tells which bytes are on the disk, and the next sync may say that all
// is well. So an abandoned segment is never written again, and no record is acknowledged before it
// is synced somewhere else. While that fails too, the segments that were left behind wait for the
// next round, with their files open: one that was deleted can still be read through its descriptor.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "journal/current_segment.h"
#include "journal/journal_counters.h"
#include "journal/own_folder.h"
#include "journal/queued_record.h"
#include "journal/reading.h"
#include "journal/segment_table.h"

namespace tiercache {

// Not thread-safe: it belongs to the thread whose turn it is to write.
class SegmentWriter {
 public:
  // `segment_bytes`: of a segment's frames; a larger record gets a segment of its own.
  SegmentWriter(FileSystem& file_system, std::uint64_t segment_bytes, std::uint64_t seed,
                OwnFolder& own_folder, SegmentTable& table, RecordReading& reading,
                JournalCounters& counters);

  // Writes the records and makes them live, and fills in the results; the first error. All that is
  // there is synced unless `sync` is no.
  IoStatus write(std::span<QueuedRecord* const> records, Sync sync);

  // The next write begins a new segment; the one that was written may go once nothing is live in
  // it.
  void leave();
  // The same, but it can still be read by `file_of`: its name is gone.
  void leave_behind();
  // Live records of segments that were left behind, ready to be written.
  void collect_left_behind(std::vector<QueuedRecord>* copies);
  // They are somewhere else now.
  void forget_left_behind();
  void forget_left_behind(const SegmentPtr& segment);
  // Of one that was left behind; else null.
  File* file_of(const SegmentPtr& segment) const;
  // Closes all files. Nothing is written any more.
  void let_go();

 private:
  struct LeftBehind {
    SegmentPtr segment;
    std::unique_ptr<File> file;
  };

  // How many of the records fit into the current segment, from the first on.
  std::size_t fitting(std::span<QueuedRecord* const> records) const;
  IoStatus start_segment(std::uint64_t bytes);
  IoStatus write_chunk(std::span<QueuedRecord* const> chunk, Sync sync);
  IoStatus put(std::span<QueuedRecord* const> records, Sync sync);
  IoStatus rescue(std::span<QueuedRecord* const> records);
  void make_live(std::span<QueuedRecord* const> records, Sync sync);

  const std::uint64_t segment_bytes_;
  OwnFolder& own_folder_;
  SegmentTable& table_;
  RecordReading& reading_;
  JournalCounters& counters_;
  CurrentSegment current_;
  std::vector<LeftBehind> left_behind_;
};

}  // namespace tiercache
