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
  // `handler` is called exactly once, on the store or compute lane; at once as unavailable while
  // the breaker is open. Reads of one key waiting at the same time share one load. When the store
  // is tried again a single read goes along; the others are answered at once.
  void load(const EntryId& id, Handler handler);
  // Answers whoever still waits: the cache closes.
  void close();

 private:
  static constexpr std::size_t kBatch = 100;
  static constexpr int kCallsAtOnce = 2;
  struct Batch {
    std::vector<EntryId> ids;
    std::vector<std::vector<Handler>> handlers;  // of each id
  };
  void run_batch();
  Batch take(std::size_t limit);
  // One read goes, the others are answered.
  Batch take_one();
  void refuse_waiting();
  void answer_waiting(const std::string& why);

  Runtime& runtime_;
  StoreCalls& calls_;
  mutable Mutex mutex_;
  std::map<EntryId, std::vector<Handler>> waiting_ TIERCACHE_GUARDED_BY(mutex_);
  int batches_ TIERCACHE_GUARDED_BY(mutex_) = 0;  // that are being loaded
};

}  // namespace tiercache::detail
