// A write that the store has not settled, as the journal hands it out, and the name of the slot
// that it has in there.
#pragma once

#include <compare>
#include <cstdint>

#include "journal/record.h"
#include "tiercache/outbox.h"
#include "tiercache/store.h"

namespace tiercache {

// A slot by name: content, clocks or erase_matching (then `id.key` is the glob).
struct SlotName {
  RecordKind kind = RecordKind::content;
  EntryId id;
  bool below = false;  // with content: of what the newest content has not seen

  friend auto operator<=>(const SlotName&, const SlotName&) = default;
};

// One write the store has not settled, as the drain takes it.
struct UnsettledWrite {
  StoreWrite write;
  RecordKind kind =
      RecordKind::content;  // content, clocks or erase_matching (then `write.id.key` is the glob)
  Lineage made_from = {};   // with a guard
};

// Why the store has nothing more to decide of a write: it has it, or something newer.
enum class Settlement : std::uint8_t { saved, superseded };

inline SlotName slot_of(const UnsettledWrite& write) {
  return {write.kind, write.write.id};
}

inline RecordKind record_kind_of(OutboxKind kind) {
  switch (kind) {
    case OutboxKind::clocks:
      return RecordKind::clocks;
    case OutboxKind::erase_matching:
      return RecordKind::erase_matching;
    case OutboxKind::document:
    case OutboxKind::tombstone:
      break;
  }
  return RecordKind::content;
}

}  // namespace tiercache
