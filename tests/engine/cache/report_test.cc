// `stats`: each figure counts what it says, once (I13).
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

class StatsTest : public ::testing::Test {
 protected:
  DatasetOptions<JsonText> sourced() {
    return {.keyed = true,
            .fresh_for = 1min,
            .stale_for = 1h,
            .soft_timeout = soft,
            .retry_first = 1ms,
            .hydrate = Hydrate::none(),
            .refresh = [this](RefreshContext& context) { return answer(context); }};
  }
  Dataset<JsonText> open(const std::function<void(CacheOptions&)>& adjust = {}) {
    if (cache) cache->close();
    cache = world.open(adjust);
    return cache->dataset("d", sourced());
  }
  DatasetStats of_dataset() const { return cache->stats().datasets.at(0); }
  static std::uint64_t hits(const DatasetStats& stats) {
    return stats.memory_hits + stats.file_hits + stats.store_hits + stats.source_hits;
  }

  World world;
  std::unique_ptr<Cache> cache;
  std::chrono::milliseconds soft{0};
  std::function<RefreshAnswer<std::string>(RefreshContext&)> answer = [](RefreshContext&) {
    return RefreshAnswer<std::string>("1");
  };
};

TEST_F(StatsTest, reads_are_counted_by_the_tier_that_served_I13) {
  auto data = open();
  EXPECT_EQ(data.get("k").tier(), Tier::source);
  EXPECT_EQ(data.get("k").tier(), Tier::memory);
  EXPECT_EQ(of_dataset().source_hits, 1u);
  EXPECT_EQ(of_dataset().memory_hits, 1u);
  EXPECT_EQ(of_dataset().read_latency.count, 1u) << "memory's own are not timed";
  ASSERT_TRUE(cache->flush());

  data = open();
  EXPECT_EQ(data.get("k").tier(), Tier::files);
  EXPECT_EQ(of_dataset().file_hits, 1u);
  EXPECT_EQ(of_dataset().read_latency.count, 1u);
  EXPECT_EQ(hits(of_dataset()), 1u);

  cache->close();
  world.wipe();
  data = open();
  EXPECT_EQ(data.get("k").tier(), Tier::store);
  EXPECT_EQ(of_dataset().store_hits, 1u);
  EXPECT_EQ(hits(of_dataset()), 1u);
  EXPECT_FALSE(data.get("none", {.reach = Reach::store}).has_value());
  EXPECT_EQ(of_dataset().misses, 1u);
  EXPECT_EQ(hits(of_dataset()), 1u);
}

TEST_F(StatsTest, stale_hit_is_counted_as_such_and_the_look_behind_it_as_none_I13) {
  auto data = open();
  data.put("k", "0");
  world.executor->run_for(2min);
  EXPECT_EQ(data.get("k").freshness(), Freshness::stale);
  world.executor->run_for(1s);
  EXPECT_EQ(of_dataset().stale_served, 1u);
  EXPECT_EQ(of_dataset().memory_hits, 1u);
  EXPECT_EQ(of_dataset().refreshes, 1u);
  EXPECT_EQ(data.get("k").freshness(), Freshness::fresh);
  EXPECT_EQ(of_dataset().stale_served, 1u);
  EXPECT_EQ(hits(of_dataset()), 2u);
  EXPECT_EQ(of_dataset().misses, 0u);
}

TEST_F(StatsTest, read_that_did_not_wait_for_the_source_is_counted_once_I13) {
  soft = 100ms;
  answer = [this](RefreshContext&) {
    world.executor->sleep_for(10s);
    return RefreshAnswer<std::string>("1");
  };
  auto data = open();
  data.put("k", "0");
  world.executor->run_for(2min);
  bool answered = false;
  data.get_async("k", {.deadline = 1min}, [&](const auto& snapshot) {
    EXPECT_EQ(snapshot.freshness(), Freshness::stale);
    EXPECT_EQ(cache->stats().refresh_running, 1u);
    answered = true;
  });
  ASSERT_TRUE(world.run_until([&] { return answered; }, 1min));
  world.executor->run_for(5min);
  EXPECT_EQ(cache->stats().refresh_running, 0u);
  EXPECT_EQ(hits(of_dataset()), 1u);
  EXPECT_EQ(of_dataset().stale_served, 1u);
}

TEST_F(StatsTest, refreshes_are_counted_by_what_they_brought_I13) {
  auto data = open();
  data.refresh("k");
  data.refresh("k");
  EXPECT_EQ(of_dataset().unchanged, 1u);
  answer = [](RefreshContext&) -> RefreshAnswer<std::string> { return NotModified{}; };
  data.refresh("k");
  EXPECT_EQ(of_dataset().not_modified, 1u);
  answer = [](RefreshContext&) -> RefreshAnswer<std::string> { return NotFound{}; };
  data.refresh("other");
  EXPECT_EQ(of_dataset().not_found, 1u);
  answer = [](RefreshContext&) -> RefreshAnswer<std::string> { throw std::runtime_error("down"); };
  data.refresh("k");
  EXPECT_EQ(of_dataset().refresh_failures, 1u);
  EXPECT_EQ(of_dataset().refreshes, 5u);
}

