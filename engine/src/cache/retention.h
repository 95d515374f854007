// What does not stay for ever: tombstones, and documents whose dataset has a retention. Every few
// hours they go from the store and then from the files.
//
// Once a tombstone is gone nothing stands against a machine that was away for longer and still has
// the document. Two things do instead (I4): the store's horizon, which refuses writes from before,
// and this look at what the store lacks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/annotations.h"
#include "base/backoff.h"
#include "base/breaker.h"
#include "base/mutex.h"
#include "cache/counters.h"
#include "files/index.h"
#include "tiercache/store.h"

namespace tiercache::detail {

class Core;

// Thread-safe. Its tasks hold the core.
class Retention {
 public:
  Retention(Core& core, std::uint64_t seed) : core_(core), random_(seed) {}

  void start();
  // Asks the store how far it has purged. False when it did not say.
  bool learn_horizon(Breaker::Urgency urgency);
  // As far as the store has said; zero: it has purged no tombstone.
  Version horizon() const;
  // The store has no row of the key: a confirmed entry that is not above the horizon was deleted,
  // and goes here too. True when it did.
  bool drop_if_purged(const EntryId& id);

  std::uint64_t purged_in_store() const { return purged_.read(); }
  std::uint64_t dropped_here() const { return dropped_.read(); }

 private:
  void schedule();
  void run();
  struct Round {
    WallTime now;
    Version below;  // older tombstones go
  };
  // By the store's clock, from a reply of now; nullopt: it gave none, and nothing may go.
  std::optional<Round> ask_round();
  bool purge_store(Version below, WallTime now);
  void purge_files(Version below, WallTime now, bool tombstones);
  bool drop(const EntryId& id, Version version);
  PurgeReply ask_horizon(Breaker::Urgency urgency);
  PurgeReply ask(const PurgeRequest& request, Breaker::Urgency urgency);

  Core& core_;
  Counter purged_, dropped_;
  mutable Mutex mutex_;
  Random random_ TIERCACHE_GUARDED_BY(mutex_);
  Version horizon_ TIERCACHE_GUARDED_BY(mutex_);
  std::string incarnation_ TIERCACHE_GUARDED_BY(mutex_);  // whose horizon it is
};

}  // namespace tiercache::detail
