#include "journal/parked_records.h"

#include <cerrno>
#include <utility>

namespace tiercache {

void ParkedRecords::park(const UnsettledWrite& write, const std::string& why) {
  const SlotName slot = slot_of(write);
  Record parked = make_marker(RecordKind::parked, slot, write.write.entry.version);
  parked.why = why.empty() ? "refused" : why;
  queue_.add_in_order([&](CommitQueue::Additions* added) {
    const bool is_parked = table_.with_index(
        [&](LiveIndex& index) { return index.park(slot, parked.entry.version, parked.why); });
    if (is_parked) added->records.push_back(std::move(parked));
  });
}

bool ParkedRecords::retry(const EntryId& id, Version version) {
  bool any = false;
  queue_.add_in_order([&](CommitQueue::Additions* added) {
    table_.with_index([&](LiveIndex& index) {
      for (const LiveIndex::ListedSlot& listed : index.parked_of(id, version)) {
        index.retry_parked(listed.slot);
        added->records.push_back(make_marker(RecordKind::parked, listed.slot, listed.version));
        any = true;
      }
    });
  });
  return any;
}

// No note is written that the slot is settled. As long as the next open can meet the record it must
// also meet the marker, or it would bring the entry back to the local tiers without anybody knowing
// that the store had refused it.
bool ParkedRecords::discard(const EntryId& id, Version version) {
  std::set<std::uint64_t> segments;
  {
    Lock lock(mutex_);
    segments = table_.while_open([&](LiveIndex& index, const SegmentMap&) {
      std::set<std::uint64_t> in;
      for (const LiveIndex::ListedSlot& listed : index.parked_of(id, version)) {
        for (const Place& place : index.places(listed.slot)) in.insert(place.segment);
        index.discard_parked(listed.slot);
      }
      return in;
    });
    discarded_in_.insert(segments.begin(), segments.end());
  }
  table_.trim();
  return !segments.empty();
}

IoStatus ParkedRecords::forget_discarded() {
  std::string own_path;
  {
    const auto own = own_folder_.get();
    if (!own) return {EBADF, "the journal is closed"};
    own_path = own->path;
  }
  std::set<std::uint64_t> numbers;
  {
    Lock lock(mutex_);
    numbers = discarded_in_;
  }
  if (numbers.contains(table_.current_number())) queue_.finish_segment();
  for (const std::uint64_t number : numbers) {
    if (const IoStatus status = compaction_.copy_forward(number); !status.ok()) return status;
  }
  if (const IoStatus status = table_.check_deleted(numbers); !status.ok()) return status;
  const IoStatus status = file_system_.sync_directory(own_path);
  if (!status.ok()) return status;
  Lock lock(mutex_);
  for (const std::uint64_t number : numbers) discarded_in_.erase(number);
  return {};
}

}  // namespace tiercache
