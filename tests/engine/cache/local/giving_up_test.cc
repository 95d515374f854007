// What the local tiers give up: for the store, for a pattern, for good; and what could not be
// written meanwhile.
#include <gtest/gtest.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cache/local/local_tiers.h"
#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

using Names = std::vector<std::string>;

class GivingUpTest : public ::testing::Test {
 protected:
  // In memory and its file, confirmed by the store.
  void have(const Entry& entry, const EntryId& id = kId) {
    room.write(data, entry, id);
    ground.run_for(1s);
    room.settle_all();
    ASSERT_TRUE(room.file_writer.sync());
    ASSERT_FALSE(room.tiers.journal().holds(id));
  }
  std::uint64_t filed_version(const EntryId& id) {
    const EntryPtr entry = room.tiers.files().read(id).entry;
    return entry ? entry->version.time : 0;
  }

  Ground ground;
  LocalRoom room{ground};
  DatasetState& data = ground.open();
};

// --- For good ---

TEST_F(GivingUpTest, key_of_that_version_is_dropped_from_files_and_memory) {
  have(document(5));
  EXPECT_TRUE(room.tiers.drop(kId, version(5)));
  EXPECT_EQ(room.in_memory(data), "<nothing>");
  EXPECT_EQ(room.file(), "<nothing>");
  EXPECT_FALSE(room.tiers.index().find(kId).has_value());
  EXPECT_EQ(room.left, Names{"k"});
}

TEST_F(GivingUpTest, key_that_the_journal_has_yet_to_bring_somewhere_is_not_dropped_I1) {
  room.write(data, document(5, "5"));
  ground.run_for(1s);
  EXPECT_FALSE(room.tiers.drop(kId, version(5))) << "the store has not confirmed it";
  room.settle_all();
  ASSERT_TRUE(room.tiers.journal().holds(kId));
  EXPECT_FALSE(room.tiers.drop(kId, version(5))) << "its file is not synced";
  EXPECT_EQ(room.found(data), "5");
  EXPECT_TRUE(room.left.empty());
}

TEST_F(GivingUpTest, key_of_a_newer_version_is_not_dropped) {
  have(document(5));
  EXPECT_FALSE(room.tiers.drop(kId, version(4)));
  ground.refuse_files();
  EXPECT_FALSE(room.tiers.drop(kId, version(5))) << "nor one whose file the disk keeps";
  ground.disk_works();
  EXPECT_EQ(room.found(data), "1");
}

TEST_F(GivingUpTest, document_that_the_store_lacks_up_to_its_horizon_was_deleted_there_I4) {
  have(document(5));
  EXPECT_FALSE(room.tiers.drop_deleted(kId, version(4)));
  EXPECT_TRUE(room.tiers.drop_deleted(kId, version(5)));
  EXPECT_FALSE(room.tiers.drop_deleted(kId, version(5))) << "it is not here";
  have(tombstone(6));
  EXPECT_FALSE(room.tiers.drop_deleted(kId, version(9))) << "tombstones stay their time";
}

TEST_F(GivingUpTest, file_that_went_away_is_forgotten_up_to_its_version) {
  have(document(5));
  room.tiers.forget_missing(kId, version(4));
  EXPECT_EQ(room.tiers.known(&data, kId).version, version(5));
  room.tiers.forget_missing(kId, version(5));
  EXPECT_TRUE(room.tiers.known(&data, kId).version.is_zero());
}

TEST_F(GivingUpTest, schedules_hear_of_a_key_that_is_gone_whatever_the_reason) {
  const Names gone{"k"};
  const auto told = [&] { return std::exchange(room.left, {}); };
  have(document(5));
  room.tiers.forget_missing(kId, version(5));
  EXPECT_EQ(told(), gone);
  have(document(6));
  ASSERT_TRUE(room.tiers.withdraw(kId, version(6), nullptr).ok());
  EXPECT_EQ(told(), gone);
  room.into_file(document(6));
  room.into_memory(data, document(6));
  ASSERT_TRUE(room.tiers.withdraw_late(kId, version(6)));
  EXPECT_EQ(told(), gone);
  room.into_memory(data, document(7));
  room.tiers.forget_in_memory(kId, version(7));
  EXPECT_EQ(told(), gone);
}

TEST_F(GivingUpTest, refused_file_goes_without_a_row_where_the_disk_does_not_take_that_I5) {
  have(document(5, "refused"));
  ground.refuse_new_files();
  room.left.clear();
  room.tiers.withdraw_or_remove(kId, version(5), shared(document(3, "row")));
  EXPECT_EQ(room.file(), "<nothing>");
  EXPECT_EQ(room.found(data), "<nothing>");
  EXPECT_FALSE(room.left.empty());
}

// --- For the store ---

