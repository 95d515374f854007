// What the local tiers tell the rooms above them. Nothing in this room calls upwards: an entry that
// moved knows of no schedule, and a file that was written knows nothing of those who wait for it.
//
// They are no complete stream of changes; each says what it leaves out. Each has one listener; to
// add another, call both in `Core::connect_parts`.
#pragma once

#include <functional>

#include "cache/runtime/dataset_state.h"
#include "tiercache/entry.h"

namespace tiercache::detail {

// Set before the first entry is taken in. Each is called by the thread that brought it about, under
// no lock, and must be short.
struct LocalEvents {
  // What stands of the key in the local tiers may have changed: its document, its clocks, or that
  // it is there at all. Not told of datasets that are not open; when memory evicts an entry; when a
  // look at the files meets what another process has put there; and while a deleted directory is
  // made anew, since all datasets are hydrated again after that.
  std::function<void(DatasetState&, const EntryId&)> moved;
  // Entry files may have come in. For what `FileWriter` writes this is told after its next sync.
  std::function<void()> grew;
  // A writer missed what should be there, as when somebody deletes the directory. Reads never tell.
  std::function<void()> gone;
  // Writes were brought to their files. If it returns false, some are still under way, and it is
  // told again soon.
  std::function<bool()> filed;
};

}  // namespace tiercache::detail
