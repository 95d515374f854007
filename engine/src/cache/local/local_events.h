// What the local tiers tell whoever is above them. Nothing in this room calls upwards: an entry
// that moved does not know of schedules, nor a file that was written of those who wait for it.
//
// These are for the schedule, for eviction and for upkeep, and not a complete stream of changes:
// nothing is told of datasets that are not open, nor of what memory evicts. Each has one listener;
// to add another, call both in `Core::connect_parts`.
#pragma once

#include <functional>

#include "cache/runtime/dataset_state.h"
#include "tiercache/entry.h"

namespace tiercache::detail {

// Set before the first entry is taken in. Each is called by the thread that brought it about, under
// no lock, and must be short.
struct LocalEvents {
  // What stands of the key in the local tiers has changed: its document, its clocks, or that it is
  // there at all.
  std::function<void(DatasetState&, const EntryId&)> moved;
  // Entry files may have come in.
  std::function<void()> grew;
  // A file that should be there was not, as when somebody deletes the directory.
  std::function<void()> gone;
  // Writes were brought to their files. False: some are still under way, and it is to be told again
  // soon.
  std::function<bool()> filed;
};

}  // namespace tiercache::detail
