// Writes that the store refused for good: kept on disk until they are tried again or given up.
//
// That a write is parked is itself a record, the marker, queued under the same lock as the index is
// changed. So the last word of two threads in memory is the last one on the disk as well.
//
// What is given up leaves the index at once, but its bytes are still in a segment, and the next
// open would find and park it again. `forget_discarded` gets rid of those segments, after the live
// records beside it have been copied forward.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "base/mutex.h"
#include "journal/commit_queue.h"
#include "journal/compaction.h"
#include "journal/own_folder.h"
#include "journal/segment_table.h"
#include "journal/unsettled_write.h"

namespace tiercache {

// Thread-safe. Its lock is taken before those of the queue and the table.
class ParkedRecords {
 public:
  ParkedRecords(FileSystem& file_system, const OwnFolder& own_folder, SegmentTable& table,
                CommitQueue& queue, Compaction& compaction)
      : file_system_(file_system),
        own_folder_(own_folder),
        table_(table),
        queue_(queue),
        compaction_(compaction) {}

  void park(const UnsettledWrite& write, const std::string& why);
  // All of the key, or the glob; of one version unless it is zero. False when nothing is parked.
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
  // Segments with discarded records, not yet forgotten.
  std::set<std::uint64_t> discarded_in_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache
