// Brings what the store has of a dataset into the files when it is opened, the most recent first,
// so that what is judged afterwards, above all whether a refresh is due, is judged by the store's
// timestamps too.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/annotations.h"
#include "base/mutex.h"
#include "cache/local/file_bounds.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "cache/store/store_calls.h"
#include "cache/store/store_identity.h"
#include "cache/upkeep/change_feed.h"

namespace tiercache::detail {

// Thread-safe.
class Hydration {
 public:
  // `hydrated` is called of each dataset that was begun, once, when the store has said what it has
  // or will not say it now.
  Hydration(Runtime& runtime, LocalTiers& local, const FileBounds& bounds, StoreCalls& calls,
            const StoreIdentity& identity, ChangeFeed& feed,
            std::function<void(DatasetState&)> hydrated)
      : runtime_(runtime),
        local_(local),
        bounds_(bounds),
        calls_(calls),
        identity_(identity),
        feed_(feed),
        hydrated_(std::move(hydrated)) {}

  // Goes on behind the caller's back, page by page, once the change feed has its place: what comes
  // later than a page was read is told by that.
  void begin(DatasetState& dataset);
  // Some dataset is being hydrated.
  bool is_running() const;

 private:
  void next_page(DatasetState& dataset, const std::string& cursor, std::size_t left);
  void take_page(DatasetState& dataset, const std::string& cursor, std::size_t left);
  void end(DatasetState& dataset);

  Runtime& runtime_;
  LocalTiers& local_;
  const FileBounds& bounds_;
  StoreCalls& calls_;
  const StoreIdentity& identity_;
  ChangeFeed& feed_;
  const std::function<void(DatasetState&)> hydrated_;
  mutable Mutex mutex_;
  int running_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace tiercache::detail
