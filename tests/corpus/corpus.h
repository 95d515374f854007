// What the corpus of files holds: written once by the version that froze the formats, read by every
// later one (docs/formats/README.md).
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "tiercache/testing/manual_clock.h"
#include "tiercache/testing/memory_store.h"
#include "tiercache/testing/seeded_executor.h"
#include "tiercache/tiercache.h"

namespace tiercache::corpus {

using namespace std::chrono_literals;

// 2026-11-21 12:00:00 UTC, when all of it was written.
inline constexpr WallTime kWritten{std::chrono::milliseconds(1'795'262'400'000)};

inline const std::string kLongKey = "long:" + std::string(300, 'k') + "é";
inline const std::string kOddKey = "../odd key/%\"\\ü";
inline const std::string kPlain = R"({"name":"plain","km":12.5})";
inline const std::string kWithMetadata = R"([1,2.50,"three",null,true])";
inline const std::string kRefused = R"({"refused":true})";

inline DatasetOptions<JsonText> documents() {
  return {.keyed = true, .fresh_for = 1h, .stale_for = 24h, .hydrate = Hydrate::none()};
}
inline DatasetOptions<JsonText> single() {
  return {.fresh_for = 1h, .hydrate = Hydrate::none()};
}

// One machine in one thread over a directory on the real disk, its store in memory.
class Machine {
 public:
  explicit Machine(std::filesystem::path directory) : directory_(std::move(directory)) {
    clock->set_wall(kWritten);
    store = std::make_shared<testing::MemoryStore>(clock);
    store->set_limits({});
  }
  ~Machine() {
    if (executor) executor->shutdown(clock->steady_now());
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  std::unique_ptr<Cache> open() {
    executor = std::make_shared<testing::SeededExecutor>(clock, 1);
    CacheOptions options;
    options.project = "corpus";
    options.directory = directory_;
    options.journal.segment_bytes = 16 << 10;
    options.store = store;
    options.ports = {.clock = clock, .executor = executor, .file_system = {}};
    options.seed = 1;
    return std::make_unique<Cache>(std::move(options));
  }

  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  std::shared_ptr<testing::SeededExecutor> executor;
  std::shared_ptr<testing::MemoryStore> store;

 private:
  std::filesystem::path directory_;
};

}  // namespace tiercache::corpus
