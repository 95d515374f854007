// A record on its way into a segment. Whoever has the batch that it is in owns it; no lock guards
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "journal/format/record.h"
#include "journal/format/segment.h"
#include "journal/live/live_index.h"
#include "journal/segments/journal_types.h"

namespace tiercache {

// Whether records are synced before they are answered.
enum class Sync : std::uint8_t { yes, no };

// One record, its encoded form, and what became of it.
struct QueuedRecord {
  Record record;                                  // without its document
  std::string payload;                            // with it
  std::function<void(const AppendResult&)> done;  // may be null
  // Set for a live record that moves: where it lies now. Null for a new record.
  std::optional<Place> copy_of;
  // Where it lies in its segment; set when it is encoded.
  Place place;
  // Set by whoever writes or refuses it; a record that nobody has judged yet counts as durable.
  AppendResult result;

  // What it takes in a segment.
  std::uint64_t bytes() const { return frame_bytes(payload.size()); }
};

// Pointers to all of these, in their order; good until the vector changes.
std::vector<QueuedRecord*> pointers_to(std::vector<QueuedRecord>* records);
// What they take in a segment together.
std::uint64_t total_bytes(std::span<QueuedRecord* const> records);
// Encodes the record. Only the payload keeps its document.
QueuedRecord make_queued(Record record);

}  // namespace tiercache
