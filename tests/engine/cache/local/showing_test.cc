// What this cache writes becomes visible, once it is durable.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cache/local/local_tiers.h"
#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

using Names = std::vector<std::string>;

class ShowingTest : public ::testing::Test {
 protected:
  // Journals a move of the key's clocks and shows it.
  void move_clocks(std::uint64_t of, const Clocks& clocks) {
    const Record record = clocks_record(of, clocks);
    ASSERT_EQ(room.journal(record), AppendStatus::durable);
    room.tiers.move_clocks(data, kId, record.entry);
  }

  Ground ground;
  LocalRoom room{ground};
  DatasetState& data = ground.open();
};

TEST_F(ShowingTest, write_is_in_memory_and_index_and_pinned_until_its_file_is_there) {
  room.write(data, document(5, "new"));
  EXPECT_EQ(room.in_memory(data), "new");
  EXPECT_TRUE(room.is_pinned(data));
  EXPECT_EQ(room.tiers.index().find(kId)->version, version(5));
  EXPECT_EQ(room.file(), "<nothing>");
  EXPECT_EQ(room.unfiled, Names{"k"});
  EXPECT_EQ(room.moved, Names{"k"});
  ground.run_for(1s);
  EXPECT_EQ(room.file(), "new");
  EXPECT_FALSE(room.is_pinned(data));
}

TEST_F(ShowingTest, write_that_an_erase_hides_by_now_is_not_shown_I4) {
  room.journal_erase("*", 6);
  room.write(data, document(5));
  EXPECT_EQ(room.in_memory(data), "<nothing>");
  EXPECT_FALSE(room.tiers.index().find(kId).has_value());
  EXPECT_TRUE(room.unfiled.empty() && room.moved.empty());
  room.write(data, document(6, "6"));
  EXPECT_EQ(room.in_memory(data), "6") << "of the erase's own version";
}

TEST_F(ShowingTest, write_that_the_store_refused_before_it_was_shown_does_not_stay_I5) {
  ASSERT_TRUE(room.tiers.withdraw(kId, version(5), shared(document(4, "row"))).ok());
  room.write(data, document(5, "refused"));
  EXPECT_EQ(room.in_memory(data), "<nothing>");
  ground.run_for(1s);
  EXPECT_NE(room.found(data), "refused");
}

TEST_F(ShowingTest, clocks_move_in_memory_and_reach_the_file) {
  room.write(data, document(5));
  ground.run_for(1s);
  room.moved.clear();
  move_clocks(5, fetched_at(kStart + 2s));
  EXPECT_EQ(room.tiers.known(&data, kId).standing()->clocks.last_fetch, kStart + 2s);
  EXPECT_EQ(room.moved, Names{"k"});
  EXPECT_TRUE(room.is_pinned(data));
  ground.run_for(1s);
  EXPECT_EQ(room.tiers.files().read(kId).entry->clocks.last_fetch, kStart + 2s);
}

TEST_F(ShowingTest, clocks_of_a_document_in_its_file_alone_bring_that_into_memory) {
  room.into_file(document(5, "file"));
  move_clocks(5, fetched_at(kStart + 2s));
  EXPECT_EQ(room.in_memory(data), "file");
  EXPECT_TRUE(room.is_pinned(data));
}

// Else the journal would keep clocks for ever that no file is going to take.
TEST_F(ShowingTest, clocks_of_nothing_leave_the_journal_with_the_next_sync) {
  move_clocks(5, fetched_at(kStart + 2s));
  EXPECT_EQ(room.in_memory(data), "<nothing>");
  EXPECT_EQ(room.touched, 1);
  room.settle_all();
  EXPECT_TRUE(room.tiers.journal().holds(kId));
  ASSERT_TRUE(room.file_writer.sync());
  EXPECT_FALSE(room.tiers.journal().holds(kId));
}

