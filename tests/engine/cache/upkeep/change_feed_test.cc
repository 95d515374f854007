// What a page of the change feed brings to each tier, when the feed is asked, and which cursor is
// kept in the directory.
#include "cache/upkeep/change_feed.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

// A feed that polls once a second, and writes its cursor at most every ten.
class ChangeFeedPartTest : public ::testing::Test {
 protected:
  explicit ChangeFeedPartTest(const Ground::Adjust& adjust = {}) : ground(adjust) {}

  // It has its place behind all that the store has now.
  void follow() {
    feed.start();
    ground.run_ready();
  }
  void poll() { ground.run_for(1s); }
  void have(const Entry& entry, const EntryId& id = kId) {
    local.into_file(entry, id);
    ground.put_row(entry, id);
  }
  std::uint64_t polls() const { return ground.store->calls("changes"); }
  std::uint64_t loads() const { return ground.store->calls("load"); }
  void refuse_call(const std::string& refused) {
    ground.store->set_fault([refused](const std::string& call) {
      return call == refused ? StoreFault::unavailable : StoreFault::none;
    });
  }
  std::string kept() const {
    return read_kept_text(*ground.runtime.file_system, "/cache/changes", "tiercache-cursor 1\n")
        .text;
  }
  // The cursor of a store in memory: behind its latest update.
  static std::string cursor(int updates) { return "1-" + std::to_string(updates); }
  DatasetState& open_without_hydration(const std::string& name) {
    return ground.open(name,
                       [](DatasetPolicy& policy) { policy.options.hydrate = Hydrate::none(); });
  }

  Ground ground;
  UpkeepRoom room{ground};
  LocalRoom& local = room.writing.local;
  ChangeFeed& feed = room.parts.feed;
  DatasetState& data = ground.open();
};

// --- What a page brings ---

TEST_F(ChangeFeedPartTest, newer_row_comes_into_the_file_and_into_memory_that_has_the_key_I10) {
  const EntryId cold{"d", "cold"};
  have(document(5, "5"));
  have(document(5, "5"), cold);
  local.into_memory(data, document(5, "5"));
  follow();
  ground.put_row(document(6, "6"));
  ground.put_row(document(6, "6"), cold);
  poll();
  EXPECT_EQ(local.file(), "6");
  EXPECT_EQ(local.in_memory(data), "6");
  EXPECT_EQ(local.file(cold), "6");
  EXPECT_EQ(local.in_memory(data, cold), "<nothing>") << "nobody reads it";
}

TEST_F(ChangeFeedPartTest, erase_of_another_machine_leaves_a_tombstone_I4_I10) {
  have(document(5, "5"));
  local.into_memory(data, document(5, "5"));
  follow();
  ground.put_row(tombstone(6));
  poll();
  EXPECT_EQ(local.file(), "<tombstone>");
  EXPECT_EQ(local.found(data), "<tombstone>");
}

TEST_F(ChangeFeedPartTest, invalidation_alone_moves_the_clocks_I10) {
  have(document(5, "5"));
  follow();
  Entry invalidated = document(5, "5");
  invalidated.clocks.invalidated_at = kStart;
  ground.put_row(invalidated);
  poll();
  EXPECT_EQ(local.tiers.files().read(kId).entry->clocks, invalidated.clocks);
}

TEST_F(ChangeFeedPartTest, change_that_is_known_here_costs_no_load_be_it_equal_or_older_I3) {
  have(document(5, "5"));
  follow();
  const std::uint64_t before = loads();
  for (const int older : {5, 4}) {
    ground.put_row(document(static_cast<std::uint64_t>(older), "theirs"));
    poll();
  }
  EXPECT_EQ(loads(), before);
  EXPECT_EQ(local.file(), "5");
}

TEST_F(ChangeFeedPartTest, key_that_nobody_knows_comes_where_its_dataset_is_hydrated) {
  open_without_hydration("lazy");
  follow();
  const EntryId hydrated{"d", "new"}, lazy{"lazy", "new"}, closed{"closed", "new"};
  for (const EntryId& id : {hydrated, lazy, closed}) ground.put_row(document(6, "6"), id);
  poll();
  EXPECT_EQ(local.file(hydrated), "6");
  EXPECT_EQ(local.file(lazy), "<nothing>");
  EXPECT_EQ(local.file(closed), "<nothing>");
}

