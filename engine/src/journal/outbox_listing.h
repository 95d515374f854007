// What the store has not settled, as it is listed for a person.
#pragma once

#include <vector>

#include "journal/live_index.h"
#include "tiercache/outbox.h"

namespace tiercache {

// Oldest version first.
std::vector<OutboxWrite> list_unsettled(const LiveIndex& index, const OutboxQuery& query);
// What is parked of the key, or the glob; of one version unless it is zero.
std::vector<OutboxWrite> list_parked(const LiveIndex& index, const EntryId& id, Version version);

}  // namespace tiercache
