// What the journal remembers of the store's good news: that a write is settled, because the store
// has it or something newer.
#pragma once

#include "journal/commit_queue.h"
#include "journal/live/unsettled_write.h"
#include "journal/segments/segment_table.h"

namespace tiercache {

// Owned by the journal. Thread-safe: it has no state of its own, and changes the index under the
// queue's lock and the table's, in this order.
class Settling {
 public:
  Settling(SegmentTable& table, CommitQueue& queue) : table_(table), queue_(queue) {}

  // The store has nothing more to decide about the key up to this version. Segments that this makes
  // dead are deleted. A note of it is written along with the next records, so that the next owner
  // of the folder need not send the write again; but none is written for a write that its guard
  // refused, and such a write is sent again, and refused again.
  void settled(const UnsettledWrite& write, Settlement how);

 private:
  SegmentTable& table_;
  CommitQueue& queue_;
};

}  // namespace tiercache
