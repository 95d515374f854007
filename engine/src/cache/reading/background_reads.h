// Reads that nobody waits for, because somebody was served something stale, or a scheduled turn has
// come. They ask the file and the store first, since another machine may have fetched the key by
// now, and then the source.
#pragma once

#include <chrono>
#include <optional>

#include "cache/reading/read_op.h"
#include "cache/refreshing/refreshes.h"
#include "cache/refreshing/turns.h"
#include "cache/runtime/runtime.h"

namespace tiercache::detail {

// Thread-safe. Blocks: nothing; the reads begin on the disk lane. But `due` begins a rich refresh
// on this thread (`Refreshes::run`).
class BackgroundReads {
 public:
  BackgroundReads(Runtime& runtime, const ReadParts& parts, Turns& turns)
      : runtime_(runtime), parts_(parts), turns_(turns) {}

  // A reader was served something stale. Each key has one such look at a time.
  void served_stale(const ReadRequest& served);
  // A scheduled turn has come.
  void due(const EntryId& id, Cadence cadence, std::chrono::milliseconds lateness);

 private:
  SteadyTime deadline(const DatasetState& dataset) const;
  void read(ReadRequest request, ReadHandler done);

  Runtime& runtime_;
  const ReadParts& parts_;
  Turns& turns_;
};

}  // namespace tiercache::detail
