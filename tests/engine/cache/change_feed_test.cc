// What other machines write comes into memory and files by the store's change feed.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

// A cache that has "k" confirmed, and whose feed stands behind it.
class ChangeFeedBehind : public ::testing::Test {
 protected:
  ChangeFeedBehind() {
    data.put("k", "1");
    EXPECT_TRUE(cache->flush());
    world.executor->run_for(2s);
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
  Dataset<JsonText> data = cache->dataset("d", hydrated_whole());
};

TEST_F(ChangeFeedBehind, write_of_another_machine_is_in_memory_and_files_within_one_poll_I10) {
  world.write_elsewhere("k", "2");
  world.write_elsewhere("new", "3");
  EXPECT_EQ(*data.peek("k"), "1");
  world.executor->run_for(1s);
  EXPECT_EQ(*data.peek("k"), "2");
  world.store_down();
  EXPECT_EQ(*data.get("new"), "3");
}

TEST_F(ChangeFeedBehind, erase_of_another_machine_takes_the_entry_away_I4_I10) {
  world.write_elsewhere("k", std::nullopt);
  world.executor->run_for(1s);
  world.store_down();
  EXPECT_FALSE(data.get("k").has_value());
}

TEST_F(ChangeFeedBehind, invalidation_of_another_machine_makes_the_entry_stale_I10) {
  Entry moved = *world.store->row("test", {"d", "k"});
  moved.clocks.invalidated_at = world.clock->wall_now();
  world.store->put_row("test", {"d", "k"}, moved);
  world.executor->run_for(1s);
  EXPECT_EQ(data.get("k", {.reach = Reach::memory}).freshness(), Freshness::stale);
}

TEST(ChangeFeed, what_was_erased_while_the_cache_was_closed_does_not_come_back_I4) {
  World world;
  auto cache = world.open();
  cache->dataset("d", hydrated_whole()).put("k", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.write_elsewhere("k", std::nullopt);
  cache = world.open();
  auto data = cache->dataset("d", hydrated_whole());
  world.executor->run_for(1s);
  world.store_down();
  EXPECT_FALSE(data.get("k").has_value());
}

TEST(ChangeFeed, start_after_a_kill_goes_on_from_the_cursor_that_was_kept_I10) {
  World world;
  auto cache = world.open();
  cache->dataset("d", hydrated_whole()).put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(30s);
  world.kill(cache);
  world.write_elsewhere("k", "2");
  const std::uint64_t loads = world.store->calls("load");
  cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  world.executor->run_for(1s);
  EXPECT_EQ(*data.get("k", {.reach = Reach::local}), "2");
  EXPECT_EQ(world.store->calls("load"), loads + 1);
}

TEST(ChangeFeed, store_that_was_away_at_the_start_is_compared_once_it_is_back_I10) {
  World world;
  auto cache = world.open();
  cache->dataset("d", hydrated_whole()).put("k", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.disk.boot()->remove_file("/cache/changes");
  world.write_elsewhere("k", "2");
  world.store_down();
  cache = world.open();
  auto data = cache->dataset("d", hydrated_whole());
  world.executor->run_for(10s);
  EXPECT_EQ(*data.get("k"), "1");
  world.store_up();
  world.executor->run_for(1min);
  EXPECT_EQ(*data.peek("k"), "2");
}

TEST(ChangeFeed, erase_before_the_first_cursor_reaches_an_empty_start_with_the_store_down_I4_I10) {
  World world;
  world.store_down();
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  world.executor->run_for(5min);
  data.put("k", "1");
  world.executor->run_for(5min);
  world.store_up();
  ASSERT_TRUE(cache->flush());
  world.write_elsewhere("k", std::nullopt);
  world.executor->run_for(1min);
  EXPECT_FALSE(data.get("k", {.reach = Reach::local}).has_value());
}

TEST(ChangeFeed, gap_makes_every_known_key_be_compared_with_its_row_I10) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated_whole());
  for (int i = 0; i < 250; ++i) data.put(std::to_string(i), "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(2s);
  world.store->lose_change_cursors();
  for (const char* key : {"0", "117", "249"}) world.write_elsewhere(key, "2");
  world.executor->run_for(2s);
  for (const char* key : {"0", "117", "249"}) EXPECT_EQ(*data.peek(key), "2") << key;
  EXPECT_EQ(*data.peek("1"), "1");
}

TEST(ChangeFeed, damaged_cursor_is_as_good_as_none_I9) {
  World world;
  auto cache = world.open();
  cache->dataset("d", hydrated_whole()).put("k", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.write_elsewhere("k", "2");
  world.disk.write("/cache/changes", "tiercache-cursor 1\n1-9\n0123456789abcdef0123456789abcdef");
  cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  world.executor->run_for(1s);
  EXPECT_EQ(*data.get("k", {.reach = Reach::local}), "2");
}

TEST(ChangeFeed, own_writes_and_keys_nobody_reads_cost_no_load) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  world.executor->run_for(2s);
  const std::uint64_t loads = world.store->calls("load");
  for (int i = 0; i < 20; ++i) data.put(std::to_string(i), "1");
  data.invalidate("3");
  data.erase("4");
  ASSERT_TRUE(cache->flush());
  world.write_elsewhere("unknown", "1");
  world.executor->run_for(5s);
  EXPECT_EQ(world.store->calls("load"), loads);
}

TEST_F(ChangeFeedBehind, pending_write_of_this_cache_is_not_undone_by_an_older_row_I3) {
  world.write_elsewhere("k", "2");
  world.store->set_fault([](const std::string& operation) {
    return operation == "save" ? StoreFault::unavailable : StoreFault::none;
  });
  world.clock->advance(10ms);
  data.put("k", "3");
  world.executor->run_for(3s);
  EXPECT_EQ(*data.get("k"), "3");
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "3");
}

TEST(ChangeFeed, poll_of_zero_never_asks) {
  World world;
  auto cache = world.open([](CacheOptions& options) { options.store_calls.poll_every = 0ms; });
  auto data = cache->dataset("d", hydrated_whole());
  world.executor->run_for(1min);
  EXPECT_EQ(world.store->calls("changes"), 0u);
}

TEST(ChangeFeed, more_changes_than_one_look_tells_are_taken_without_a_pause_I10) {
  World world;
  auto cache = world.open([](CacheOptions& options) { options.store_calls.poll_every = 10min; });
  auto data = cache->dataset("d", hydrated_whole());
  world.executor->run_for(5s);
  for (int i = 0; i < 2'100; ++i) world.write_elsewhere(std::to_string(i), "1");
  world.executor->run_for(10min);
  EXPECT_EQ(cache->stats().files_entries, 2'100u);
}

TEST(ChangeFeed, empty_directory_has_nothing_to_compare) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated_whole());
  world.executor->run_for(5s);
  EXPECT_EQ(world.store->calls("purge"), 0u) << "nobody needs to know how far the store has purged";
}

TEST(ChangeFeed, cursor_is_written_every_ten_seconds_at_most_and_not_while_nothing_changes) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated_whole());
  int written = 0;
  world.disk.set_fault([&](const std::string& operation, const std::string& path) {
    if (operation == "write_file" && path.starts_with("/cache/changes")) ++written;
    return 0;
  });
  for (int i = 0; i < 60; ++i) {
    world.write_elsewhere("k", std::to_string(i));
    world.executor->run_for(1s);
  }
  EXPECT_GE(written, 5);
  EXPECT_LE(written, 7);
  world.executor->run_for(20s);
  written = 0;
  world.executor->run_for(10min);
  EXPECT_EQ(written, 0);
  world.disk.set_fault({});
}

