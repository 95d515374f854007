// Reads live records back from their segments: for the store, for copying them forward, and for the
// journal's owner.
//
// There are two ways in which a record cannot be read. If its bytes fail their checksum it is lost,
// and the write is parked, so that a person learns of it and it stops no other write. If the disk
// does not answer, that says nothing about the record, which waits until it is asked for again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "journal/live/live_index.h"
#include "journal/live/unsettled_write.h"
#include "journal/segments/journal_counters.h"
#include "journal/segments/queued_record.h"
#include "journal/segments/segment_table.h"

namespace tiercache {

// Owned by the journal. Thread-safe: it has no state of its own, and takes the table's lock only to
// look up and pin, and later to unpin, never while it reads.
class RecordReader {
 public:
  RecordReader(FileSystem& file_system, SegmentTable& table, JournalCounters& counters)
      : file_system_(file_system), table_(table), counters_(counters) {}

  // The key's live content. Nullopt if there is none or it cannot be read.
  std::optional<Record> live_content(const EntryId& id);
  // Reads the writes that `choose` takes from the index, which has pinned their segments and marked
  // them in flight. Those that are lost are parked, and those that the disk will not read are held
  // until `resume`; neither are in the answer.
  using Choose = std::function<std::vector<SlotPlaces>(LiveIndex& index)>;
  std::vector<UnsettledWrite> take(const Choose& choose);

  // Adds the live records of one segment to `*out`, ready to be written elsewhere. Those whose
  // bytes fail their checksum are parked, and the segment counts as unreadable from then on. `open`
  // is the segment's file; null has it read by its name.
  IoStatus read_live(const JournalSegment& segment, File* open, std::vector<QueuedRecord>* out);
  // The same without parking the rest. The offsets of the intact live records are added to
  // `*known`.
  IoStatus read_intact(const JournalSegment& segment, File* open, std::vector<QueuedRecord>* out,
                       std::set<std::uint64_t>* known);
  // Parks these, whose bytes fail their checksum.
  void park_unreadable(std::span<const SlotPlaces> lost);

 private:
  void park_in(LiveIndex& index, const SlotName& slot, Version version);

  FileSystem& file_system_;
  SegmentTable& table_;
  JournalCounters& counters_;
};

}  // namespace tiercache
