// How far the store has purged its tombstones. Once a tombstone is gone nothing stands against a
// machine that was away for longer and still has the document (I4); but the store tells the newest
// version of those that went, its horizon, and what a machine has from before that and the store
// lacks was deleted there.
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

// Thread-safe.
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
  // The same. False: the store did not say, or cannot purge.
  bool learn(Breaker::Urgency urgency, SteadyTime deadline = kNever);
  // As far as the store has said; zero: it has purged no tombstone.
  Version version() const;
  // What is confirmed, not above this version and missing in the store was deleted there. Nullopt
  // while the store is not the one that the directory belongs to: its gaps tell nothing.
  std::optional<Version> deleted_up_to() const;

 private:
  StoreCalls& calls_;
  const StoreIdentity& identity_;
  mutable Mutex mutex_;
  Version horizon_ TIERCACHE_GUARDED_BY(mutex_);
  std::string incarnation_ TIERCACHE_GUARDED_BY(mutex_);  // whose horizon it is
};

}  // namespace tiercache::detail