TEST_F(StatsTest, scheduled_refreshes_tell_how_late_they_began) {
  cache = world.open();
  cache->dataset("d", {.refresh_every = 1h, .refresh_jitter = 0ms, .refresh = [](RefreshContext&) {
                         return std::string("1");
                       }});
  ASSERT_TRUE(cache->warm_up());
  world.executor->run_for(2h + 1min);
  EXPECT_GE(of_dataset().refresh_lateness.count, 2u);
}

TEST_F(StatsTest, each_of_many_puts_counts) {
  auto data = open();
  using Values = std::vector<std::pair<std::string, std::string>>;
  data.put_many(Values{{"a", "1"}, {"b", "2"}, {"c", "3"}});
  EXPECT_EQ(of_dataset().puts, 3u);
}

TEST_F(StatsTest, writes_are_counted_and_timed) {
  auto data = open();
  data.put("a", "1");
  data.put("b", "2");
  data.erase("a");
  EXPECT_EQ(of_dataset().puts, 2u);
  EXPECT_EQ(of_dataset().erases, 1u);
  const Stats stats = cache->stats();
  EXPECT_EQ(stats.put_latency.count, 3u);
  EXPECT_EQ(stats.outbox_depth, 2u);
  EXPECT_GT(stats.files_waiting, 0u);
  EXPECT_GT(stats.memory_bytes_pinned, 0u);
  EXPECT_GT(stats.memory_bytes_charged, 0u);
  EXPECT_GT(stats.journal_live_records, 0u);
  EXPECT_GT(stats.journal_live_bytes, 0u);
  EXPECT_GE(stats.journal_disk_bytes, stats.journal_live_bytes);
  EXPECT_GT(stats.journal_segments, 0u);
  EXPECT_GT(stats.journal_syncs, 0u);
  EXPECT_GE(stats.journal_records_synced, 3u);
  ASSERT_TRUE(cache->flush());
  const Stats flushed = cache->stats();
  EXPECT_EQ(flushed.files_waiting, 0u);
  EXPECT_EQ(flushed.memory_bytes_pinned, 0u);
  EXPECT_EQ(flushed.outbox_depth, 0u);
  EXPECT_EQ(of_dataset().keys, 1u) << "no tombstones";
  EXPECT_EQ(flushed.files_entries, 2u);
  EXPECT_GT(flushed.files_bytes, 0u);
}

TEST_F(StatsTest, calls_of_the_store_are_counted_by_what_they_were_I13) {
  auto data = open();
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  data.get("none", {.reach = Reach::store});
  world.executor->run_for(10h);
  const Stats stats = cache->stats();
  const auto calls = [&](const char* operation) { return world.store->calls(operation); };
  EXPECT_EQ(stats.store_loads, calls("load"));
  EXPECT_EQ(stats.store_saves, calls("save"));
  EXPECT_EQ(stats.store_polls, calls("changes"));
  EXPECT_EQ(stats.store_purges, calls("purge"));
  EXPECT_GT(stats.store_loads, 0u);
  EXPECT_GT(stats.store_purges, 0u);
  EXPECT_EQ(stats.store_failures, 0u);
  EXPECT_GT(stats.store_latency.count, 0u);
  world.store_down();
  world.executor->run_for(1min);
  EXPECT_GT(cache->stats().store_failures, 0u);
  EXPECT_GT(cache->stats().store_outages, 0u);
  EXPECT_GT(cache->stats().store_probes, 0u);
  for (int i = 0; i < 10; ++i) data.get("none", {.reach = Reach::store});
  EXPECT_GT(cache->stats().store_not_asked, 0u);
  EXPECT_EQ(cache->health().memory.last_worked, world.clock->wall_now());
}

TEST_F(StatsTest, row_that_a_write_overtook_is_a_refused_promotion) {
  world.write_elsewhere("k", "\"row\"");
  auto data = open([](CacheOptions& options) { options.store_calls.poll_every = 0ms; });
  world.store->on_call([&](const std::string& operation) {
    if (operation != "load") return;
    world.store->on_call({});
    data.put("k", "\"written meanwhile\"");
  });
  data.get("k", {.reach = Reach::store});
  EXPECT_EQ(cache->stats().memory_refused_promotions, 1u);
  EXPECT_EQ(*data.peek("k"), "\"written meanwhile\"");
}

TEST_F(StatsTest, memory_that_is_full_says_how_much_it_let_go) {
  auto data = open([](CacheOptions& options) { options.memory.max_bytes = 1 << 20; });
  for (int i = 0; i < 40; ++i) {
    data.put(std::to_string(i), '"' + std::string(100'000, 'x') + '"');
    ASSERT_TRUE(cache->flush());
  }
  EXPECT_GT(cache->stats().memory_evictions, 0u);
  EXPECT_LE(cache->stats().memory_bytes_charged, std::uint64_t{1} << 20);
}

TEST_F(StatsTest, file_that_the_disk_does_not_take_is_counted) {
  auto data = open();
  data.put("k", "1");
  world.disk.set_fault([](const std::string& operation, const std::string& path) {
    const bool writes = !operation.starts_with("read");
    return writes && path.find("/data/") != std::string::npos ? EIO : 0;
  });
  world.executor->run_for(1s);
  EXPECT_GT(cache->stats().files_failed_writes, 0u);
  world.disk.set_fault({});
}

}  // namespace
}  // namespace tiercache::testing