TEST_F(ChangeFeedPartTest, key_that_is_known_comes_whatever_its_dataset_I10) {
  DatasetState& lazy = open_without_hydration("lazy");
  const EntryId in_memory{"lazy", "memory"}, in_closed{"closed", "k"};
  local.into_memory(lazy, document(5, "5"), in_memory);
  have(document(5, "5"), in_closed);
  follow();
  ground.put_row(document(6, "6"), in_memory);
  ground.put_row(document(6, "6"), in_closed);
  poll();
  EXPECT_EQ(local.in_memory(lazy, in_memory), "6");
  EXPECT_EQ(local.file(in_closed), "6");
}

TEST_F(ChangeFeedPartTest, versions_here_go_beyond_what_the_feed_tells_I3) {
  follow();
  const Version far{ground.runtime.versions.next({}).time + (1u << 20), 9};
  Entry row = document(0);
  row.version = far;
  ground.put_row(row, {"closed", "k"});
  poll();
  EXPECT_GT(ground.runtime.versions.next({}), far);
}

TEST_F(ChangeFeedPartTest, pages_follow_at_once_and_rows_come_a_hundred_at_a_time) {
  follow();
  for (int n = 0; n < 1'150; ++n) ground.put_row(document(6), {"d", std::to_string(n)});
  const std::uint64_t before = polls();
  poll();
  EXPECT_EQ(polls(), before + 2);
  EXPECT_EQ(loads(), 12u);
  EXPECT_EQ(local.tiers.index().count("d"), 1'150u);
}

// --- Everything is compared ---

TEST_F(ChangeFeedPartTest, first_look_compares_everything_that_is_here_I10) {
  have(document(5, "5"));
  ground.put_row(document(6, "6"));
  follow();
  EXPECT_EQ(local.file(), "6");
}

TEST_F(ChangeFeedPartTest, first_look_of_an_empty_directory_asks_for_no_row) {
  ground.put_row(document(6));
  follow();
  EXPECT_EQ(loads(), 0u);
}

TEST_F(ChangeFeedPartTest, gap_makes_everything_be_compared_and_the_feed_goes_on_behind_it_I10) {
  have(document(5, "5"));
  follow();
  ground.put_row(document(6, "6"));
  ground.store->lose_change_cursors();
  poll();
  EXPECT_EQ(local.file(), "6");
  ground.put_row(document(7, "7"));
  const std::uint64_t before = loads();
  poll();
  EXPECT_EQ(local.file(), "7");
  EXPECT_EQ(loads(), before + 1);
}

TEST_F(ChangeFeedPartTest, what_was_deleted_and_purged_meanwhile_goes_and_no_more_I1_I4) {
  const EntryId above{"d", "above"}, corrupt{"d", "corrupt"};
  local.into_file(document(5, "at"));
  local.into_file(document(6, "above"), above);
  have(document(5, "corrupt"), corrupt);
  ground.store->corrupt_row("test", corrupt, "rubbish");
  ground.purge_up_to(5);
  follow();
  EXPECT_EQ(local.file(), "<nothing>");
  EXPECT_EQ(local.file(above), "above");
  EXPECT_EQ(local.file(corrupt), "corrupt");
}

TEST_F(ChangeFeedPartTest, comparison_waits_for_the_horizon_I4) {
  local.into_file(document(5, "5"));
  ground.purge_up_to(5);
  refuse_call("purge");
  follow();
  EXPECT_EQ(local.file(), "5");
  EXPECT_EQ(loads(), 0u);
  ground.store_does(StoreFault::none);
  ground.run_for(3s);
  EXPECT_EQ(local.file(), "<nothing>");
}

// --- Failures ---

TEST_F(ChangeFeedPartTest, page_whose_rows_do_not_come_is_told_again_I10) {
  have(document(5, "5"));
  follow();
  ground.put_row(document(6, "6"));
  refuse_call("load");
  ground.run_for(1min);
  EXPECT_EQ(local.file(), "5");
  ground.store_does(StoreFault::none);
  ground.run_for(1min);
  EXPECT_EQ(local.file(), "6");
}

TEST_F(ChangeFeedPartTest, row_for_which_neither_disk_nor_memory_has_room_is_told_again_I10) {
  have(document(5, "5"));
  local.into_memory(data, document(5, "5"));
  follow();
  ground.put_row(document(6, "6"));
  ground.refuse_files();
  ground.run_for(15s);
  EXPECT_EQ(local.in_memory(data), "6");
  EXPECT_TRUE(local.is_pinned(data));
  ground.disk_works();
  ground.run_for(15s);
  EXPECT_EQ(local.file(), "6");
}

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

TEST_F(ChangeFeedPartTest, nothing_comes_from_another_store_until_it_is_accepted_I1) {
  local.belong_to_another_store();
  have(document(5, "5"));
  ground.put_row(document(6, "6"));
  follow();
  ground.run_for(15s);
  EXPECT_EQ(local.file(), "5");
  EXPECT_EQ(kept(), "");
  room.writing.store.identity.accept();
  poll();
  EXPECT_EQ(local.file(), "6");
}

TEST_F(ChangeFeedPartTest, cache_that_closes_while_rows_are_loaded_takes_none) {
  have(document(5, "5"));
  follow();
  ground.put_row(document(6, "6"));
  ground.store->on_call([this](const std::string& call) {
    if (call == "load") ground.runtime.tasks.close();
  });
  poll();
  EXPECT_EQ(local.file(), "5");
}

// --- The cursor in the directory ---

TEST_F(ChangeFeedPartTest, cursor_is_kept_after_the_first_look_and_then_every_ten_seconds) {
  follow();
  EXPECT_EQ(kept(), cursor(0));
  ground.put_row(document(6));
  ground.run_for(9s);
  EXPECT_EQ(kept(), cursor(0));
  ground.run_for(1s);
  EXPECT_EQ(kept(), cursor(1));
}

TEST_F(ChangeFeedPartTest, feed_that_is_stopped_keeps_its_cursor_at_once_and_asks_no_more) {
  follow();
  ground.put_row(document(6));
  poll();
  feed.stop();
  EXPECT_EQ(kept(), cursor(1));
  EXPECT_FALSE(feed.health().enabled);
  const std::uint64_t before = polls();
  ground.run_for(1min);
  EXPECT_EQ(polls(), before);
}

TEST_F(ChangeFeedPartTest, start_goes_on_from_the_cursor_that_was_kept_I10) {
  have(document(5, "5"));
  have(document(5, "5"), {"d", "other"});
  follow();
  feed.stop();
  ground.put_row(document(6, "6"));
  const std::uint64_t before = loads();
  follow();
  EXPECT_EQ(local.file(), "6");
  EXPECT_EQ(loads(), before + 1) << "the other key was not compared";
}

TEST_F(ChangeFeedPartTest, damaged_cursor_is_as_good_as_none_I9) {
  have(document(5, "5"));
  ground.put_row(document(6, "6"));
  ground.disk->write("/cache/changes", "tiercache-cursor 1\n1-2\nrubbish");
  follow();
  EXPECT_EQ(local.file(), "6");
}

TEST_F(ChangeFeedPartTest, cursor_waits_until_the_files_before_it_are_on_the_disk_I10) {
  have(document(5, "5"));
  follow();
  const std::string before = kept();
  ground.refuse(EIO, {"sync_all"}, "");
  local.file_writer.touched();
  ground.put_row(document(6, "6"));
  ground.run_for(15s);
  EXPECT_EQ(kept(), before);
  ground.disk_works();
  ground.run_for(15s);
  EXPECT_NE(kept(), before);
}

TEST_F(ChangeFeedPartTest, cursor_waits_for_rows_that_the_disk_did_not_take_I10) {
  const EntryId closed{"closed", "k"};
  have(document(5, "5"), closed);
  follow();
  const std::string before = kept();
  ground.put_row(document(6, "6"), closed);
  ground.refuse_files();
  poll();
  ground.disk_works();
  ASSERT_TRUE(local.tiers.has_unwritten());
  feed.stop();
  EXPECT_EQ(kept(), before);
}

TEST_F(ChangeFeedPartTest, feed_that_starts_over_compares_everything_and_keeps_its_cursor_again) {
  have(document(5, "5"));
  follow();
  ground.runtime.file_system->remove_file("/cache/changes");
  local.into_file(document(4, "lost"), {"d", "lost"});
  ground.put_row(document(6, "6"), {"d", "lost"});
  poll();
  const std::uint64_t before = loads();
  feed.start_over();
  ground.run_ready();
  EXPECT_EQ(loads(), before + 1);
  EXPECT_EQ(kept(), cursor(2));
}

TEST_F(ChangeFeedPartTest, start_over_in_the_middle_of_a_look_is_not_forgotten) {
  have(document(5, "5"));
  follow();
  ground.put_row(document(6, "6"));
  bool once = false;
  ground.store->on_call([&](const std::string& call) {
    if (call == "load" && !std::exchange(once, true)) feed.start_over();
  });
  const std::uint64_t before = loads();
  poll();
  EXPECT_EQ(loads(), before + 2) << "the change, and then everything";
  EXPECT_EQ(kept(), cursor(2));
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
