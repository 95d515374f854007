// Writes that the store refused for good. They stay on disk until they are tried again or given up.
//
// That a write is parked, or is parked no longer, is itself a record, the marker. It is queued
// under the same lock under which the index is changed. So where two threads park and retry the
// same write, the one that had the last word in memory has it on the disk as well.
//
// A discarded write leaves the index at once, but its bytes are still in a segment, and the next
// open would find and park it again. `forget_discarded` copies forward what is live in those
// segments and deletes them.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "base/mutex.h"
#include "journal/commit_queue.h"
#include "journal/compaction.h"
#include "journal/live/unsettled_write.h"
#include "journal/segments/own_folder.h"
#include "journal/segments/segment_table.h"

namespace tiercache {

// Owned by the journal. Thread-safe. Its own small lock guards the set of segments with discarded
// records, and is taken before the table's; the index is changed under the queue's lock and the
// table's, but for `discard`, which queues nothing and needs no order.
class ParkedRecords {
 public:
  ParkedRecords(FileSystem& file_system, const OwnFolder& own_folder, SegmentTable& table,
                CommitQueue& queue, Compaction& compaction)
      : file_system_(file_system),
        own_folder_(own_folder),
        table_(table),
        queue_(queue),
        compaction_(compaction) {}

  // The four calls of `Journal` (`park`, `retry_parked`, `discard_parked`, `forget_discarded`).
  void park(const UnsettledWrite& write, const std::string& why);
  bool retry(const EntryId& id, Version version);
  bool discard(const EntryId& id, Version version);
  IoStatus forget_discarded();

 private:
  FileSystem& file_system_;
  const OwnFolder& own_folder_;
  SegmentTable& table_;
  CommitQueue& queue_;
  Compaction& compaction_;

  Mutex mutex_;
  // The segments with records that were discarded and not yet forgotten.
  std::set<std::uint64_t> discarded_in_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache
