// What goes on in an open cache by itself, whether anybody reads or writes:
//
//     ChangeFeed        brings in what other machines wrote
//     Hydration         brings in what the store has of a dataset that was opened
//     OrphanAdoption    finishes what stopped caches left in the directory
//     DirectoryKeeper   makes the directory anew when it was deleted
//     FileEviction      keeps the files within their bounds
//     Retention         deletes what is not kept for ever
//     Scrub             compares all tiers, when somebody asks for it
//
// Each is handed the tiers that it works on (upkeep_parts.h). No read waits for them. A write waits
// for one of them: a write that is compared with what a dead process left may have to adopt that
// process's journal. `Cache::warm_up` waits for hydration, and `Cache::close` for a directory that
// is made anew.
#pragma once

#include <functional>
#include <utility>

#include "cache/runtime/dataset_state.h"
#include "cache/upkeep/change_feed.h"
#include "cache/upkeep/directory_keeper.h"
#include "cache/upkeep/file_eviction.h"
#include "cache/upkeep/hydration.h"
#include "cache/upkeep/orphan_adoption.h"
#include "cache/upkeep/retention.h"
#include "cache/upkeep/upkeep_parts.h"

namespace tiercache::detail {

// The parts that live as long as the cache, and what a scrub, which does not, is built from.
struct Upkeep {
  Upkeep(const UpkeepParts& parts, std::function<void(DatasetState&)> hydrated)
      : works_with(parts),
        feed(parts.runtime, parts.local, parts.file_writer, parts.calls, parts.identity,
             parts.horizon),
        hydration(parts.runtime, parts.local, parts.bounds, parts.calls, parts.identity, feed,
                  std::move(hydrated)),
        keeper(parts.runtime, parts.local, parts.file_writer, parts.identity, feed, hydration,
               parts.store_writer),
        adoption(parts.runtime, parts.local, parts.file_writer, keeper, parts.store_writer),
        eviction(parts.runtime, parts.local, parts.file_writer, parts.calls, parts.bounds),
        retention(parts.runtime, parts.local, parts.file_writer, parts.calls, parts.identity,
                  parts.horizon) {}

  const UpkeepParts works_with;
  ChangeFeed feed;
  Hydration hydration;
  DirectoryKeeper keeper;
  OrphanAdoption adoption;
  FileEviction eviction;
  Retention retention;
};

}  // namespace tiercache::detail
