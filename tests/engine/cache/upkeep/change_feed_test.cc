// What a look at the change feed brings to each tier, and which cursor is kept in the directory.
#include "cache/upkeep/change_feed.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/upkeep/change_feed_fixture.h"

namespace tiercache::detail {
namespace {

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
  const Version far{ground.runtime.versions.next({}).time + (1ull << 32), 9};
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

TEST_F(ChangeFeedBesideScriptedStoreTest, key_that_a_page_tells_of_twice_is_loaded_once) {
  store->on_changes = [](ChangesReply& reply) {
    for (const std::uint64_t time : {6, 7}) reply.changes.push_back({kId, version(time), {}});
  };
  follow();
  ASSERT_EQ(store->loads.size(), 1u);
  EXPECT_EQ(store->loads.front(), std::vector<EntryId>{kId});
}

// --- What does not come ---

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

TEST_F(ChangeFeedPartTest, row_that_no_file_takes_stands_in_memory_and_the_cursor_waits_I10) {
  have(document(5, "5"));
  local.into_memory(data, document(5, "5"));
  follow();
  const std::string before = kept();
  ground.put_row(document(6, "6"));
  ground.refuse(EROFS, {"open", "rename", "exchange", "remove_file"}, "/data/");
  ground.run_for(15s);
  EXPECT_EQ(local.in_memory(data), "6");
  EXPECT_TRUE(local.is_pinned(data));
  EXPECT_EQ(kept(), before);
  ground.disk_works();
  ground.run_for(15s);
  EXPECT_EQ(local.file(), "6");
  EXPECT_NE(kept(), before);
}

class ChangeFeedOfLittleMemoryTest : public ChangeFeedPartTest {
 protected:
  ChangeFeedOfLittleMemoryTest()
      : ChangeFeedPartTest([](CacheOptions& options) { options.memory.max_bytes = 20'000; }) {}
};

TEST_F(ChangeFeedOfLittleMemoryTest, row_for_which_nobody_has_room_is_told_again_I10) {
  have(document(5, "5"));
  follow();
  local.write(data, document(4, std::string(15'000, '1')), {"d", "pinned"});
  ASSERT_TRUE(local.tiers.memory().is_half_pinned());
  ground.refuse_files();
  ground.put_row(document(6, "6"));
  ground.run_for(5s);
  EXPECT_EQ(local.found(data), "5");
  ground.disk_works();
  ground.run_for(30s);
  EXPECT_EQ(local.found(data), "6");
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

TEST_F(ChangeFeedPartTest, rows_of_a_store_that_became_another_one_meanwhile_are_not_kept_I1) {
  have(document(5, "5"));
  follow();
  ground.put_row(document(6, "6"));
  ground.store->on_call([this](const std::string& call) {
    if (call != "load") return;
    ground.store->reset();
    ground.store->set_name("another");
    ground.put_row(document(7, "7"));
  });
  poll();
  EXPECT_EQ(local.file(), "5");
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

TEST_F(ChangeFeedPartTest, cursor_is_written_for_nothing_but_another_one) {
  follow();
  int writes = 0;
  ground.disk->on_operation([&](std::uint64_t, const std::string& what) {
    if (what.find("/cache/changes") != std::string::npos) ++writes;
  });
  ground.run_for(1min);
  EXPECT_EQ(writes, 0);
  ground.put_row(document(6));
  ground.run_for(1min);
  EXPECT_GT(writes, 0);
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
  local.file_writer.sync_soon();
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

TEST_F(ChangeFeedPartTest, cursor_is_kept_again_by_a_start_over_though_nothing_has_changed) {
  follow();
  ground.runtime.file_system->remove_file("/cache/changes");
  feed.start_over();
  ground.run_ready();
  EXPECT_EQ(kept(), cursor(0));
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

}  // namespace
}  // namespace tiercache::detail