TEST_F(GivingUpTest, refused_write_makes_way_for_the_stores_row_in_file_and_memory_I5) {
  have(document(5, "refused"));
  EXPECT_TRUE(room.tiers.withdraw(kId, version(5), shared(document(3, "row"))).ok());
  EXPECT_EQ(room.file(), "row");
  EXPECT_EQ(room.found(data), "row");
}

TEST_F(GivingUpTest, refused_write_of_which_the_store_has_no_row_goes) {
  have(document(5, "refused"));
  EXPECT_TRUE(room.tiers.withdraw(kId, version(5), nullptr).ok());
  EXPECT_EQ(room.found(data), "<nothing>");
  EXPECT_FALSE(room.tiers.index().find(kId).has_value());
}

TEST_F(GivingUpTest, refused_write_that_was_on_its_way_to_its_file_does_not_get_there_I5) {
  room.write(data, document(5, "refused"));
  EXPECT_TRUE(room.tiers.withdraw(kId, version(5), shared(document(3, "row"))).ok());
  ground.run_for(1s);
  EXPECT_NE(room.found(data), "refused");
  EXPECT_NE(room.file(), "refused");
}

TEST_F(GivingUpTest, other_version_in_the_file_stays_when_ours_is_refused_I3) {
  have(document(5, "ours"));
  room.into_file(document(7, "anothers"));
  EXPECT_TRUE(room.tiers.withdraw(kId, version(5), shared(document(3, "row"))).ok());
  EXPECT_EQ(room.file(), "anothers");
}

// Removed and not replaced, the key would have nothing left here.
TEST_F(GivingUpTest, disk_that_does_not_give_up_the_refused_file_serves_it_as_before_I1) {
  have(document(5, "refused"));
  ground.refuse_files();
  EXPECT_FALSE(room.tiers.withdraw(kId, version(5), shared(document(3, "row"))).ok());
  EXPECT_EQ(room.in_memory(data), "refused");
  ground.disk_works();
  EXPECT_EQ(room.file(), "refused");
  EXPECT_TRUE(room.tiers.withdraw(kId, version(5), shared(document(3, "row"))).ok());
  EXPECT_EQ(room.found(data), "row");
}

TEST_F(GivingUpTest, refused_write_that_waits_for_its_dataset_is_forgotten) {
  room.tiers.keep_unwritten(kId, shared(document(5)));
  EXPECT_TRUE(room.tiers.withdraw(kId, version(4), nullptr).ok());
  EXPECT_NE(room.tiers.unwritten(kId), nullptr) << "a later one";
  EXPECT_TRUE(room.tiers.withdraw(kId, version(5), nullptr).ok());
  EXPECT_EQ(room.tiers.unwritten(kId), nullptr);
}

TEST_F(GivingUpTest, who_comes_late_with_the_refused_version_gives_way_and_no_other_does) {
  EXPECT_FALSE(room.tiers.withdraw_late(kId, version(5))) << "nothing was refused";
  ASSERT_TRUE(room.tiers.withdraw(kId, version(5), shared(document(3, "row"))).ok());
  room.into_file(document(5, "late"));
  EXPECT_FALSE(room.tiers.withdraw_late(kId, version(6)));
  EXPECT_FALSE(room.tiers.withdraw_late({"d", "other"}, version(5)));
  EXPECT_TRUE(room.tiers.withdraw_late(kId, version(5)));
  EXPECT_EQ(room.file(), "row");
  EXPECT_EQ(room.tiers.index().find(kId)->version, version(3));
}

