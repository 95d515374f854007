// The cursor of the change feed that a directory keeps vouches for the files that are there.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

// A machine whose feed has kept a cursor and whose journal is empty. Files are brought to the disk
// for the cursor alone, and the feed is slower than readers.
class KeptCursor : public ::testing::Test {
 protected:
  KeptCursor() {
    cache->dataset("d", options).put("k", "1");
    EXPECT_TRUE(cache->flush());
    cache->close();
    cache = world.open([](CacheOptions& adjusted) {
      adjusted.files.sync_every = 240h;
      adjusted.store_calls.poll_every = 20s;
    });
    world.executor->run_for(30s);
  }

  // Opened anew, it asks the feed from the cursor on that was kept.
  std::string served_by_the_next() {
    world.disk.set_fault({});
    cache = world.open();
    auto data = cache->dataset("d", options);
    world.executor->run_for(2s);
    const auto snapshot = data.get("k", {.reach = Reach::local});
    return snapshot ? *snapshot : "nothing";
  }
  std::string cursor() const {
    std::string bytes;
    EXPECT_TRUE(world.disk.read("/cache/changes", &bytes));
    return bytes;
  }
  void until_the_next_is_kept() {
    const std::string before = cursor();
    ASSERT_TRUE(world.run_until([&] { return cursor() != before; }, 1min));
  }
  enum class Removal { possible, refused };
  // None can be written; the cursor can.
  void refuse_entry_files(Removal removal) {
    world.disk.set_fault([removal](const std::string& operation, const std::string& path) {
      if (path.find("/tmp/") != std::string::npos) return ENOSPC;
      const bool removes = operation == "remove_file" && path.find("/data/") != std::string::npos;
      return removes && removal == Removal::refused ? EROFS : 0;
    });
  }

  World world;
  const DatasetOptions<JsonText> options = {
      .keyed = true, .fresh_for = 24h, .stale_for = 24h, .hydrate = Hydrate::none()};
  std::unique_ptr<Cache> cache = world.open();
};

TEST_F(KeptCursor, older_file_that_gave_way_to_a_row_is_gone_for_good_before_it_I4_I10) {
  refuse_entry_files(Removal::possible);
  world.write_elsewhere("k", std::nullopt);
  world.executor->run_for(1min);  // the tombstone is in memory alone, so the cursor waits for it
  ASSERT_EQ(world.entry_files(), 0u);
  ASSERT_TRUE(world.disk.boot()->sync_directory("/cache").ok());  // the system may do so any time
  world.lose_power(cache, 0);
  EXPECT_EQ(served_by_the_next(), "nothing");
}

TEST_F(KeptCursor, row_that_only_memory_took_is_told_again_after_a_kill_I10) {
  auto data = cache->dataset("d", options);
  ASSERT_EQ(*data.get("k"), "1");
  refuse_entry_files(Removal::refused);
  world.write_elsewhere("k", "2");
  world.executor->run_for(1min);
  EXPECT_EQ(*data.peek("k"), "2");
  world.kill(cache);
  EXPECT_EQ(served_by_the_next(), "2");
}

TEST_F(KeptCursor, row_of_a_dataset_that_nobody_opened_is_told_again_after_a_kill_I10) {
  refuse_entry_files(Removal::refused);
  world.write_elsewhere("k", "2");
  world.executor->run_for(1min);
  world.kill(cache);
  EXPECT_EQ(served_by_the_next(), "2");
}

}  // namespace
}  // namespace tiercache::testing