TEST_F(ShowingTest, clocks_of_a_document_that_cannot_be_read_now_stay_in_the_journal_I1) {
  room.into_file(document(5));
  ground.refuse(EIO, {"read_file"}, "/data/");
  move_clocks(5, fetched_at(kStart + 2s));
  ground.disk_works();
  room.settle_all();
  room.file_writer.sync();
  EXPECT_TRUE(room.tiers.journal().holds(kId));
}

// The tombstone that will take the file's place does not take them either.
TEST_F(ShowingTest, clocks_of_what_an_erase_hides_leave_the_journal_with_the_next_sync) {
  room.into_file(document(5));
  ground.refuse_new_files();
  ASSERT_EQ(room.journal_erase("*", 6), AppendStatus::durable);
  room.tiers.erase_matching(data, "*", version(6));
  move_clocks(6, fetched_at(kStart + 2s));
  ground.disk_works();
  room.settle_all();
  ASSERT_TRUE(room.tiers.journal().holds(kId));
  ASSERT_TRUE(room.file_writer.sync());
  EXPECT_FALSE(room.tiers.journal().holds(kId));
  EXPECT_EQ(room.file(), "<tombstone>");
}

TEST_F(ShowingTest, clocks_do_not_bring_back_what_was_erased_I4) {
  room.write(data, tombstone(5));
  move_clocks(4, fetched_at(kStart + 2s));
  EXPECT_EQ(room.in_memory(data), "<tombstone>");
}

TEST_F(ShowingTest, clocks_ahead_of_now_are_not_taken_along_from_the_file) {
  Entry ahead = document(5);
  ahead.clocks.last_fetch = kStart + 24h;
  room.into_file(ahead);
  move_clocks(5, fetched_at(kStart + 2s));
  EXPECT_EQ(room.tiers.known(&data, kId).in_memory.resident->entry.clocks.last_fetch, kStart + 2s);
}

TEST_F(ShowingTest, matching_erase_takes_memory_and_puts_tombstones_into_the_files) {
  room.write(data, document(5), {"d", "a1"});
  room.write(data, document(5), {"d", "b1"});
  ground.run_for(1s);
  room.write(data, document(6), {"d", "a2"});  // in memory alone
  room.journal_erase("a*", 7);
  room.tiers.erase_matching(data, "a*", version(7));
  EXPECT_EQ(room.in_memory(data, {"d", "a1"}), "<nothing>");
  EXPECT_EQ(room.file({"d", "a1"}), "<tombstone>");
  EXPECT_EQ(room.found(data, {"d", "a2"}), "<tombstone>");
  EXPECT_EQ(room.found(data, {"d", "b1"}), "1");
  EXPECT_EQ(room.left, (Names{"a1", "a2"}));
}

// A row or a file was read, then the key was invalidated, and only now what was read is taken.
TEST_F(ShowingTest, entry_that_is_taken_of_the_same_version_takes_no_clocks_back_I1) {
  room.write(data, document(5));
  ground.run_for(1s);
  const Entry read = document(5);
  Clocks invalidated;
  invalidated.invalidated_at = kStart + 2s;
  move_clocks(5, invalidated);
  room.tiers.take(kId, shared(read));
  EXPECT_EQ(room.tiers.known(&data, kId).in_memory.resident->entry.clocks.invalidated_at,
            kStart + 2s);
  EXPECT_GE(ground.runtime.coarse_ticks(),
            room.tiers.known(&data, kId).in_memory.lifetimes.fresh_until);
  ground.run_for(1s);
  EXPECT_EQ(room.tiers.files().read(kId).entry->clocks.invalidated_at, kStart + 2s);
}

TEST_F(ShowingTest, matching_erase_leaves_what_is_newer_I3) {
  room.write(data, document(9, "newer"));
  ground.run_for(1s);
  room.journal_erase("*", 8);
  room.tiers.erase_matching(data, "*", version(8));
  EXPECT_EQ(room.found(data), "newer");
  EXPECT_TRUE(room.left.empty());
}

}  // namespace
}  // namespace tiercache::detail
