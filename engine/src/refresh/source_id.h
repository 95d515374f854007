// What a refresh asks.
#pragma once

#include <compare>
#include <utility>

#include "base/schedule.h"
#include "tiercache/entry.h"

namespace tiercache {

// One of the two sources of a key: what the dataset's callback asks, or what its rich callback
// asks. They fail by themselves, so what one of them said never holds up the other.
struct SourceId {
  SourceId(EntryId entry_id, Cadence which = Cadence::normal)
      : id(std::move(entry_id)), cadence(which) {}

  EntryId id;
  Cadence cadence;
  friend auto operator<=>(const SourceId&, const SourceId&) = default;
};

}  // namespace tiercache
