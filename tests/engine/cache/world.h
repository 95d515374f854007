// A whole machine for a cache under test: clock, executor, disk and store that a test controls.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tiercache/testing/manual_clock.h"
#include "tiercache/testing/memory_file_system.h"
#include "tiercache/testing/memory_store.h"
#include "tiercache/testing/seeded_executor.h"
#include "tiercache/tiercache.h"

namespace tiercache::testing {

using namespace std::chrono_literals;

// Of dataset "d", the key that most tests write.
inline const EntryId kId{"d", "k"};
// One of many keys.
inline std::string key(std::uint64_t i) {
  return "k" + std::to_string(i);
}

// How datasets of many keys are opened where a test does not ask for something else: fresh for a
// day, and nothing comes from the store unless it is asked for.
inline DatasetOptions<JsonText> keyed() {
  return {.keyed = true, .fresh_for = 24h, .hydrate = Hydrate::none()};
}
// The same, served for another day once it is stale.
inline DatasetOptions<JsonText> keyed_stale() {
  return {.keyed = true, .fresh_for = 24h, .stale_for = 24h, .hydrate = Hydrate::none()};
}
// What the store has comes when the dataset is opened, as it does by default.
inline DatasetOptions<JsonText> hydrated() {
  return {.keyed = true, .fresh_for = 24h};
}
inline DatasetOptions<JsonText> hydrated_stale() {
  return {.keyed = true, .fresh_for = 24h, .stale_for = 24h};
}
// All of it.
inline DatasetOptions<JsonText> hydrated_whole() {
  return {.keyed = true, .fresh_for = 24h, .stale_for = 24h, .hydrate = Hydrate::all()};
}
// For tests that move time by months.
inline DatasetOptions<JsonText> keyed_for_a_year() {
  return {.keyed = true, .fresh_for = 24h * 365, .hydrate = Hydrate::none()};
}

class World {
 public:
  explicit World(std::uint64_t seed = 1) : seed_(seed) { store->set_limits({}); }

  ~World() { drop_tasks(); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Opens a cache on this world's disk and store; `adjust` may change the options.
  std::unique_ptr<Cache> open(const std::function<void(CacheOptions&)>& adjust = {}) {
    drop_tasks();
    executor = std::make_shared<SeededExecutor>(clock, ++seed_);
    CacheOptions options;
    options.project = "test";
    options.directory = "/cache";
    options.store = store;
    options.ports = {.clock = clock, .executor = executor, .file_system = disk.boot()};
    options.seed = ++seed_;
    if (adjust) adjust(options);
    return std::make_unique<Cache>(std::move(options));
  }
  // Another process on the same directory and store. It runs by the executor of the one that was
  // opened before.
  std::unique_ptr<Cache> open_beside() {
    CacheOptions options;
    options.project = "test";
    options.directory = "/cache";
    options.store = store;
    options.ports = {.clock = clock, .executor = executor, .file_system = disk.boot()};
    options.seed = ++seed_;
    return std::make_unique<Cache>(std::move(options));
  }
  // The process dies: nothing is flushed, nothing more is run.
  void kill(std::unique_ptr<Cache>& cache) {
    disk.kill();
    executor->shutdown(clock->steady_now());
    cache.reset();
  }
  void lose_power(std::unique_ptr<Cache>& cache, std::uint64_t seed) {
    disk.power_loss(seed);
    executor->shutdown(clock->steady_now());
    cache.reset();
  }
  // An ephemeral disk after a deploy: the directory is gone.
  void wipe() { disk.boot()->remove_tree("/cache"); }
  void store_down() {
    store->set_fault([](const std::string&) { return StoreFault::unavailable; });
  }
  void store_up() { store->set_fault({}); }
  // Another machine's write of a key of dataset "d", straight into the store; nullopt: it erases.
  void write_elsewhere(const std::string& key, const std::optional<std::string>& text) {
    Entry entry;
    const EntryPtr row = store->row("test", {"d", key});
    const auto now = static_cast<std::uint64_t>(clock->wall_now().time_since_epoch().count());
    entry.version.time = std::max(now << Version::kCounterBits, row ? row->version.time + 1 : 0);
    entry.version.writer = 7;
    entry.clocks.last_fetch = clock->wall_now();
    if (text) {
      entry.document = std::make_shared<const std::string>(*text);
      entry.checksum = Checksum::of(*text);
    } else {
      entry.kind = EntryKind::tombstone;
    }
    store->put_row("test", {"d", key}, std::move(entry));
  }
  bool run_until(const std::function<bool()>& done, std::chrono::nanoseconds limit = 1h) {
    return executor->run_until(done, limit);
  }
  // The entry files on disk.
  std::size_t entry_files() const {
    std::size_t count = 0;
    for (const std::string& path : disk.files()) {
      if (path.find("/data/") != std::string::npos) ++count;
    }
    return count;
  }

  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  std::shared_ptr<SeededExecutor> executor;
  MemoryDisk disk;
  std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>(clock);

 private:
  // Tasks hold their cache, which holds its executor: nobody will run them any more.
  void drop_tasks() {
    if (executor) executor->shutdown(clock->steady_now());
  }

  std::uint64_t seed_;
};

}  // namespace tiercache::testing
