// What the store has not settled, as it is listed for a person. Both functions are called under the
// segment table's lock.
#pragma once

#include <vector>

#include "journal/live/live_index.h"
#include "tiercache/outbox.h"

namespace tiercache {

// The page that the query asks for, oldest version first.
std::vector<OutboxWrite> list_unsettled(const LiveIndex& index, const OutboxQuery& query);
// The parked writes of the key, or of the glob in `id.key`. A version of zero means all of them.
std::vector<OutboxWrite> list_parked(const LiveIndex& index, const EntryId& id, Version version);

}  // namespace tiercache
