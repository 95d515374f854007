// The schedule of an open cache: which key is due when, by the clocks that its entry has. The
// waiting is the scheduler's (refresh/scheduler.h); that a turn has come is told.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "refresh/scheduler.h"
#include "refresh/single_flight.h"
#include "tiercache/entry.h"

namespace tiercache::detail {

// Thread-safe.
class Turns {
 public:
  // `due` is called on the executor, with how late it is, unless the cache has gone.
  using Due = std::function<void(const EntryId&, Cadence, std::chrono::milliseconds lateness)>;
  Turns(Runtime& runtime, LocalTiers& local, const SingleFlight& flights, Due due);

  // Arms the key's turns by its clocks, or takes them back where there is nothing to refresh; does
  // nothing before its dataset is hydrated.
  void arm(DatasetState& dataset, const EntryId& id);
  // The same for every key of a dataset: from now on its timestamps are known.
  void arm_all(DatasetState& dataset);
  // Every dataset of one document that has a schedule has its next turn ahead of it.
  bool are_ahead() const;
  void stop();
  // How long the key's source is left alone after a failure; nullopt: it is not.
  std::optional<std::chrono::milliseconds> retry_pause(const EntryId& id) const;

 private:
  std::optional<WallTime> retry_time(const EntryId& id) const;

  Runtime& runtime_;
  LocalTiers& local_;
  const SingleFlight& flights_;
  const std::shared_ptr<Scheduler> scheduler_;
};

}  // namespace tiercache::detail
