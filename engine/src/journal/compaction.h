// Copying live records forward, so that segments can go that are mostly dead: adopted segments and
// segments that failed always, the oldest one while dead bytes outweigh live ones.
//
// Copies are queued and written like all other records, and the index then moves each record to its
// new place. The segment they came from has nothing live left and is deleted like any such segment.
#pragma once

#include <cstdint>

#include "journal/commit_queue.h"
#include "journal/segments/own_folder.h"
#include "journal/segments/record_reader.h"
#include "journal/segments/segment_table.h"

namespace tiercache {

// Owned by the journal. Thread-safe: it has no state of its own.
class Compaction {
 public:
  Compaction(const OwnFolder& own_folder, SegmentTable& table, RecordReader& reader,
             CommitQueue& queue)
      : own_folder_(own_folder), table_(table), reader_(reader), queue_(queue) {}

  // As `Journal::compact`. Ends with the first error. Copies nothing while the journal has no
  // folder.
  IoStatus run(Compact how);
  // Copies what is live in this segment, whatever the proportion, and waits for that unless another
  // thread is writing: the copies are then in its batch. Success if the segment is gone already.
  IoStatus copy_forward(std::uint64_t number);

 private:
  const OwnFolder& own_folder_;
  SegmentTable& table_;
  RecordReader& reader_;
  CommitQueue& queue_;
};

}  // namespace tiercache
