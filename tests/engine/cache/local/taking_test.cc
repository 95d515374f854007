// What the local tiers take from the store and from other caches on the directory, on disks that
// take it, that only give up what is there, and that do neither.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "cache/local/local_tiers.h"
#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

using Names = std::vector<std::string>;

class TakingTest : public ::testing::Test {
 protected:
  void into_file(const Entry& entry) { room.into_file(entry); }
  bool take_row(const Entry& row, const EntryId& id = kId) {
    return room.tiers.take_rows({{id, shared(row)}});
  }
  Entry fetched(std::uint64_t time, WallTime when) {
    Entry entry = document(time);
    entry.clocks.last_fetch = when;
    return entry;
  }

  Ground ground;
  LocalRoom room{ground};
  DatasetState& data = ground.open();
};

// --- keep_in_files ---

TEST_F(TakingTest, entry_is_kept_in_files_and_that_they_grew_is_told) {
  EXPECT_TRUE(room.tiers.keep_in_files(kId, document(5, "5")));
  EXPECT_EQ(room.file(), "5");
  EXPECT_EQ(room.grew, 1);
  EXPECT_EQ(room.moved, Names{"k"});
  EXPECT_TRUE(room.tiers.keep_in_files(kId, document(4, "4"))) << "something newer is there";
  EXPECT_EQ(room.file(), "5");
}

TEST_F(TakingTest, entry_that_an_erase_hides_is_not_kept_I4) {
  room.journal_erase("*", 6);
  EXPECT_TRUE(room.tiers.keep_in_files(kId, document(5)));
  EXPECT_EQ(room.file(), "<nothing>");
  EXPECT_TRUE(room.tiers.keep_in_files(kId, document(6, "6")));
  EXPECT_EQ(room.file(), "6");
}

// An erase that comes between the look and the write.
TEST_F(TakingTest, entry_that_an_erase_hides_once_it_is_written_goes_again_I4) {
  bool erased = false;
  ground.disk->on_operation([&](std::uint64_t, const std::string& what) {
    if (erased || what.find("/data/") == std::string::npos) return;
    erased = true;
    room.journal_erase("*", 6);
  });
  room.tiers.keep_in_files(kId, document(5));
  ASSERT_TRUE(erased);
  EXPECT_EQ(room.file(), "<nothing>");
}

TEST_F(TakingTest, disk_that_takes_nothing_new_gives_up_the_older_file_I3) {
  into_file(document(4, "older"));
  ground.refuse_new_files();
  EXPECT_TRUE(room.tiers.keep_in_files(kId, document(5)));
  EXPECT_EQ(room.file(), "<nothing>");
  EXPECT_EQ(room.touched, 1) << "a sync makes that last";
}

TEST_F(TakingTest, disk_that_does_neither_keeps_the_older_file_and_says_so) {
  into_file(document(4, "older"));
  ground.refuse_files();
  EXPECT_FALSE(room.tiers.keep_in_files(kId, document(5)));
  ground.disk_works();
  EXPECT_EQ(room.file(), "older");
}

TEST_F(TakingTest, file_of_the_same_version_is_not_given_up_for_clocks) {
  into_file(document(5, "5"));
  ground.refuse_new_files();
  EXPECT_FALSE(room.tiers.keep_in_files(kId, fetched(5, kStart + 1s)));
  EXPECT_EQ(room.file(), "5");
}

// --- take ---

TEST_F(TakingTest, newer_entry_is_in_files_and_memory_and_its_move_is_told) {
  room.tiers.take(kId, shared(document(5, "5")));
  EXPECT_EQ(room.file(), "5");
  EXPECT_EQ(room.in_memory(data), "5");
  EXPECT_FALSE(room.is_pinned(data));
  EXPECT_EQ(room.moved, Names{"k"});
  EXPECT_GT(ground.runtime.versions.next(), version(5));
}

