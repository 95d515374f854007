// How long an entry is fresh, stale, and served at all, to the millisecond.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kForEver = milliseconds::max();

class Lifetimes : public ::testing::Test {
 protected:
  // Rows of the store alone, which a read brings here.
  Dataset<JsonText> open(DatasetOptions<JsonText> options) {
    options.keyed = true;
    options.hydrate = Hydrate::none();
    cache = world.open();
    return cache->dataset("d", options);
  }
  // `clocks`: the last fetch, the last rich one, the invalidation.
  void put_row(const std::string& key, const Clocks& clocks) {
    Entry entry;
    entry.version.time = 5 << Version::kCounterBits;
    entry.document = std::make_shared<const std::string>("1");
    entry.checksum = Checksum::of("1");
    entry.clocks = clocks;
    world.store->put_row("test", {"d", key}, entry);
  }
  WallTime now() const { return world.clock->wall_now(); }

  World world;
  std::unique_ptr<Cache> cache;
};

TEST_F(Lifetimes, entry_is_fresh_then_stale_then_gone) {
  auto data = open({.fresh_for = 10s, .stale_for = 5s});
  data.put("k", "1");
  world.clock->advance(10s - 1ms);
  EXPECT_EQ(data.get("k").freshness(), Freshness::fresh);
  EXPECT_EQ(data.get("k").age(), 10s - 1ms);
  world.clock->advance(1ms);
  EXPECT_EQ(data.get("k").freshness(), Freshness::stale);
  world.clock->advance(5s - 1ms);
  EXPECT_EQ(data.get("k").freshness(), Freshness::stale);
  world.clock->advance(1ms);
  EXPECT_FALSE(data.get("k").has_value());
}

TEST_F(Lifetimes, caller_may_allow_less_staleness_or_more) {
  auto data = open({.fresh_for = 10s, .stale_for = 5s});
  data.put("k", "1");
  const auto served = [&](std::optional<milliseconds> max_stale) {
    return data.get("k", {.max_stale = max_stale}).has_value();
  };
  world.clock->advance(10s - 1ms);
  EXPECT_TRUE(served(0ms));
  EXPECT_TRUE(served(-1h)) << "what is fresh is served in any case";
  world.clock->advance(1ms);
  EXPECT_FALSE(served(0ms));
  EXPECT_TRUE(served(1ms));
  world.clock->advance(2s);
  EXPECT_FALSE(served(2s));
  EXPECT_TRUE(served(2s + 1ms));
  world.clock->advance(3s - 1ms);
  EXPECT_EQ(data.get("k", {.max_stale = 2min}).freshness(), Freshness::stale);
  world.clock->advance(1ms);
  EXPECT_EQ(data.get("k", {.max_stale = 2min}).freshness(), Freshness::expired);
  world.clock->advance(1min);
  EXPECT_FALSE(served({}));
  EXPECT_TRUE(served(2min));
  EXPECT_TRUE(served(kForEver));
}

TEST_F(Lifetimes, lifetimes_without_end_are_no_overflow) {
  cache = world.open([](CacheOptions& options) { options.memory.ttl = kForEver; });
  auto data = cache->dataset("d", {.keyed = true, .fresh_for = 1s, .stale_for = kForEver});
  data.put("stale", "1");
  data.put("fresh", "1", {.fresh_for = kForEver});
  world.clock->advance(24h * 365);
  EXPECT_EQ(data.get("stale").freshness(), Freshness::stale);
  EXPECT_EQ(data.get("fresh").freshness(), Freshness::fresh);
  EXPECT_EQ(data.get("fresh").tier(), Tier::memory) << "trusted all that time";
}

TEST_F(Lifetimes, without_a_lifetime_or_a_schedule_it_is_five_minutes) {
  auto data = open({.stale_for = 1h});
  data.put("k", "1");
  world.clock->advance(5min - 1ms);
  EXPECT_EQ(data.get("k").freshness(), Freshness::fresh);
  world.clock->advance(1ms);
  EXPECT_EQ(data.get("k").freshness(), Freshness::stale);
}