// It may be what was written after the purge, and the entry here may be all that is left.
TEST_F(ChangeFeedBehind, damaged_row_is_not_taken_for_a_purged_one_I1_I9) {
  world.write_elsewhere("gone", std::nullopt);
  PurgeRequest everything;
  everything.tombstones_below.time = ~std::uint64_t{0};
  world.store->purge("test", everything, kNever);
  ASSERT_TRUE(cache->scrub().complete) << "the horizon is known by it";
  world.write_elsewhere("k", "2");
  world.store->corrupt_row("test", {"d", "k"}, "rubbish");
  world.executor->run_for(3s);
  EXPECT_EQ(*data.get("k", {.reach = Reach::local}), "1");
}

TEST(ChangeFeed, outage_backs_off_and_ends_I7) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated_whole());
  world.executor->run_for(2s);
  world.store_down();
  const std::uint64_t before = world.store->calls("changes");
  world.executor->run_for(10min);
  EXPECT_LE(world.store->calls("changes"), before + 40);
  world.store_up();
  world.write_elsewhere("k", "1");
  world.executor->run_for(31s);
  EXPECT_TRUE(data.peek("k").has_value() || data.get("k", {.reach = Reach::local}).has_value());
}

TEST(ChangeFeed, feed_that_is_held_up_shows_in_health_until_it_tells_again_I13) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated_whole());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(10s);
  EXPECT_TRUE(cache->health().store_feed.enabled && cache->health().store_feed.working);
  world.store->hold_up_changes("an old transaction is open");
  world.write_elsewhere("k", "2");
  world.executor->run_for(3s);
  const Health health = cache->health();
  EXPECT_FALSE(health.store_feed.working);
  EXPECT_TRUE(health.store_feed.since.has_value());
  EXPECT_EQ(health.store_feed.why, "an old transaction is open");
  EXPECT_TRUE(health.store.working);
  EXPECT_FALSE(health.all_working());
  world.store->hold_up_changes("");
  world.executor->run_for(3s);
  EXPECT_TRUE(cache->health().store_feed.working);
  EXPECT_TRUE(cache->health().all_working());
  EXPECT_EQ(*data.get("k", {.reach = Reach::local}), "2");
}

