// A cache whose directory somebody deletes under it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/cache/timed_log.h"
#include "engine/cache/world.h"

namespace tiercache::testing {

inline std::string large(int i) {
  return '"' + std::string(400, static_cast<char>('a' + i % 26)) + '"';
}

class DeletedDirectory : public ::testing::Test {
 protected:
  ~DeletedDirectory() override {
    if (cache_) world_.kill(cache_);
  }

  void open(const std::function<void(CacheOptions&)>& adjust = {}) {
    data_.reset();
    cache_ = world_.open(adjust);
    data_.emplace(cache_->dataset("d", keyed()));
  }
  void reopen(const std::function<void(CacheOptions&)>& adjust = {}) {
    world_.kill(cache_);
    open(adjust);
  }
  void recover() {
    world_.executor->run_for(10s);
    const Health health = cache_->health();
    EXPECT_TRUE(health.files.working) << health.files.why;
    EXPECT_TRUE(health.journal.working) << health.journal.why;
  }
  std::string local(const std::string& key) {
    const auto snapshot = data_->get(key, {.reach = Reach::local});
    return snapshot.has_value() ? *snapshot : "nothing";
  }
  std::string in_store(const std::string& key) const {
    const EntryPtr row = world_.store->row("test", {"d", key});
    if (!row) return "no row";
    return row->document ? *row->document : "tombstone";
  }
  std::shared_ptr<FileSystem> other_process() { return world_.disk.boot(); }
  std::size_t slots_taken() {
    std::vector<DirectoryItem> items;
    other_process()->list("/cache/locks", &items);
    return static_cast<std::size_t>(
        std::count_if(items.begin(), items.end(), [&](const auto& item) {
          std::unique_ptr<FileLock> lock;
          return item.name.starts_with("open-") &&
                 other_process()->try_lock("/cache/locks/" + item.name, &lock).error == EAGAIN;
        }));
  }

  World world_;
  std::shared_ptr<TimedLog> log_ = std::make_shared<TimedLog>(world_.clock);
  std::unique_ptr<Cache> cache_;
  std::optional<Dataset<JsonText>> data_;
};

inline constexpr auto kWithoutStore = [](CacheOptions& options) { options.store = nullptr; };
// Little memory and small segments: what was written a while ago is in the directory alone.
inline constexpr auto kLittleMemory = [](CacheOptions& options) {
  options.memory.max_bytes = 24'000;
  options.journal.segment_bytes = 16'384;
};

}  // namespace tiercache::testing
