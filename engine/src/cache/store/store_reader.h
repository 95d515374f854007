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
#include "cache/runtime/runtime.h"
#include "cache/store/store_calls.h"
#include "tiercache/store.h"

namespace tiercache::detail {

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
  StoreReader(Runtime& runtime, StoreCalls& calls) : runtime_(runtime), calls_(calls) {}

  using Handler = std::function<void(const LoadedRow&)>;
  // Calls `handler` exactly once: on the store lane; on the compute lane, as unavailable, if the
  // breaker refuses already; or on the thread that calls `close`. Never from this call. Reads of
  // one key that wait at the same time share one load. When the store is tried again after an
  // outage, a single read goes along and the others are answered as unavailable. Blocks: nothing.
  void load(const EntryId& id, Handler handler);
  // The cache closes: answers all who still wait, on this thread.
  void close();

 private:
  static constexpr std::size_t kBatch = 100;
  static constexpr int kCallsAtOnce = 2;
  struct Batch {
    std::vector<EntryId> ids;
    std::vector<std::vector<Handler>> handlers;  // for each id those that wait for it
  };
  void run_batch();
  Batch take(std::size_t limit);
  // Takes one read, and answers the others as unavailable.
  Batch take_one();
  void refuse_waiting();
  void answer_waiting(const std::string& why);

  Runtime& runtime_;
  StoreCalls& calls_;
  mutable Mutex mutex_;
  std::map<EntryId, std::vector<Handler>> waiting_ TIERCACHE_GUARDED_BY(mutex_);
  int batches_ TIERCACHE_GUARDED_BY(mutex_) = 0;  // how many are posted or being loaded
};

}  // namespace tiercache::detail
