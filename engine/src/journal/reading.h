// Reads live records back from their segments: for the store, for copying forward, for the owner.
//
// What can no longer be read is of two kinds. Bytes that do not hold their checksum are lost: the
// write is parked, so that a person learns of it and it stops no other. A disk that does not answer
// says nothing of the record, which waits until it is asked for again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "journal/journal_counters.h"
#include "journal/live_index.h"
#include "journal/queued_record.h"
#include "journal/segment_table.h"
#include "journal/unsettled_write.h"

namespace tiercache {

// Thread-safe.
class RecordReading {
 public:
  RecordReading(FileSystem& file_system, SegmentTable& table, JournalCounters& counters)
      : file_system_(file_system), table_(table), counters_(counters) {}

  // The key's live content; nullopt when there is none or it cannot be read.
  std::optional<Record> live_content(const EntryId& id);
  // Of those that `choose` takes from the index, which has pinned them: the ones that can be read.
  using Choose = std::function<std::vector<SlotPlaces>(LiveIndex& index)>;
  std::vector<UnsettledWrite> take(const Choose& choose);

  // The live records of one segment, ready to be written elsewhere. Those whose bytes do not hold
  // are parked where they are. `open`: the segment's file, or null, and it is read by its name.
  IoStatus read_live(const JournalSegment& segment, File* open, std::vector<QueuedRecord>* out);
  // The same without a judgement of what does not hold; `*known`: the offsets of what does.
  IoStatus read_good(const JournalSegment& segment, File* open, std::vector<QueuedRecord>* out,
                     std::set<std::uint64_t>* known);
  // Parks these, whose bytes do not hold.
  void give_up(std::span<const SlotPlaces> lost);

 private:
  void park(LiveIndex& index, const SlotName& slot, Version version);

  FileSystem& file_system_;
  SegmentTable& table_;
  JournalCounters& counters_;
};

}  // namespace tiercache
