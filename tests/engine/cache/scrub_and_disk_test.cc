// `scrub` where the disk refuses, or the process dies right behind it.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

// "k" is confirmed, and in memory; nothing else touches it.
class ScrubAndDisk : public ::testing::Test {
 protected:
  ScrubAndDisk() {
    open();
    data().put("k", "1");
    EXPECT_TRUE(cache->flush());
    cache->close();
    open();  // so that the journal has it no more
    EXPECT_EQ(*data().get("k"), "1");
  }
  void open() {
    cache = world.open([](CacheOptions& options) { options.store_calls.poll_every = 0ms; });
    data();
  }
  Dataset<JsonText> data() {
    return cache->dataset(
        "d", {.keyed = true, .fresh_for = 24h, .stale_for = 24h, .hydrate = Hydrate::none()});
  }
  void damage_the_file() {
    for (const std::string& path : world.disk.files()) {
      if (path.find("/data/") != std::string::npos) world.disk.write(path, "rubbish");
    }
  }

  World world;
  std::unique_ptr<Cache> cache;
};

TEST_F(ScrubAndDisk, file_written_from_memory_is_there_though_the_process_dies_right_behind_it_I9) {
  damage_the_file();
  world.store_down();
  EXPECT_EQ(cache->scrub({.repair = true}).repaired, 1u);
  world.kill(cache);
  open();
  const auto snapshot = data().get("k", {.reach = Reach::local});
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(*snapshot, "1");
}

TEST_F(ScrubAndDisk, sync_that_fails_leaves_it_incomplete_and_is_told_I13) {
  damage_the_file();
  world.disk.set_fault([](const std::string& operation, const std::string&) {
    return operation.starts_with("sync") ? EIO : 0;
  });
  const ScrubReport report = cache->scrub({.repair = true});
  EXPECT_FALSE(report.complete);
  EXPECT_EQ(report.why, "the disk did not take what was mended for good");
  world.disk.set_fault({});
}

TEST_F(ScrubAndDisk, row_that_the_journal_does_not_take_is_not_mended_I13) {
  Entry row = *world.store->row("test", {"d", "k"});
  row.version.time -= 1000;
  world.store->put_row("test", {"d", "k"}, row);
  world.disk.set_fault([](const std::string& operation, const std::string& path) {
    return !operation.starts_with("read") && path.find("/journal/") != std::string::npos ? ENOSPC
                                                                                         : 0;
  });
  const ScrubReport report = cache->scrub({.repair = true});
  EXPECT_EQ(report.store_behind, 1u);
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(report.repaired, 0u);
  EXPECT_EQ(report.why, "the journal did not take a write");
  world.disk.set_fault({});
}

}  // namespace
}  // namespace tiercache::testing
