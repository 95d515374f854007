// One call of the drain into the store, for a batch of writes or for a piece of a matching erase.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "journal/live/unsettled_write.h"
#include "tiercache/store.h"
#include "tiercache/time.h"

namespace tiercache {

// What came of a call.
struct SendCall {
  StoreReply reply;
  std::vector<SaveResult> results = {};  // one per write if the call worked
  // One per write if a batch worked; empty for an erase. True for a write that should be sent once
  // more, because its row was replaced during the call by another one that it may replace as well.
  std::vector<bool> again = {};
  // Set if more is left of a matching erase: the key up to which it is done.
  std::optional<std::string> next = {};

  bool worked() const { return reply.status == StoreStatus::ok; }
};

// Both calls return what the store answered, by the deadline if the store keeps it. A store that
// throws, or answers for another number of writes than it was given, counts as in doubt. Neither
// holds a lock. Both block until the store answers; call on the store lane.

// Sends one piece of a matching erase.
SendCall send_erase(Store& store, const std::string& project, const MatchingErase& piece,
                    SteadyTime deadline);
// Sends content and clocks. If some of the writes have a lineage, their rows are loaded first.
SendCall send_writes(Store& store, const std::string& project,
                     std::span<const UnsettledWrite> batch, SteadyTime deadline);

}  // namespace tiercache
