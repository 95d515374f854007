// When the change feed is asked, who waits for its place, and what its health says.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "cache/upkeep/change_feed.h"
#include "engine/cache/upkeep/change_feed_fixture.h"

namespace tiercache::detail {
namespace {

// --- Failures ---

TEST_F(ChangeFeedPartTest, failures_double_the_pause_up_to_half_a_minute) {
  follow();
  refuse_call("changes");
  ground.run_for(1s);
  std::uint64_t before = polls();
  ground.run_for(1s + 2s + 4s + 8s + 16s);
  EXPECT_EQ(polls(), before + 4) << "the first pause is already two seconds";
  before = polls();
  ground.run_for(5min);
  EXPECT_EQ(polls(), before + 10);
  ground.store_does(StoreFault::none);
  ground.run_for(31s);
  before = polls();
  refuse_call("changes");
  ground.run_for(3s);
  EXPECT_EQ(polls(), before + 2) << "one that worked is where they start again";
}

TEST_F(ChangeFeedPartTest, health_says_since_when_a_look_has_no_answer_I13) {
  EXPECT_FALSE(feed.health().enabled);
  follow();
  EXPECT_TRUE(feed.health().enabled);
  EXPECT_TRUE(feed.health().working);
  refuse_call("changes");
  poll();
  const WallTime since = ground.clock->wall_now();
  ground.run_for(5s);
  EXPECT_FALSE(feed.health().working);
  EXPECT_EQ(feed.health().since, since);
  EXPECT_EQ(feed.health().why, "fault asked for by the test");
  ground.store_does(StoreFault::none);
  ground.run_for(30s);
  EXPECT_TRUE(feed.health().working);
}

TEST_F(ChangeFeedPartTest, health_says_what_holds_changes_up_I13) {
  follow();
  ground.store->hold_up_changes("an old transaction");
  poll();
  EXPECT_FALSE(feed.health().working);
  EXPECT_EQ(feed.health().why, "an old transaction");
  ground.store->hold_up_changes("");
  poll();
  EXPECT_TRUE(feed.health().working);
}

// --- Who waits for its place ---

TEST_F(ChangeFeedPartTest, task_waits_until_the_feed_has_its_place_or_cannot_get_one) {
  int ran = 0;
  feed.when_placed([&] { ++ran; });
  EXPECT_EQ(ran, 1) << "a feed that was not started holds nobody up";
  feed.start();
  feed.when_placed([&] { ++ran; });
  EXPECT_EQ(ran, 1);
  ground.run_ready();
  EXPECT_EQ(ran, 2);
  feed.stop();
  ground.store_does(StoreFault::unavailable);
  feed.start();
  feed.when_placed([&] { ++ran; });
  ground.run_ready();
  EXPECT_EQ(ran, 3);
}

TEST_F(ChangeFeedPartTest, task_that_waits_runs_when_the_feed_stops) {
  int ran = 0;
  feed.start();
  feed.when_placed([&] { ++ran; });
  feed.stop();
  EXPECT_EQ(ran, 1);
}

// --- Nothing to ask ---

TEST_F(ChangeFeedBesideScriptedStoreTest, store_without_a_feed_is_asked_for_nothing) {
  store->tells_changes = false;
  follow();
  ground.run_for(1min);
  EXPECT_TRUE(store->deadlines.empty());
  EXPECT_FALSE(feed.health().enabled);
}

class ChangeFeedOffTest : public ChangeFeedPartTest {
 protected:
  ChangeFeedOffTest()
      : ChangeFeedPartTest([](CacheOptions& options) { options.store_calls.poll_every = 0ms; }) {}
};

TEST_F(ChangeFeedOffTest, feed_that_is_not_wanted_asks_nothing) {
  follow();
  ground.run_for(1min);
  EXPECT_EQ(polls(), 0u);
  EXPECT_FALSE(feed.health().enabled);
}

// --- Hints ---

class ChangeFeedHintsTest : public ChangeFeedPartTest {
 protected:
  ChangeFeedHintsTest()
      : ChangeFeedPartTest([](CacheOptions& options) { options.store_calls.poll_every = 1h; }) {
    ground.store->give_hints();
    have(document(5, "5"));
    follow();
    ground.run_for(10s);
  }
};

TEST_F(ChangeFeedHintsTest, hint_brings_the_change_long_before_the_next_poll_I10) {
  EXPECT_EQ(feed.hints(), 0u);
  ground.put_row(document(6, "6"));
  ground.run_ready();
  EXPECT_EQ(local.file(), "6");
  EXPECT_EQ(feed.hints(), 1u);
}

TEST_F(ChangeFeedHintsTest, hints_that_never_stop_are_followed_ten_times_a_second) {
  const std::uint64_t before = polls();
  for (std::uint64_t n = 0; n < 100; ++n) {
    ground.put_row(document(6 + n));
    ground.run_for(10ms);
  }
  EXPECT_GE(polls(), before + 10);
  EXPECT_LE(polls(), before + 11);
}

TEST_F(ChangeFeedHintsTest, hint_for_which_the_feed_tells_nothing_is_followed_once_more_soon) {
  ground.store->hold_up_changes("an old transaction");
  ground.put_row(document(6, "6"));
  ground.run_ready();
  ground.store->hold_up_changes("");
  ground.run_for(1s);
  EXPECT_EQ(local.file(), "6");
  const std::uint64_t before = polls();
  ground.run_for(30min);
  EXPECT_EQ(polls(), before);
}

TEST_F(ChangeFeedHintsTest, look_that_fails_is_tried_again_in_seconds_not_at_the_next_poll_I10) {
  refuse_call("changes");
  ground.put_row(document(6, "6"));
  ground.run_ready();
  ground.store_does(StoreFault::none);
  ground.run_for(2s);
  EXPECT_EQ(local.file(), "6");
}

TEST_F(ChangeFeedHintsTest, health_of_the_hints_follows_what_the_store_says_I13) {
  EXPECT_TRUE(feed.hints_health().enabled);
  EXPECT_TRUE(feed.hints_health().working);
  ground.store->set_hint_state({.kind = HintState::Kind::lost, .why = "the line is cut"});
  ground.run_ready();
  EXPECT_FALSE(feed.hints_health().working);
  EXPECT_EQ(feed.hints_health().why, "the line is cut");
  ground.store->set_hint_state({.kind = HintState::Kind::live, .why = {}});
  EXPECT_TRUE(feed.hints_health().working);
  feed.stop();
  EXPECT_FALSE(feed.hints_health().enabled);
}

TEST_F(ChangeFeedHintsTest, hint_after_the_cache_has_closed_is_not_heard) {
  ground.runtime.tasks.close();
  ground.put_row(document(6, "6"));
  ground.run_ready();
  EXPECT_EQ(feed.hints(), 0u);
  EXPECT_EQ(local.file(), "5");
}

}  // namespace
}  // namespace tiercache::detail
