// Writes that the store refused for good: listed, tried again, or given up.
#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "journal/journal_impl.h"

namespace tiercache {
namespace {

using ListedSlot = LiveIndex::ListedSlot;

OutboxKind kind_of(const ListedSlot& listed) {
  switch (listed.slot.kind) {
    case RecordKind::clocks:
      return OutboxKind::clocks;
    case RecordKind::erase_matching:
      return OutboxKind::erase_matching;
    default:
      return listed.tombstone ? OutboxKind::tombstone : OutboxKind::document;
  }
}

// Clocks have the version of the content they belong to, which may be much older.
WallTime written_at(const ListedSlot& listed) {
  if (listed.slot.kind != RecordKind::clocks) return WallTime(listed.version.stamped_at());
  const Clocks& clocks = listed.clocks;
  return std::max({clocks.last_fetch, clocks.last_rich_fetch, clocks.invalidated_at})
      .value_or(WallTime{});
}

OutboxWrite write_of(ListedSlot listed, OutboxState state) {
  return {.id = std::move(listed.slot.id),
          .version = listed.version,
          .kind = kind_of(listed),
          .state = state,
          .bytes = listed.bytes,
          .since = written_at(listed),
          .why = std::move(listed.why)};
}

std::vector<OutboxWrite> writes_of(std::vector<ListedSlot> listed, OutboxState state) {
  std::vector<OutboxWrite> writes;
  writes.reserve(listed.size());
  for (ListedSlot& one : listed) writes.push_back(write_of(std::move(one), state));
  return writes;
}

}  // namespace

void Journal::Impl::park(const UnsettledWrite& write, const std::string& why) {
  const SlotName slot = slot_of(write);
  const Version version = write.write.entry.version;
  QueuedRecord queued = marker(RecordKind::parked, slot, version);
  queued.record.why = why.empty() ? "refused" : why;
  queued.payload = encode_record(queued.record);
  Lock lock(mutex);
  if (!folder || !index.park(slot, version, queued.record.why)) return;
  queue.push_back(std::move(queued));
}

std::vector<OutboxWrite> Journal::Impl::list(const OutboxQuery& query) const {
  std::optional<SlotPosition> after;
  if (query.after) {
    after = {query.after->version, record_kind_of(query.after->kind), query.after->id};
  }
  const auto which =
      query.state == OutboxState::parked ? LiveIndex::Listing::parked : LiveIndex::Listing::waiting;
  Lock lock(mutex);
  return writes_of(index.list(which, query.dataset, after ? &*after : nullptr, query.limit),
                   query.state);
}

std::vector<OutboxWrite> Journal::Impl::parked_of(const EntryId& id, Version version) const {
  Lock lock(mutex);
  return writes_of(index.parked_of(id, version), OutboxState::parked);
}

bool Journal::Impl::retry_parked(const EntryId& id, Version version) {
  Lock lock(mutex);
  if (!folder) return false;
  const std::vector<ListedSlot> parked = index.parked_of(id, version);
  for (const ListedSlot& listed : parked) {
    index.retry_parked(listed.slot);
    QueuedRecord queued = marker(RecordKind::parked, listed.slot, listed.version);
    queued.payload = encode_record(queued.record);
    queue.push_back(std::move(queued));
  }
  return !parked.empty();
}

// No note says that the slot is settled: as long as its record can be met again, so must that it is
// parked, or the local tiers would have it back without anybody knowing.
bool Journal::Impl::discard_parked(const EntryId& id, Version version) {
  bool any = false;
  {
    Lock lock(mutex);
    if (!folder) return false;
    for (const ListedSlot& listed : index.parked_of(id, version)) {
      for (const Place& place : index.places(listed.slot)) discarded_in.insert(place.segment);
      index.discard_parked(listed.slot);
      any = true;
    }
  }
  trim();
  return any;
}

IoStatus Journal::Impl::forget_discarded() {
  std::set<std::uint64_t> numbers;
  bool leave = false;
  std::string own;
  {
    Lock lock(mutex);
    if (!folder) return {EBADF, "the journal is closed"};
    numbers = discarded_in;
    leave = numbers.contains(current_number);
    own = folder->path;
  }
  if (leave) leave_segment();
  for (const std::uint64_t number : numbers) {
    if (const IoStatus status = compact_segment(number); !status.ok()) return status;
  }
  {
    Lock lock(mutex);
    for (const std::uint64_t number : numbers) {
      const auto found = segments.find(number);
      if (found == segments.end()) continue;
      const JournalSegment& segment = *found->second;
      if (segment.stuck || segment.unreadable) {
        return {EIO, "journal segment " + segment.path + " cannot be deleted"};
      }
      return {EAGAIN, "the journal is being written"};
    }
  }
  const IoStatus status = file_system->sync_directory(own);
  if (!status.ok()) return status;
  Lock lock(mutex);
  for (const std::uint64_t number : numbers) discarded_in.erase(number);
  return {};
}

// --- The public face ---

void Journal::park(const UnsettledWrite& write, const std::string& why) {
  impl_->park(write, why);
}

std::vector<OutboxWrite> Journal::list(const OutboxQuery& query) const {
  return impl_->list(query);
}

std::vector<OutboxWrite> Journal::parked_of(const EntryId& id, Version version) const {
  return impl_->parked_of(id, version);
}

bool Journal::retry_parked(const EntryId& id, Version version) {
  return impl_->retry_parked(id, version);
}

bool Journal::discard_parked(const EntryId& id, Version version) {
  return impl_->discard_parked(id, version);
}

IoStatus Journal::forget_discarded() {
  return impl_->forget_discarded();
}

}  // namespace tiercache