TEST_F(Lifetimes, clock_that_is_ahead_is_believed_for_a_minute) {
  auto data = open({.fresh_for = 10s, .stale_for = 1h});
  put_row("believed", {now() + 1min, {}, {}});
  put_row("not", {now() + 1min + 1ms, {}, {}});
  put_row("none", {});
  EXPECT_EQ(data.get("believed").freshness(), Freshness::fresh);
  EXPECT_EQ(data.get("believed").age(), 0ms);
  EXPECT_EQ(data.get("not").freshness(), Freshness::stale);
  EXPECT_EQ(data.get("not").age(), 10s) << "as old as what has just become stale";
  EXPECT_EQ(data.get("none").freshness(), Freshness::stale);
  EXPECT_EQ(data.info("believed")->last_fetch, now() + 1min);
  EXPECT_EQ(data.get("believed").clocks().last_fetch, now() + 1min);
  EXPECT_EQ(data.get("not").clocks().last_fetch, std::nullopt);
}

TEST_F(Lifetimes, rich_fetch_of_a_clock_that_is_ahead_is_not_believed_either) {
  auto data = open({.fresh_for = 10s, .stale_for = 1h});
  put_row("believed", {now(), now() + 1min, {}});
  put_row("not", {now(), now() + 1min + 1ms, {}});
  ASSERT_TRUE(data.get("believed").has_value());
  ASSERT_TRUE(data.get("not").has_value());
  EXPECT_EQ(data.info("believed")->last_rich_fetch, now() + 1min);
  EXPECT_EQ(data.info("not")->last_rich_fetch, std::nullopt);
}

TEST_F(Lifetimes, what_was_fetched_when_it_was_invalidated_is_stale_and_what_came_later_is_not) {
  auto data = open({.fresh_for = 10s, .stale_for = 1h});
  put_row("before", {now() - 1ms, {}, now()});
  put_row("with", {now(), {}, now()});
  put_row("after", {now(), {}, now() - 1ms});
  put_row("unfetched", {{}, {}, now()});
  EXPECT_EQ(data.get("before").freshness(), Freshness::stale);
  EXPECT_EQ(data.get("with").freshness(), Freshness::stale);
  EXPECT_EQ(data.get("after").freshness(), Freshness::fresh);
  EXPECT_EQ(data.get("unfetched").freshness(), Freshness::stale);
}

TEST_F(Lifetimes, invalidation_by_a_clock_that_is_ahead_counts_from_now) {
  auto data = open({.fresh_for = 10s, .stale_for = 1h});
  put_row("believed", {now(), {}, now() + 1min});
  put_row("not", {now(), {}, now() + 1min + 1ms});
  put_row("later", {now() + 30s, {}, now() + 2min});
  EXPECT_EQ(data.get("believed").freshness(), Freshness::stale);
  EXPECT_EQ(data.get("not").freshness(), Freshness::stale);
  EXPECT_EQ(data.get("later").freshness(), Freshness::stale);
  EXPECT_EQ(data.get("believed").clocks().invalidated_at, now() + 1min);
  EXPECT_EQ(data.get("not").clocks().invalidated_at, now());
  EXPECT_EQ(data.get("later").clocks().invalidated_at, now() + 30s);
}

TEST_F(Lifetimes, max_stale_of_what_was_invalidated_counts_from_then_however_often_it_is_read) {
  auto data = open({.fresh_for = 2h, .stale_for = 0s});
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  data.invalidate("k");
  for (int minute = 0; minute < 30; ++minute) {
    world.executor->run_for(1min);
    if (minute % 10 == 0) cache = nullptr;
    if (!cache) {
      cache = world.open();
      data = open({.fresh_for = 2h, .stale_for = 0s});
    }
    EXPECT_EQ(data.get("k", {.max_stale = 10min}).has_value(), minute < 9) << minute;
    EXPECT_TRUE(data.get("k").has_value()) << "it goes on being served until it would be stale";
  }
}

TEST_F(Lifetimes, invalidation_makes_nothing_less_stale_than_it_was) {
  auto data = open({.fresh_for = 10s, .stale_for = 1h});
  data.put("k", "1");
  world.clock->advance(1min);
  data.invalidate("k");
  EXPECT_FALSE(data.get("k", {.max_stale = 10s}).has_value());
  EXPECT_TRUE(data.get("k").has_value());
}

}  // namespace
}  // namespace tiercache::testing
