// After a failed sync of the files nothing that it covered counts as written (docs/decisions/0015).
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kSeeds = 20;

void fail_sync_all(World& world) {
  world.disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "sync_all" ? EIO : 0;
  });
}

// Several files: a failed sync may well have written the one or the other.
constexpr int kSyncedKeys = 20;

void put_all(Dataset<JsonText>& data, const std::string& document) {
  for (int i = 0; i < kSyncedKeys; ++i) data.put(std::to_string(i), document);
}

void expect_all(Dataset<JsonText>& data, const std::string& document) {
  for (int i = 0; i < kSyncedKeys; ++i) {
    const auto snapshot = data.get(std::to_string(i));
    ASSERT_TRUE(snapshot.has_value()) << i;
    EXPECT_EQ(*snapshot, document) << i;
  }
}

// What holds no live record may be deleted at any time.
enum class Segments : std::uint8_t { stay, are_deleted };

// What is read after a power loss of each seed, with the store away.
void expect_after_power_loss(World& world, Segments segments,
                             const std::function<void(Dataset<JsonText>&)>& expect) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE("power loss of seed " + std::to_string(seed));
    const auto disk = world.disk.after_power_loss(seed);
    for (const std::string& path : disk->files()) {
      if (segments == Segments::are_deleted && path.ends_with(".seg")) disk->remove(path);
    }
    SeededExecutor executor(world.clock, seed);
    CacheOptions options;
    options.project = "test";
    options.directory = "/cache";
    options.ports = {.clock = world.clock,
                     .executor = std::shared_ptr<SeededExecutor>(&executor, [](auto*) {}),
                     .file_system = disk->boot()};
    options.seed = 1000 + seed;
    Cache cache(std::move(options));
    auto data = cache.dataset("d", keyed_stale());
    expect(data);
    executor.shutdown(world.clock->steady_now());
  }
}

// The failed sync was that of a matching erase's tombstones.
TEST(FailedSync, flush_after_the_disk_works_again_brings_all_to_the_store) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  fail_sync_all(world);
  data.erase_matching("*");
  world.disk.set_fault({});
  data.put("k", "2");
  EXPECT_TRUE(cache->flush());
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "2");
}

TEST(FailedSync, files_are_written_anew_from_the_journal_before_the_next_sync_counts_I1) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  ASSERT_TRUE(cache->flush());
  fail_sync_all(world);
  put_all(data, "1");
  world.executor->run_for(30s);
  EXPECT_EQ(cache->stats().outbox_depth, 0u);
  EXPECT_EQ(cache->stats().journal_live_records, kSyncedKeys) << "no file is synced";
  EXPECT_FALSE(cache->health().files.working);
  for (const std::string& path : world.disk.files()) {  // its pages were evicted
    if (path.find("/data/") != std::string::npos) world.disk.write(path, "");
  }
  world.disk.set_fault({});
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(cache->stats().journal_live_records, 0u) << "only the files have them now";
  expect_after_power_loss(world, Segments::are_deleted,
                          [](Dataset<JsonText>& after) { expect_all(after, "1"); });
}

TEST(FailedSync, file_that_cannot_be_written_anew_keeps_the_journal_I1) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  put_all(data, "0");
  ASSERT_TRUE(cache->flush());
  fail_sync_all(world);
  put_all(data, "1");
  world.executor->run_for(30s);
  world.disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "write_at" && path.find("/tmp/") != std::string::npos ? ENOSPC : 0;
  });
  EXPECT_FALSE(cache->flush());
  EXPECT_EQ(cache->stats().journal_live_records, kSyncedKeys);
  expect_after_power_loss(world, Segments::stay,
                          [](Dataset<JsonText>& after) { expect_all(after, "1"); });
  world.disk.set_fault({});
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(cache->stats().journal_live_records, 0u);
  expect_after_power_loss(world, Segments::are_deleted,
                          [](Dataset<JsonText>& after) { expect_all(after, "1"); });
}

TEST(FailedSync, files_are_written_anew_from_what_can_be_read_where_the_journal_cannot_I1) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  ASSERT_TRUE(cache->flush());
  fail_sync_all(world);
  put_all(data, "1");
  world.executor->run_for(30s);
  ASSERT_EQ(cache->stats().outbox_depth, 0u);
  world.disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "read_at" && path.ends_with(".seg") ? EIO : 0;
  });
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(cache->stats().journal_live_records, 0u);
  world.disk.set_fault({});
  expect_after_power_loss(world, Segments::are_deleted,
                          [](Dataset<JsonText>& after) { expect_all(after, "1"); });
}

// The journal has let go of the content, and holds the clocks alone.
TEST(FailedSync, moved_clocks_are_written_anew_without_a_record_of_the_content_I1) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  put_all(data, "1");
  ASSERT_TRUE(cache->flush());
  ASSERT_EQ(cache->stats().journal_live_records, 0u);
  fail_sync_all(world);
  world.clock->advance(1s);
  for (int i = 0; i < kSyncedKeys; ++i) data.invalidate(std::to_string(i));
  world.executor->run_for(30s);
  ASSERT_EQ(cache->stats().outbox_depth, 0u);
  ASSERT_EQ(cache->stats().journal_live_records, kSyncedKeys);
  world.disk.set_fault({});
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(cache->stats().journal_live_records, 0u);
  expect_after_power_loss(world, Segments::are_deleted, [](Dataset<JsonText>& after) {
    expect_all(after, "1");
    for (int i = 0; i < kSyncedKeys; ++i) {
      EXPECT_EQ(after.get(std::to_string(i)).freshness(), Freshness::stale) << i;
    }
  });
}

}  // namespace
}  // namespace tiercache::testing
