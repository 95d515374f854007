// Deletes what is not kept for ever: old tombstones, and documents whose dataset has a retention.
// Every few hours they go from the store and then from the files. A tombstone goes from the files
// only if the store has purged its own in the same round, or there is no store. What then stands
// against a machine that was away for longer is the horizon (store/purge_horizon.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/annotations.h"
#include "base/backoff.h"
#include "base/breaker.h"
#include "base/mutex.h"
#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/counters.h"
#include "cache/runtime/runtime.h"
#include "cache/store/purge_horizon.h"
#include "cache/store/store_calls.h"
#include "cache/store/store_identity.h"
#include "tiercache/store.h"

namespace tiercache::detail {

// Thread-safe. Blocks: nothing that others call; the rounds run on the store lane.
class Retention {
 public:
  Retention(Runtime& runtime, LocalTiers& local, FileWriter& file_writer, StoreCalls& calls,
            const StoreIdentity& identity, PurgeHorizon& horizon)
      : runtime_(runtime),
        local_(local),
        file_writer_(file_writer),
        calls_(calls),
        identity_(identity),
        horizon_(horizon),
        random_(runtime.seed + 6) {}

  void start();

  std::uint64_t purged_in_store() const { return purged_.read(); }
  std::uint64_t dropped_here() const { return dropped_.read(); }

 private:
  void schedule();
  void run();
  struct Round {
    WallTime now;
    Version below;  // older tombstones go
  };
  // What goes in a round that begins now, by the store's clock. Nullopt if the store did not tell
  // its time: then nothing may go.
  std::optional<Round> ask_round();
  bool purge_store(Version below, WallTime now);
  void purge_files(Version below, WallTime now, bool tombstones);

  Runtime& runtime_;
  LocalTiers& local_;
  FileWriter& file_writer_;
  StoreCalls& calls_;
  const StoreIdentity& identity_;
  PurgeHorizon& horizon_;
  Counter purged_, dropped_;
  mutable Mutex mutex_;
  Random random_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache::detail
