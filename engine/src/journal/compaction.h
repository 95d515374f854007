// Copying live records forward, so that what is dead beside them can go: out of adopted folders and
// failed segments always, out of the oldest segment while dead bytes outweigh live ones.
//
// Copies go the way of all records, through the queue, and the segment goes as any does in which
// nothing is live.
#pragma once

#include <cstdint>

#include "journal/commit_queue.h"
#include "journal/own_folder.h"
#include "journal/reading.h"
#include "journal/segment_table.h"

namespace tiercache {

// Thread-safe.
class Compaction {
 public:
  Compaction(const OwnFolder& own_folder, SegmentTable& table, RecordReading& reading,
             CommitQueue& queue)
      : own_folder_(own_folder), table_(table), reading_(reading), queue_(queue) {}

  // What is due, or all but the newest segment.
  IoStatus run(Compact how);
  // Whatever the proportion, this segment.
  IoStatus copy_forward(std::uint64_t number);

 private:
  const OwnFolder& own_folder_;
  SegmentTable& table_;
  RecordReading& reading_;
  CommitQueue& queue_;
};

}  // namespace tiercache