TEST(ChangeFeed, looks_that_fail_show_in_health_while_the_rest_of_the_store_works) {
  World world;
  world.store->set_fault([](const std::string& operation) {
    return operation == "changes" ? StoreFault::unavailable : StoreFault::none;
  });
  auto cache = world.open();
  world.executor->run_for(10ms);
  const WallTime since = world.clock->wall_now();
  world.executor->run_for(1min);
  EXPECT_FALSE(cache->health().store_feed.working);
  EXPECT_LE(cache->health().store_feed.since, since) << "of the first one";
  EXPECT_NE(cache->health().store_feed.why, "");
  world.store->set_fault({});
  world.executor->run_for(1min);
  EXPECT_TRUE(cache->health().store_feed.working);
}

TEST(ChangeFeed, cache_that_does_not_ask_the_feed_says_so) {
  World world;
  auto cache = world.open([](CacheOptions& options) { options.store_calls.poll_every = 0ms; });
  world.executor->run_for(3s);
  EXPECT_FALSE(cache->health().store_feed.enabled);
}

// --- Hints ---

void rarely_polled(CacheOptions& options) {
  options.store_calls.poll_every = 10min;
}

// A cache that has "k" confirmed, and hears of changes by hints long before it polls.
class ChangeFeedHinted : public ::testing::Test {
 protected:
  ChangeFeedHinted() {
    data.put("k", "1");
    EXPECT_TRUE(cache->flush());
    world.executor->run_for(10s);
  }
  std::unique_ptr<Cache> open() {
    world.store->give_hints();
    return world.open(rarely_polled);
  }

  World world;
  std::unique_ptr<Cache> cache = open();
  Dataset<JsonText> data = cache->dataset("d", hydrated_whole());
};

