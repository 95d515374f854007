// A disk that will not read the journal of a stopped cache when the next one is opened.
#include <gtest/gtest.h>

#include <cerrno>
#include <climits>
#include <memory>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

class Adoption : public ::testing::Test {
 protected:
  // One write in its file, and a later one that only the journal of the dead has.
  Adoption() {
    world_.store_down();
    auto cache = world_.open();
    auto data = cache->dataset("d", keyed());
    data.put("k", "1");
    world_.executor->run_for(10s);
    data.put("k", "2");
    world_.kill(cache);
  }
  ~Adoption() override {
    world_.disk.set_fault({});
    if (cache_) world_.kill(cache_);
  }

  // The journal's folders cannot be read, as often as said.
  void refuse(const std::string& operation, int times) {
    world_.disk.set_fault([=, left = std::make_shared<int>(times)](const std::string& met,
                                                                   const std::string& path) {
      const bool in_a_folder = path.starts_with("/cache/journal/") && !path.ends_with("adopting");
      return met == operation && in_a_folder && (*left)-- > 0 ? EIO : 0;
    });
  }
  void open() {
    cache_ = world_.open();
    data_.emplace(cache_->dataset("d", keyed()));
  }
  std::string local() {
    const auto snapshot = data_->get("k", {.reach = Reach::local});
    return snapshot.has_value() ? *snapshot : "nothing";
  }

  World world_;
  std::unique_ptr<Cache> cache_;
  std::optional<Dataset<JsonText>> data_;
};

TEST_F(Adoption, disk_that_reads_again_in_time_serves_what_was_acknowledged_I1) {
  for (const std::string operation : {"list", "read_file"}) {
    SCOPED_TRACE(operation);
    refuse(operation, 20);
    open();
    EXPECT_EQ(local(), "2");
    EXPECT_TRUE(cache_->health().journal.working);
    world_.kill(cache_);
    data_.reset();
  }
}

TEST_F(Adoption, disk_that_goes_on_refusing_is_told_until_it_reads_again_I1) {
  for (const std::string operation : {"list", "read_file"}) {
    SCOPED_TRACE(operation);
    refuse(operation, INT_MAX);
    open();
    EXPECT_EQ(local(), "1");
    EXPECT_FALSE(cache_->health().journal.working);
    EXPECT_NE(cache_->health().journal.why.find("older values may be served"), std::string::npos)
        << cache_->health().journal.why;
    EXPECT_TRUE(data_->put("other", "1").journaled);
    EXPECT_FALSE(cache_->health().journal.working) << "a write that works says nothing of the old";
    world_.executor->run_for(1min);
    EXPECT_FALSE(cache_->health().journal.working);
    world_.disk.set_fault({});
    world_.executor->run_for(10s);
    EXPECT_EQ(local(), "2");
    EXPECT_TRUE(cache_->health().journal.working) << cache_->health().journal.why;
    data_->put("k", "1");
    world_.executor->run_for(10s);
    data_->put("k", "2");
    world_.kill(cache_);
    data_.reset();
  }
}

// Beside a living cache that no shared counters tell of the other's writes: what it adopts is newer
// than what its memory holds, and trusts for minutes yet.
TEST(AdoptionWithoutCounters, memory_gives_way_to_what_a_dead_process_left_I4_I10) {
  World world;
  world.disk.set_remote(true);
  world.store_down();
  auto mine = world.open([](CacheOptions& options) { options.files.allow_remote = true; });
  auto data = mine->dataset("d", keyed());
  for (const std::string key : {"replaced", "erased", "kept"}) data.put(key, "1");
  world.executor->run_for(10s);

  const auto their_executor = std::make_shared<SeededExecutor>(world.clock, 99);
  CacheOptions options;
  options.project = "test";
  options.directory = "/cache";
  options.store = world.store;
  options.files.allow_remote = true;
  options.ports = {
      .clock = world.clock, .executor = their_executor, .file_system = world.disk.boot()};
  options.seed = 99;
  auto theirs = std::make_unique<Cache>(options);
  auto their_data = theirs->dataset("d", keyed());
  their_data.put("replaced", "2");
  their_data.erase_matching("er*");
  world.disk.kill();
  their_executor->shutdown(world.clock->steady_now());
  theirs.reset();

  const auto local = [&](const std::string& key) {
    const auto snapshot = data.get(key, {.reach = Reach::local});
    return snapshot.has_value() ? *snapshot : "nothing";
  };
  ASSERT_EQ(local("replaced") + local("erased") + local("kept"), "111");
  world.executor->run_for(10s);
  EXPECT_EQ(local("replaced"), "2");
  EXPECT_EQ(local("erased"), "nothing");
  EXPECT_EQ(local("kept"), "1");
  EXPECT_EQ(data.get("kept").tier(), Tier::memory);
}

}  // namespace
}  // namespace tiercache::testing
