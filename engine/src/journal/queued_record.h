// A record on its way into a segment.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "journal/journal_types.h"
#include "journal/live_index.h"
#include "journal/record.h"
#include "journal/segment.h"

namespace tiercache {

// Whether what is written is synced before it is answered.
enum class Sync : std::uint8_t { yes, no };

struct QueuedRecord {
  Record record;  // without its document
  std::string payload;
  std::function<void(const AppendResult&)> done;  // may be null
  std::optional<Place> copy_of;                   // a live record that moves; else a new one
  Place place;
  AppendResult result;

  std::uint64_t bytes() const { return frame_bytes(payload.size()); }
};

std::vector<QueuedRecord*> pointers(std::vector<QueuedRecord>* records);
std::uint64_t total_bytes(std::span<QueuedRecord* const> records);
// A record whose document stays in the payload alone.
QueuedRecord queued(Record record);
// A `done` or `parked` record that speaks of the slot.
Record marker(RecordKind kind, const SlotName& slot, Version version);

}  // namespace tiercache
