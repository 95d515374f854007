// What the workers and the driver of the crash test agree on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tiercache/tiercache.h"

namespace tiercache::testing {

inline constexpr const char* kProject = "crash";
inline constexpr const char* kDataset = "documents";
inline constexpr int kWorkers = 3;  // at most at once
inline constexpr int kThreads = 2;  // of each

// Keys that one thread of one worker alone writes, over all lives of that worker.
inline std::string range_of(int worker, int thread) {
  return "w" + std::to_string(worker) + "t" + std::to_string(thread);
}
inline std::vector<std::string> keys_of(const std::string& range) {
  std::vector<std::string> keys;
  for (int i = 0; i < 8; ++i) keys.push_back(range + ":k" + std::to_string(i));
  return keys;
}
// Keys that all write.
inline std::vector<std::string> shared_keys() {
  return keys_of("shared");
}
inline bool is_shared(std::string_view key) {
  return key.starts_with("shared:");
}

inline CacheOptions cache_options(const std::string& directory, std::shared_ptr<Store> store) {
  using std::chrono::milliseconds;
  CacheOptions options;
  options.project = kProject;
  options.directory = directory;
  options.store = std::move(store);
  options.memory = {.max_bytes = 256 << 10, .ttl = milliseconds(100)};
  options.files.sync_every = milliseconds(150);
  options.journal.segment_bytes = 32 << 10;
  options.store_calls = {.call_timeout = milliseconds(1'000),
                         .batch_items = 20,
                         .retry_first = milliseconds(20),
                         .retry_cap = milliseconds(300)};
  return options;
}

inline DatasetOptions<JsonText> dataset_options() {
  return {.keyed = true, .fresh_for = ttl::kDay, .stale_for = 365 * ttl::kDay};
}

}  // namespace tiercache::testing
