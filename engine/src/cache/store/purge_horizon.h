// How far the store has purged its tombstones. Once a tombstone is gone, nothing in the store
// stands against a machine that was away for longer and still has the document (I4). But the store
// tells its horizon, the newest version of the tombstones that it has purged: what a machine has
// from before that, and the store lacks, was deleted there.
#pragma once

#include <optional>
#include <string>

#include "base/annotations.h"
#include "base/breaker.h"
#include "base/mutex.h"
#include "cache/store/store_calls.h"
#include "cache/store/store_identity.h"
#include "tiercache/store.h"
#include "tiercache/time.h"

namespace tiercache::detail {

// Thread-safe. Blocks: `purge`, `ask` and `learn`, which call the store; call on the store lane, or
// on the thread of a user who waits. `deleted_up_to` may wait for `StoreIdentity`.
class PurgeHorizon {
 public:
  PurgeHorizon(StoreCalls& calls, const StoreIdentity& identity)
      : calls_(calls), identity_(identity) {}

  // Makes the call, and takes note of the horizon that the reply names. This one and those below
  // end by `deadline` or the usual deadline of a call, whichever is sooner.
  PurgeReply purge(const PurgeRequest& request, Breaker::Urgency urgency,
                   SteadyTime deadline = kNever);
  // Asks how far the store has purged, and purges nothing.
  PurgeReply ask(Breaker::Urgency urgency, SteadyTime deadline = kNever);
  // Asks the same, and returns false if the store did not say or cannot purge.
  bool learn(Breaker::Urgency urgency, SteadyTime deadline = kNever);
  // The newest horizon that this store has told; zero if it has purged no tombstone, as far as is
  // known.
  Version version() const;
  // An entry that was confirmed, is not above this version and is missing in the store was deleted
  // there. Nullopt while the store is not the one that the directory belongs to, because then its
  // gaps tell nothing.
  std::optional<Version> deleted_up_to() const;

 private:
  StoreCalls& calls_;
  const StoreIdentity& identity_;
  mutable Mutex mutex_;
  Version horizon_ TIERCACHE_GUARDED_BY(mutex_);
  std::string incarnation_ TIERCACHE_GUARDED_BY(mutex_);  // whose horizon it is
};

}  // namespace tiercache::detail