TEST_F(ChangeFeedHinted, hint_brings_a_write_of_another_machine_long_before_the_poll_I10) {
  world.write_elsewhere("k", "2");
  world.executor->run_for(5ms);
  EXPECT_EQ(*data.peek("k"), "2");
  EXPECT_GE(cache->stats().store_hints, 1u);
  const Health health = cache->health();
  EXPECT_TRUE(health.store_hints.enabled && health.store_hints.working);
}

TEST(ChangeFeed, hints_without_end_bring_about_a_bounded_number_of_polls_I8) {
  World world;
  world.store->give_hints();
  auto cache = world.open(rarely_polled);
  auto data = cache->dataset("d", hydrated_whole());
  world.executor->run_for(10s);
  const std::uint64_t before = world.store->calls("changes");
  for (int i = 0; i < 1'000; ++i) {
    world.write_elsewhere("k", std::to_string(i));
    world.executor->run_for(1ms);
  }
  const std::uint64_t polls = world.store->calls("changes") - before;
  EXPECT_GE(polls, 5u);
  EXPECT_LE(polls, 12u);
  world.executor->run_for(200ms);
  EXPECT_EQ(*data.get("k", {.reach = Reach::local}), "999");
}

TEST_F(ChangeFeedHinted, hint_before_the_feed_can_tell_is_looked_after_again_I10) {
  const std::uint64_t before = world.store->calls("changes");
  world.store->set_hint_state({});  // a hint, and nothing to be told
  world.executor->run_for(500ms);
  EXPECT_EQ(world.store->calls("changes"), before + 1);
  world.executor->run_for(1s);
  EXPECT_EQ(world.store->calls("changes"), before + 2);
  world.executor->run_for(1min);
  EXPECT_EQ(world.store->calls("changes"), before + 2);
}

TEST_F(ChangeFeedHinted, hint_that_met_an_outage_does_not_wait_for_the_next_poll_I10) {
  world.store->set_fault([](const std::string& operation) {
    return operation == "changes" ? StoreFault::unavailable : StoreFault::none;
  });
  world.write_elsewhere("k", "2");
  world.executor->run_for(5s);
  world.store->set_fault({});
  world.executor->run_for(10s);
  EXPECT_EQ(*data.peek("k"), "2");
}

TEST(ChangeFeed, lost_hints_show_in_health_and_leave_the_poll_as_it_was_I10) {
  World world;
  world.store->give_hints();
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated_whole());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(10s);
  world.store->set_hint_state({.kind = HintState::Kind::lost, .why = "the line is dead"});
  const Health health = cache->health();
  EXPECT_FALSE(health.store_hints.working);
  EXPECT_EQ(health.store_hints.why, "the line is dead");
  EXPECT_TRUE(health.all_working()) << "polls go on";
  world.executor->run_for(100ms);
  world.write_elsewhere("k", "2");
  world.executor->run_for(1s);
  EXPECT_EQ(*data.peek("k"), "2");
  world.store->set_hint_state({.kind = HintState::Kind::live, .why = {}});
  EXPECT_TRUE(cache->health().store_hints.working);
  world.store->set_hint_state({.kind = HintState::Kind::starting, .why = {}});
  EXPECT_TRUE(cache->health().store_hints.working) << "nothing has failed";
}

TEST(ChangeFeed, closed_cache_takes_no_hint) {
  World world;
  world.store->give_hints();
  auto cache = world.open();
  world.executor->run_for(2s);
  cache->close();
  const std::uint64_t before = world.store->calls("changes");
  world.write_elsewhere("k", "2");
  world.executor->run_for(1min);
  EXPECT_EQ(world.store->calls("changes"), before);
  EXPECT_FALSE(cache->health().store_hints.enabled);
}

TEST(ChangeFeed, store_without_hints_says_so) {
  World world;
  auto cache = world.open();
  world.executor->run_for(2s);
  EXPECT_FALSE(cache->health().store_hints.enabled);
}

}  // namespace
}  // namespace tiercache::testing
