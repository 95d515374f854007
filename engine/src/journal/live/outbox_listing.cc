#include "journal/live/outbox_listing.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "journal/live/unsettled_write.h"

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

// A clocks record has the version of the content that it belongs to, which may be much older, so
// its time is that of its latest clock.
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

std::vector<OutboxWrite> list_unsettled(const LiveIndex& index, const OutboxQuery& query) {
  std::optional<SlotPosition> after;
  if (query.after) {
    after = {query.after->version, record_kind_of(query.after->kind), query.after->id};
  }
  const auto which =
      query.state == OutboxState::parked ? LiveIndex::Listing::parked : LiveIndex::Listing::waiting;
  return writes_of(index.list(which, query.dataset, after ? &*after : nullptr, query.limit),
                   query.state);
}

std::vector<OutboxWrite> list_parked(const LiveIndex& index, const EntryId& id, Version version) {
  return writes_of(index.parked_of(id, version), OutboxState::parked);
}

}  // namespace tiercache