TEST_F(GivingUpTest, refusals_are_remembered_for_some_thousand_keys_I8) {
  const auto id = [](int n) { return EntryId{"d", std::to_string(n)}; };
  for (int n = 0; n < 4'096; ++n) ASSERT_TRUE(room.tiers.withdraw(id(n), version(5), nullptr).ok());
  for (int n = 0; n < 10; ++n) ASSERT_TRUE(room.tiers.withdraw(id(0), version(6), nullptr).ok());
  EXPECT_TRUE(room.tiers.withdraw_late(id(0), version(6)));
  EXPECT_TRUE(room.tiers.withdraw_late(id(1), version(5)));
  ASSERT_TRUE(room.tiers.withdraw(id(4'096), version(5), nullptr).ok());
  EXPECT_FALSE(room.tiers.withdraw_late(id(0), version(6))) << "the oldest goes";
  EXPECT_TRUE(room.tiers.withdraw_late(id(1), version(5)));
}

TEST_F(GivingUpTest, what_a_refused_write_had_hidden_and_the_store_lacks_is_served_again_I1) {
  room.write(data, document(4, "waits"));
  room.into_file(document(5, "refused"));
  room.tiers.take(kId, shared(document(5, "refused")));
  ASSERT_TRUE(room.tiers.withdraw(kId, version(5), nullptr).ok());
  room.tiers.serve_what_was_below(kId);
  EXPECT_EQ(room.found(data), "waits");
  ground.run_for(1s);
  EXPECT_EQ(room.file(), "waits");
}

TEST_F(GivingUpTest, write_that_waits_for_its_file_stays_in_the_index_when_an_older_one_gives_way) {
  room.into_file(document(5, "refused"));
  room.write(data, document(6, "waits"));
  ASSERT_TRUE(room.tiers.withdraw(kId, version(5), nullptr).ok());
  ASSERT_TRUE(room.tiers.index().find(kId));
  EXPECT_EQ(room.tiers.index().find(kId)->version, version(6));
}

TEST_F(GivingUpTest, nothing_below_is_served_where_the_store_has_it_or_something_newer_is_here) {
  have(document(4, "confirmed"));
  room.tiers.files().remove(kId, version(4));
  room.moved.clear();
  room.tiers.serve_what_was_below(kId);
  EXPECT_TRUE(room.moved.empty());
  room.write(data, document(6, "waits"));
  room.into_file(document(7, "newer"));
  room.moved.clear();
  room.tiers.serve_what_was_below(kId);
  EXPECT_TRUE(room.moved.empty());
  EXPECT_EQ(room.file(), "newer");
}

// --- For a pattern ---

TEST_F(GivingUpTest, files_that_match_become_tombstones_with_their_clocks) {
  have(document(5), {"d", "a1"});
  have(document(5), {"d", "b1"});
  EXPECT_TRUE(room.tiers.erase_files_matching("d", "a*", version(6)));
  EXPECT_EQ(room.file({"d", "a1"}), "<tombstone>");
  EXPECT_EQ(filed_version({"d", "a1"}), 6u);
  EXPECT_EQ(room.tiers.index().find({"d", "a1"})->clocks.last_fetch, kStart);
  EXPECT_EQ(room.file({"d", "b1"}), "1");
  EXPECT_EQ(room.left, Names{"a1"});
}

TEST_F(GivingUpTest, more_files_than_are_written_with_one_sync_are_all_erased) {
  for (int n = 0; n < 600; ++n) {
    const EntryId id{"d", std::to_string(n)};
    room.into_file(document(5), id);
  }
  EXPECT_TRUE(room.tiers.erase_files_matching("d", "*", version(6)));
  for (int n = 0; n < 600; ++n) EXPECT_EQ(filed_version({"d", std::to_string(n)}), 6u) << n;
  EXPECT_EQ(room.left.size(), 600u);
}

// The first time may have ended before its sync.
TEST_F(GivingUpTest, files_that_were_erased_are_written_anew_when_the_erase_is_made_again) {
  have(document(5));
  ASSERT_TRUE(room.tiers.erase_files_matching("d", "*", version(6)));
  int writes = 0;
  ground.disk->on_operation([&](std::uint64_t, const std::string& what) {
    writes += what.starts_with("exchange /cache/tmp/") ? 1 : 0;
  });
  EXPECT_TRUE(room.tiers.erase_files_matching("d", "*", version(6)));
  EXPECT_EQ(writes, 1);
}

TEST_F(GivingUpTest, files_that_the_disk_keeps_are_hidden_until_they_can_be_erased_I4) {
  have(document(5), {"d", "a1"});
  have(document(5), {"d", "a2"});
  room.journal_erase("*", 6);
  const auto erase_is_live = [&] {
    return room.tiers.hides({"d", "a1"}, version(5)) || room.tiers.hides({"d", "a2"}, version(5));
  };
  ground.refuse_new_files();
  room.tiers.erase_matching(data, "*", version(6));
  room.settle_all();
  ground.disk_works();
  EXPECT_EQ(room.file({"d", "a1"}), "1") << "it is there, and";
  EXPECT_EQ(text_of(room.tiers.read_file({"d", "a1"}).entry), "<tombstone>") << "nobody sees it";
  ASSERT_TRUE(room.file_writer.sync()) << "which tries again first";
  EXPECT_EQ(filed_version({"d", "a1"}), 6u);
  EXPECT_EQ(filed_version({"d", "a2"}), 6u);
  EXPECT_FALSE(erase_is_live()) << "the journal need not hide them any longer";
}

TEST_F(GivingUpTest, erase_goes_on_trying_while_the_disk_refuses_and_the_journal_keeps_it_I4) {
  have(document(5));
  room.journal_erase("*", 6);
  ground.refuse_new_files();
  room.tiers.erase_matching(data, "*", version(6));
  room.settle_all();
  room.file_writer.sync();
  room.file_writer.sync();
  EXPECT_TRUE(room.tiers.hides(kId, version(5)));
  ground.disk_works();
  room.file_writer.sync();
  EXPECT_EQ(room.file(), "<tombstone>");
  EXPECT_FALSE(room.tiers.hides(kId, version(5)));
}

// --- What cannot be written ---

TEST_F(GivingUpTest, newest_of_what_could_not_be_written_waits_for_its_dataset) {
  const EntryId id{"later", "k"};
  EXPECT_FALSE(room.tiers.has_unwritten());
  room.tiers.keep_unwritten(id, shared(document(5, "5")));
  room.tiers.keep_unwritten(id, shared(document(4, "4")));
  EXPECT_EQ(text_of(room.tiers.unwritten(id)), "5");
  room.tiers.keep_unwritten(id, shared(document(5, "again")));
  EXPECT_EQ(text_of(room.tiers.unwritten(id)), "again") << "clocks may have moved";
  ground.refuse_new_files();
  room.tiers.serve_unwritten();
  EXPECT_TRUE(room.tiers.has_unwritten()) << "nobody has opened its dataset";
  int visited = 0;
  room.tiers.for_each_unwritten(
      [&](const EntryId& one, Version of) { visited += one == id && of == version(5) ? 1 : 0; });
  EXPECT_EQ(visited, 1);
  DatasetState& later = ground.open("later");
  room.tiers.serve_unwritten();
  EXPECT_FALSE(room.tiers.has_unwritten());
  EXPECT_EQ(room.in_memory(later, id), "again");
  EXPECT_EQ(room.moved, Names{"k"});
  ground.disk_works();
  ground.run_for(10s);
  EXPECT_EQ(room.file(id), "again");
}

// Whoever else shares the directory reads the file.
TEST_F(GivingUpTest, unwritten_entry_whose_dataset_nobody_opens_is_filed_once_the_disk_works_I10) {
  const EntryId id{"never opened", "k"};
  Record record;
  record.id = id;
  record.entry = document(5, "5");
  ASSERT_EQ(room.journal(record), AppendStatus::durable);
  room.settle_all();
  ground.refuse_new_files();
  room.tiers.keep_unwritten(id, shared(document(5, "5")));
  room.tiers.serve_unwritten();
  ground.disk_works();
  room.tiers.serve_unwritten();
  EXPECT_FALSE(room.tiers.has_unwritten());
  EXPECT_EQ(room.file(id), "5");
  ASSERT_TRUE(room.file_writer.sync());
  EXPECT_FALSE(room.tiers.journal().holds(id));
}

TEST_F(GivingUpTest, unwritten_entry_gives_way_to_a_newer_one_in_memory_and_its_clocks_merge_I3) {
  room.write(data, document(5, "5"));
  room.unfiled.clear();
  room.tiers.keep_unwritten(kId, shared(document(4, "4")));
  room.tiers.serve_unwritten();
  EXPECT_EQ(room.in_memory(data), "5");
  EXPECT_TRUE(room.unfiled.empty());
  Entry moved = document(5, "5");
  moved.clocks.last_rich_fetch = kStart;
  moved.clocks.last_fetch = kStart - 1h;
  room.tiers.keep_unwritten(kId, shared(moved));
  room.tiers.serve_unwritten();
  const Clocks clocks = room.tiers.known(&data, kId).standing()->clocks;
  EXPECT_EQ(clocks.last_rich_fetch, kStart);
  EXPECT_EQ(clocks.last_fetch, kStart);
}

TEST_F(GivingUpTest, unwritten_entry_that_does_not_decode_is_not_served) {
  DatasetState& picky = ground.open("picky", [](DatasetPolicy& policy) {
    policy.decode = [](const std::string&) -> Decoded { throw std::runtime_error("bad"); };
  });
  room.tiers.keep_unwritten({"picky", "k"}, shared(document(5)));
  room.tiers.serve_unwritten();
  EXPECT_EQ(room.in_memory(picky, {"picky", "k"}), "<nothing>");
}

TEST_F(GivingUpTest, unwritten_entry_is_not_served_over_what_the_files_have_newer_I4) {
  room.tiers.files().write(kId, tombstone(6), EntryFiles::Sync::before);
  room.tiers.keep_unwritten(kId, shared(document(5, "a dead process's")));
  room.tiers.serve_unwritten();
  EXPECT_EQ(room.in_memory(data), "<nothing>");
  EXPECT_EQ(room.found(data), "<tombstone>");
}

TEST_F(GivingUpTest, unwritten_entry_is_not_served_where_an_erase_hides_it_I4) {
  room.tiers.keep_unwritten(kId, shared(document(5, "a dead process's")));
  ASSERT_EQ(room.journal_erase("*", 6), AppendStatus::durable);
  room.tiers.serve_unwritten();
  EXPECT_EQ(room.in_memory(data), "<nothing>");
}

}  // namespace
}  // namespace tiercache::detail