TEST_F(TakingTest, version_ahead_of_the_clock_is_below_all_that_is_stamped_afterwards_I3) {
  Version ahead = ground.runtime.versions.next();
  ahead.time += std::uint64_t{60'000} << Version::kCounterBits;
  Entry entry = document(1);
  entry.version = ahead;
  room.tiers.take(kId, shared(entry));
  EXPECT_GT(ground.runtime.versions.next(), ahead);
}

TEST_F(TakingTest, older_entry_changes_nothing_I3) {
  room.write(data, document(5, "5"));
  room.tiers.take(kId, shared(document(4, "4")));
  EXPECT_EQ(room.found(data), "5");
  ground.run_for(1s);
  EXPECT_EQ(room.file(), "5");
}

TEST_F(TakingTest, entry_that_an_erase_hides_is_not_taken_into_memory_I4) {
  room.journal_erase("*", 6);
  room.tiers.take(kId, shared(document(5)));
  EXPECT_EQ(room.in_memory(data), "<nothing>");
}

TEST_F(TakingTest, entry_of_a_dataset_that_is_not_open_is_in_files_or_waits_for_its_opening) {
  const EntryId later{"later", "k"};
  room.tiers.take(later, shared(document(4, "4")));
  EXPECT_EQ(room.file(later), "4");
  ground.refuse_files();
  room.tiers.take(later, shared(document(5, "5")));
  ASSERT_NE(room.tiers.unwritten(later), nullptr);
  DatasetState& opened = ground.open("later");
  room.tiers.serve_unwritten();
  EXPECT_EQ(room.in_memory(opened, later), "5");
  EXPECT_TRUE(room.is_pinned(opened, later));
}

TEST_F(TakingTest, memory_alone_has_it_pinned_while_the_disk_keeps_something_older_I3) {
  into_file(document(4, "older"));
  ground.refuse_files();
  room.tiers.take(kId, shared(document(5, "5")));
  EXPECT_EQ(room.found(data), "5");
  EXPECT_TRUE(room.is_pinned(data));
  EXPECT_EQ(room.unfiled, Names{"k"});
  ground.disk_works();
  ground.run_for(10s);
  EXPECT_EQ(room.file(), "5");
}

TEST_F(TakingTest, document_that_does_not_decode_is_in_files_alone_and_memory_lets_go_of_older) {
  DatasetState& picky = ground.open("picky", [](DatasetPolicy& policy) {
    policy.decode = [](const std::string& text) -> Decoded {
      if (text == "bad") throw std::runtime_error("bad");
      return {};
    };
  });
  const EntryId id{"picky", "k"};
  room.tiers.take(id, shared(document(4, "good")));
  EXPECT_EQ(room.in_memory(picky, id), "good");
  room.moved.clear();
  room.tiers.take(id, shared(document(5, "bad")));
  EXPECT_EQ(room.moved, Names{"k"});
  EXPECT_EQ(room.in_memory(picky, id), "<nothing>");
  EXPECT_EQ(room.file(id), "bad");
}

// --- take_rows ---

TEST_F(TakingTest, rows_that_are_newer_are_taken_into_files_and_memory_only_where_that_has_older) {
  into_file(document(4, "4"));
  EXPECT_TRUE(take_row(document(5, "5")));
  EXPECT_EQ(room.file(), "5");
  EXPECT_EQ(room.in_memory(data), "<nothing>") << "nobody has asked for it";
  EXPECT_EQ(room.moved, Names{"k"});
  room.write(data, document(6, "6"));
  EXPECT_TRUE(take_row(document(7, "7")));
  EXPECT_EQ(room.in_memory(data), "7");
}

TEST_F(TakingTest, rows_that_are_older_or_known_write_nothing) {
  into_file(document(5, "5"));
  const std::uint64_t operations = ground.disk->operations();
  EXPECT_TRUE(take_row(document(4, "4")));
  EXPECT_TRUE(take_row(document(5, "5")));
  EXPECT_EQ(ground.disk->operations(), operations);
  EXPECT_TRUE(room.moved.empty());
}

TEST_F(TakingTest, row_of_the_same_version_brings_its_later_clocks_and_keeps_ours) {
  Entry ours = fetched(5, kStart);
  ours.clocks.last_rich_fetch = kStart + 3s;
  into_file(ours);
  EXPECT_TRUE(take_row(fetched(5, kStart + 2s)));
  const EntryPtr filed = room.tiers.files().read(kId).entry;
  EXPECT_EQ(filed->clocks.last_fetch, kStart + 2s);
  EXPECT_EQ(filed->clocks.last_rich_fetch, kStart + 3s);
}

// The file of the version that the erase hides is still to become its tombstone.
TEST_F(TakingTest, row_that_an_erase_hides_leaves_the_file_as_it_is_I4) {
  into_file(document(3, "3"));
  room.journal_erase("*", 6);
  EXPECT_TRUE(take_row(document(5, "5")));
  EXPECT_EQ(room.file(), "3");
  EXPECT_EQ(room.tiers.index().find(kId)->version, version(3));
  EXPECT_TRUE(room.moved.empty());
}

TEST_F(TakingTest, rows_on_a_disk_that_takes_nothing_new_take_the_place_of_older_files) {
  into_file(document(4, "older"));
  ground.refuse_new_files();
  EXPECT_TRUE(take_row(document(5, "5")));
  EXPECT_EQ(room.found(data), "<nothing>") << "the store is asked";
  EXPECT_EQ(room.tiers.known(&data, kId).visible(), version(5)) << "the row is known all the same";
}

TEST_F(TakingTest, row_on_a_disk_that_refuses_all_is_held_in_memory_I3) {
  into_file(document(4, "older"));
  ground.refuse_files();
  EXPECT_TRUE(take_row(document(5, "5")));
  EXPECT_EQ(room.found(data), "5");
  EXPECT_TRUE(room.is_pinned(data));
}

TEST(TakingIntoLittleMemory,
     row_that_neither_disk_nor_memory_has_room_for_is_to_be_tried_again_I8) {
  Ground ground([](CacheOptions& options) { options.memory.max_bytes = 20'000; });
  LocalRoom room(ground);
  DatasetState& data = ground.open();
  room.into_file(document(4, "older"));
  room.write(data, document(4, std::string(15'000, '1')), {"d", "pinned"});
  ASSERT_TRUE(room.tiers.memory().is_half_pinned());
  ground.refuse_files();
  const std::vector<ScannedEntry> rows{{kId, shared(document(5, "5"))}};
  EXPECT_FALSE(room.tiers.take_rows(rows));
  EXPECT_EQ(room.found(data), "older");
  ground.disk_works();
  EXPECT_TRUE(room.tiers.take_rows(rows));
  EXPECT_EQ(room.found(data), "5");
}

// Else neither `keys` nor an erase by pattern would find it.
TEST_F(TakingTest, what_memory_alone_has_is_in_the_index) {
  into_file(document(4, "older"));
  ground.refuse_files();
  room.tiers.take(kId, shared(document(5, "5")));
  ASSERT_TRUE(room.is_pinned(data));
  EXPECT_EQ(room.tiers.index().find(kId)->version, version(5));
}

TEST_F(TakingTest, write_that_waits_for_its_file_stays_in_the_index_when_an_older_file_goes) {
  into_file(document(4, "older"));
  room.write(data, document(6, "waits"));
  ground.refuse_new_files();
  room.tiers.take(kId, shared(document(5, "row")));
  ASSERT_TRUE(room.tiers.index().find(kId));
  EXPECT_EQ(room.tiers.index().find(kId)->version, version(6));
  EXPECT_EQ(room.tiers.read_file(kId).entry, nullptr);
  EXPECT_TRUE(room.tiers.index().find(kId)) << "nobody has erased it";
}

// Else no file would ever cover them, and the journal would keep them until the next open.
TEST_F(TakingTest, clocks_that_are_in_no_file_yet_go_along_with_a_newer_entry_I1) {
  into_file(document(4, "older"));
  ASSERT_EQ(room.journal(clocks_record(4, fetched_at(kStart + 2s))), AppendStatus::durable);
  room.settle_all();
  room.tiers.take(kId, shared(document(5, "row")));
  EXPECT_EQ(room.tiers.files().read(kId).entry->clocks.last_fetch, kStart + 2s);
  ASSERT_TRUE(room.file_writer.flush());
  ASSERT_TRUE(room.file_writer.sync());
  EXPECT_FALSE(room.tiers.journal().holds(kId));
}

// The file is older while the tombstone is on its way there.
TEST_F(TakingTest, key_that_was_erased_is_not_listed_again_because_its_old_file_was_read) {
  into_file(document(4, "older"));
  room.write(data, tombstone(5));
  room.tiers.read_file(kId);
  EXPECT_EQ(room.tiers.keys("d", std::nullopt, 10), Names{});
  EXPECT_EQ(room.tiers.index().find(kId)->version, version(5));
}

// --- hold_in_files ---

// Its older file goes, and then a dead process's record that is older still would be the newest.
TEST_F(TakingTest, confirmed_write_that_the_disk_refuses_stays_in_the_journal_until_its_file_I3) {
  into_file(document(4, "older"));
  room.write(data, document(5, "5"));
  room.settle_all();
  ground.refuse_new_files();
  room.tiers.keep_in_files(kId, document(5, "5"));
  EXPECT_EQ(room.file(), "<nothing>");
  ASSERT_TRUE(room.file_writer.sync());
  EXPECT_TRUE(room.tiers.journal().holds(kId));
  ground.disk_works();
  ASSERT_TRUE(room.file_writer.flush());
  ASSERT_TRUE(room.file_writer.sync());
  EXPECT_EQ(room.file(), "5");
  EXPECT_FALSE(room.tiers.journal().holds(kId));
}

TEST_F(TakingTest, confirmed_write_is_held_against_an_older_file_of_another_process) {
  into_file(document(5, "5"));
  room.tiers.hold_in_files(kId, document(5, "5"));
  EXPECT_EQ(room.grew, 0) << "it is there";
  room.tiers.hold_in_files(kId, document(6, "6"));
  EXPECT_EQ(room.grew, 0) << "the index has what is older: its file is on its way";
  room.tiers.files().remove(kId, version(5));
  room.tiers.hold_in_files(kId, document(6, "6"));
  EXPECT_EQ(room.file(), "6");
}

TEST_F(TakingTest, confirmed_write_gives_way_to_a_later_one_of_ours) {
  room.write(data, document(7, "7"));
  room.tiers.files().remove(kId, version(7));
  room.tiers.hold_in_files(kId, document(6, "6"));
  EXPECT_EQ(room.file(), "<nothing>");
}

// Else nobody would know of it, and what another process left behind could come back.
TEST_F(TakingTest, tombstone_that_is_in_no_file_is_held_by_memory_until_it_is_I4) {
  into_file(document(4));
  ground.refuse_new_files();
  EXPECT_TRUE(take_row(tombstone(5)));
  EXPECT_EQ(room.file(), "<nothing>") << "the older file has made way";
  EXPECT_EQ(room.in_memory(data), "<tombstone>");
  EXPECT_TRUE(room.is_pinned(data));
  ground.disk_works();
  ground.run_for(10s);
  EXPECT_EQ(room.file(), "<tombstone>");
  EXPECT_FALSE(room.is_pinned(data));
}

}  // namespace
}  // namespace tiercache::detail
