// Brings what the store has of a dataset into the files when it is opened, the most recent first,
// so that what is judged afterwards, above all whether a refresh is due, is judged by the store's
// timestamps too.
//
// If the store does not answer, the dataset is judged by what is here, and the rest is brought in
// later: it is asked again, with growing pauses, until it has answered or the cache closes.
//
// It takes as many entries as the dataset's `hydrate` says, and stops sooner if the files pass
// their bounds (upkeep/file_bounds.h). What comes later is brought in by the change feed, which has
// a rule of its own: a key that this directory does not have yet is loaded if its dataset is open
// and hydrates anything at all (`ChangeFeed::is_wanted`). Whoever changes which keys are hydrated
// has to change that rule too. `Store::scan` knows no pattern.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/annotations.h"
#include "base/backoff.h"
#include "base/mutex.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "cache/store/store_calls.h"
#include "cache/store/store_identity.h"
#include "cache/upkeep/change_feed.h"
#include "cache/upkeep/file_bounds.h"

namespace tiercache::detail {

// Thread-safe. Blocks: nothing; pages are loaded and taken into the files on the store lane.
class Hydration {
 public:
  // `hydrated` is called once for each call of `begin`, when that hydration has ended, whether or
  // not the store has answered, and once more when the rest has come in. It is also called again
  // for a dataset because all of them begin again in a directory that was made anew, and once a
  // store is accepted. On the store lane, or from `begin`.
  Hydration(Runtime& runtime, LocalTiers& local, const FileBounds& bounds, StoreCalls& calls,
            const StoreIdentity& identity, ChangeFeed& feed,
            std::function<void(DatasetState&)> hydrated)
      : runtime_(runtime),
        local_(local),
        bounds_(bounds),
        calls_(calls),
        identity_(identity),
        feed_(feed),
        hydrated_(std::move(hydrated)),
        random_(runtime.seed + 7) {}

  // Begins once the change feed has its place, and goes on page by page on the store lane. The feed
  // tells what is written after a page was read.
  void begin(DatasetState& dataset);
  // Begins that of every open dataset.
  void begin_all();
  // True while some dataset is being hydrated, but for what the store did not answer at first.
  bool is_running() const;

 private:
  // How far the hydration of a dataset has come.
  struct Course {
    std::size_t left = 0;  // entries that are still wanted
    std::string cursor = {};
    int failures = 0;  // of the store to answer; the end was told at the first
  };
  void next_page(DatasetState& dataset, const Course& course);
  void take_page(DatasetState& dataset, Course course);
  void try_later(DatasetState& dataset, Course course, const std::string& why);
  void end(DatasetState& dataset, const Course& course);

  Runtime& runtime_;
  LocalTiers& local_;
  const FileBounds& bounds_;
  StoreCalls& calls_;
  const StoreIdentity& identity_;
  ChangeFeed& feed_;
  const std::function<void(DatasetState&)> hydrated_;
  mutable Mutex mutex_;
  int running_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  Random random_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache::detail
