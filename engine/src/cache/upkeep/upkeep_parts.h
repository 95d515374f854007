// What the room works with: each of its parts is built from some of these, and a scrub, which
// compares all tiers, from all of them.
#pragma once

#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "cache/store/purge_horizon.h"
#include "cache/store/store_calls.h"
#include "cache/store/store_identity.h"
#include "cache/upkeep/file_bounds.h"
#include "cache/writing/store_writer.h"

namespace tiercache::detail {

// Parts of the lower rooms, which the cache owns. They outlive whatever is built from them.
struct UpkeepParts {
  Runtime& runtime;
  LocalTiers& local;
  FileWriter& file_writer;
  const FileBounds& bounds;
  StoreCalls& calls;
  StoreIdentity& identity;
  PurgeHorizon& horizon;
  StoreWriter& store_writer;
};

}  // namespace tiercache::detail
