// Hits of one key, for count_hits.sh to count their instructions: of an open cache, or of what one
// would write instead of it.
//
//     hits tiercache|naive COUNT DIRECTORY
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tiercache/tiercache.h"

namespace {

// A map behind a mutex. A hit copies a shared pointer and looks at the time.
class NaiveCache {
 public:
  void put(const std::string& key, std::string document) {
    const std::lock_guard lock(mutex_);
    entries_[key] = {std::make_shared<const std::string>(std::move(document)),
                     std::chrono::steady_clock::now() + std::chrono::hours(24)};
  }
  std::shared_ptr<const std::string> get(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    return std::chrono::steady_clock::now() < found->second.until ? found->second.document
                                                                  : nullptr;
  }

 private:
  struct Timed {
    std::shared_ptr<const std::string> document;
    std::chrono::steady_clock::time_point until;
  };
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Timed> entries_;
};

long hits_of_tiercache(long count, const char* directory) {
  tiercache::Cache cache({.project = "bench", .directory = directory});
  auto data = cache.dataset("d", tiercache::DatasetOptions<tiercache::JsonText>{
                                     .keyed = true, .fresh_for = std::chrono::hours(24)});
  data.put("key", R"({"a": 1})");
  cache.flush();
  long hits = 0;
  for (long i = 0; i < count; ++i) hits += data.get("key").has_value() ? 1 : 0;
  return hits;
}

long hits_of_naive(long count) {
  NaiveCache cache;
  cache.put("key", R"({"a": 1})");
  const std::string key = "key";
  long hits = 0;
  for (long i = 0; i < count; ++i) hits += cache.get(key) != nullptr ? 1 : 0;
  return hits;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: hits tiercache|naive COUNT DIRECTORY\n");
    return 2;
  }
  const long count = std::atol(argv[2]);
  const bool naive = std::string_view(argv[1]) == "naive";
  const long hits = naive ? hits_of_naive(count) : hits_of_tiercache(count, argv[3]);
  return hits == count ? 0 : 1;
}
