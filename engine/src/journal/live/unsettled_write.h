// A write that the store has not settled, as the journal hands it out, and the name of the slot
// in which the journal keeps it. These are values; nothing here needs a lock.
#pragma once

#include <compare>
#include <cstdint>

#include "journal/format/record.h"
#include "tiercache/outbox.h"
#include "tiercache/store.h"

namespace tiercache {

// Where a live record has its place in the index. A key has a slot for its content and one for its
// clocks; a matching erase has one for its dataset and glob.
struct SlotName {
  RecordKind kind = RecordKind::content;  // content, clocks or erase_matching
  EntryId id;                             // with erase_matching `id.key` is the glob
  // Only with content: the second slot of a key, for an older write that the newest one has not
  // seen (live_index.h).
  bool below = false;

  friend auto operator<=>(const SlotName&, const SlotName&) = default;
};

// One such write, as the drain takes it.
struct UnsettledWrite {
  StoreWrite write;                       // with erase_matching `write.id.key` is the glob
  RecordKind kind = RecordKind::content;  // content, clocks or erase_matching
  Lineage made_from = {};                 // only with a guard
};

// Why the store has nothing more to decide about a write: it has this one, or something newer.
enum class Settlement : std::uint8_t { saved, superseded };

// The slot of the write. `below` is not set; the index finds that by the version.
inline SlotName slot_of(const UnsettledWrite& write) {
  return {write.kind, write.write.id};
}

// A `done` or `parked` record that speaks of this version in the slot.
inline Record make_marker(RecordKind kind, const SlotName& slot, Version version) {
  Record record;
  record.kind = kind;
  record.subject = slot.kind;
  record.id = slot.id;
  record.entry.version = version;
  return record;
}

// A note that no record of this folder up to this sequence number waits for its file. It is a
// `done` record of no key, which versions of the library that do not know it pass over.
inline Record make_filed_note(std::uint64_t up_to) {
  return make_marker(RecordKind::done, {}, {up_to, 0});
}
inline bool is_filed_note(const Record& record) {
  return record.kind == RecordKind::done && record.id.dataset.empty();
}

// The kind of the record that the outbox lists as this.
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
