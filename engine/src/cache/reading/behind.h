// Reads that nobody waits for: somebody was served something stale, or a scheduled turn has come.
// The file and the store are asked first, since another machine may have fetched it by now, and
// then the source.
#pragma once

#include <chrono>
#include <optional>

#include "cache/reading/read_op.h"
#include "cache/refreshing/refreshes.h"
#include "cache/refreshing/turns.h"
#include "cache/runtime/runtime.h"

namespace tiercache::detail {

// Thread-safe.
class Behind {
 public:
  Behind(Runtime& runtime, const ReadParts& parts, Turns& turns)
      : runtime_(runtime), parts_(parts), turns_(turns) {}

  // A reader was served something stale. One look at a time of each key.
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
