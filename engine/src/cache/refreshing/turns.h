// The schedule of an open cache: which key is due when, by the clocks of its entry. A turn is one
// refresh that comes due. The scheduler (refresh/scheduler.h) does the waiting, and `Due` is told
// when a turn has come.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/annotations.h"
#include "base/mutex.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "refresh/scheduler.h"
#include "refresh/single_flight.h"
#include "refresh/source_id.h"
#include "tiercache/entry.h"

namespace tiercache::detail {

// Thread-safe. Blocks: nothing, but `arm_all` walks the index.
class Turns {
 public:
  // `due` is called on the compute lane, with how late it is, unless the cache has gone.
  using Due = std::function<void(const EntryId&, Cadence, std::chrono::milliseconds lateness)>;
  Turns(Runtime& runtime, LocalTiers& local, const SingleFlight& flights, Due due);

  // Arms the key's turns by its clocks, or takes them back if there is nothing to refresh. An
  // erased document that is refreshed nevertheless (`not_found_erases`) has its turn an interval
  // after it was erased. Does nothing before `arm_all` was called for its dataset.
  void arm(DatasetState& dataset, const EntryId& id);
  // The same for every key of a dataset. To be called when its hydration has ended: from now on its
  // timestamps are judged.
  void arm_all(DatasetState& dataset);
  // True if every dataset of one document that has `refresh_every` has the next turn of that ahead
  // of it, so that it is not overdue. Rich turns and keyed datasets are not looked at.
  bool are_ahead() const;
  // True if a rich turn asks for the plain document, because there is none that it could add to.
  static bool asks_for_plain(const DatasetState& dataset,
                             const std::optional<Known::Standing>& standing);
  void stop();
  // The source has no such key. It is not asked by a turn before the interval has passed, although
  // no clock has moved. To be called before the key is armed again.
  void source_had_none(const DatasetState& dataset, const SourceId& source);
  // A turn has come. The key is not due at once again if something arms it meanwhile, as a row does
  // that is found on the way to the source.
  void begun(const DatasetState& dataset, const SourceId& source);
  // The source has answered otherwise. To be called before the key is armed again, as well.
  void source_answered(const DatasetState& dataset, const SourceId& source);
  // How long the source is still left alone after a failure. Nullopt if it may be asked now.
  std::optional<std::chrono::milliseconds> retry_pause(const SourceId& source) const;

 private:
  std::optional<WallTime> retry_time(const SourceId& source) const;
  void hold(const SourceId& source, std::chrono::milliseconds pause);
  void forget(const EntryId& id);

  Runtime& runtime_;
  LocalTiers& local_;
  const SingleFlight& flights_;
  const std::shared_ptr<Scheduler> scheduler_;
  mutable Mutex mutex_;
  // Until when a source is not asked by turns; of armed keys.
  std::map<SourceId, WallTime> not_before_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache::detail
