// One call of the drain into the store, the same for a batch of writes and a piece of a matching
// erase.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "journal/unsettled_write.h"
#include "tiercache/store.h"
#include "tiercache/time.h"

namespace tiercache {

struct SendCall {
  StoreReply reply;
  std::vector<SaveResult> results = {};  // one per write when it worked
  // One per write when it worked: the row became another one meanwhile, which it may replace too.
  // It is to be sent once more.
  std::vector<bool> again = {};
  std::optional<std::string> next = {};  // of a matching erase of which more is left

  bool worked() const { return reply.status == StoreStatus::ok; }
};

// A store that throws, or answers for other writes than it was given, counts as in doubt.
SendCall send_erase(Store& store, const std::string& project, const MatchingErase& piece,
                    SteadyTime deadline);
SendCall send_writes(Store& store, const std::string& project,
                     std::span<const UnsettledWrite> batch, SteadyTime deadline);

}  // namespace tiercache
