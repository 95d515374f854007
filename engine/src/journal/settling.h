// What the journal remembers of the store's good news: a write is settled, there or superseded.
#pragma once

#include "journal/commit_queue.h"
#include "journal/segment_table.h"
#include "journal/unsettled_write.h"

namespace tiercache {

// Thread-safe.
class Settling {
 public:
  Settling(SegmentTable& table, CommitQueue& queue) : table_(table), queue_(queue) {}

  // The store has nothing more to decide of the key up to this version. A note of it is written
  // along with the next records, so that a new owner need not send the write again.
  void settled(const UnsettledWrite& write, Settlement how);

 private:
  SegmentTable& table_;
  CommitQueue& queue_;
};

}  // namespace tiercache
