// What the local tiers tell whoever is above them. Nothing in this room calls upwards: an entry
// that moved does not know of schedules, nor a file that was written of those who wait for it.
#pragma once

#include <functional>

#include "cache/runtime/dataset_state.h"
#include "tiercache/entry.h"

namespace tiercache::detail {

// Set before the first entry is taken in. Each is called by the thread that brought it about, under
// no lock, and must be short.
struct LocalEvents {
  // Something newer of the key stands in the local tiers; its document or its clocks have moved.
  std::function<void(DatasetState&, const EntryId&)> moved;
  // The key has left them, or is about to be replaced by a tombstone.
  std::function<void(const EntryId&)> left;
  // Entry files came in.
  std::function<void()> grew;
  // A file that should be there was not, as when somebody deletes the directory.
  std::function<void()> gone;
  // Writes were brought to their files. False: some are still under way, and it is to be told again
  // soon.
  std::function<bool()> filed;
};

}  // namespace tiercache::detail
