// Step 3 of a read: loads rows from the store in batches, many waiting reads with few calls and no
// thread of their own.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "tiercache/store.h"

namespace tiercache::detail {

class Core;

// What the store said of one key.
struct LoadedRow {
  StoreStatus status = StoreStatus::ok;
  EntryPtr entry;  // null: no row, or corrupt
  bool corrupt = false;
  std::string message;
};

// Thread-safe.
class StoreReader {
 public:
  explicit StoreReader(Core& core) : core_(core) {}

  using Handler = std::function<void(const LoadedRow&)>;
  // `handler` is called exactly once, on the store or compute lane; at once as unavailable while
  // the store was found away a moment ago. Reads of one key waiting at the same time share one
  // load.
  void load(const EntryId& id, Handler handler);
  // Answers whoever still waits: the cache closes.
  void close();

 private:
  static constexpr std::size_t kBatch = 100;
  static constexpr int kCallsAtOnce = 2;
  void run_batch();
  bool resting() const TIERCACHE_REQUIRES(mutex_);

  Core& core_;
  mutable Mutex mutex_;
  std::map<EntryId, std::vector<Handler>> waiting_ TIERCACHE_GUARDED_BY(mutex_);
  int calls_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  int failures_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  SteadyTime rests_until_ TIERCACHE_GUARDED_BY(mutex_){};
  std::string last_failure_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache::detail
