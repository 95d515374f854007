// What the store's answers ask of the local tiers, and what goes there in a write's stead.
#include "cache/writing/store_writer.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class StoreWriterTest : public ::testing::Test {
 protected:
  void write(Entry entry, std::optional<Version> guard = {}) {
    ASSERT_EQ(room.local.write(data, std::move(entry), kId, guard), AppendStatus::durable);
  }
  // The store has refused it, and the journal knows that already.
  void write_refused(Entry entry) {
    write(std::move(entry));
    room.local.settle_all();
  }
  void into_file(const Entry& entry) { room.local.into_file(entry); }
  void move_clocks(std::uint64_t of, WallTime fetched) {
    const Record record = clocks_record(of, fetched_at(fetched));
    ASSERT_EQ(room.local.journal(record), AppendStatus::durable);
  }
  bool send_all() {
    room.store_writer.start();
    return room.run_until_idle();
  }
  std::string row() const { return text_of(ground.row()); }

  Ground ground;
  WritingRoom room{ground};
  LocalTiers& tiers = room.local.tiers;
  DatasetState& data = ground.open();
};

TEST_F(StoreWriterTest, nothing_is_sent_or_idle_without_a_store) {
  Ground without([](CacheOptions& options) { options.store = nullptr; });
  WritingRoom alone(without);
  alone.store_writer.start();
  EXPECT_FALSE(alone.store_writer.sends());
  EXPECT_TRUE(alone.store_writer.is_idle());
  EXPECT_EQ(alone.store_writer.describe_slow({}), "");
}

TEST_F(StoreWriterTest, what_the_journal_holds_is_in_the_store_and_counted_I1) {
  write(document(5, "5"));
  EXPECT_FALSE(room.store_writer.sends());
  ASSERT_TRUE(send_all());
  EXPECT_EQ(row(), "5");
  EXPECT_EQ(room.store_writer.settled(), 1u);
  EXPECT_FALSE(tiers.journal().is_unsettled(kId));
}

TEST_F(StoreWriterTest,
       nothing_goes_to_a_store_that_is_not_the_directorys_until_it_is_accepted_I1) {
  write(document(5, "5"));
  room.local.belong_to_another_store();
  room.store_writer.start();
  ground.run_for(1min);
  EXPECT_EQ(row(), "<nothing>");
  EXPECT_FALSE(room.store_writer.is_idle());
  ASSERT_TRUE(room.store.identity.accept());
  room.store_writer.kick();
  ASSERT_TRUE(room.run_until_idle());
  EXPECT_EQ(row(), "5");
}

TEST_F(StoreWriterTest, drain_of_a_cache_that_has_gone_sends_nothing) {
  write(document(5));
  ground.owner.reset();
  room.store_writer.start();
  ground.run_for(1min);
  EXPECT_EQ(row(), "<nothing>");
}

// --- The store has something newer ---

TEST_F(StoreWriterTest, newer_row_is_taken_here_I3) {
  write(document(5, "5"));
  ground.put_row(document(7, "7"));
  ASSERT_TRUE(send_all());
  EXPECT_EQ(room.local.found(data), "7");
  EXPECT_EQ(room.store_writer.settled(), 1u);
}

TEST_F(StoreWriterTest, guarded_write_that_lost_makes_way_for_the_row_it_was_not_made_from_I5) {
  ground.put_row(document(5, "anothers"));
  write(document(7, "refresh"), version(3));
  ground.run_for(1s);
  ASSERT_TRUE(send_all());
  EXPECT_EQ(row(), "anothers");
  EXPECT_EQ(room.local.found(data), "anothers");
  EXPECT_EQ(room.local.file(), "anothers");
}

TEST_F(StoreWriterTest, disk_that_does_not_give_up_what_lost_keeps_it_in_the_journal_I1) {
  ground.put_row(document(5, "anothers"));
  write(document(7, "refresh"), version(3));
  ground.run_for(1s);
  ground.refuse_files();
  room.store_writer.start();
  ground.run_for(10s);
  EXPECT_TRUE(tiers.journal().is_unsettled(kId));
  EXPECT_EQ(room.local.found(data), "refresh") << "as before";
  ground.disk_works();
  tiers.journal().resume();
  room.store_writer.kick();
  ASSERT_TRUE(room.run_until_idle());
  EXPECT_EQ(room.local.found(data), "anothers");
}

// Another process's write that had given way to ours in the files came to the store meanwhile.
TEST_F(StoreWriterTest, row_that_came_after_the_winner_was_read_is_the_one_that_is_taken) {
  write_refused(document(7, "refused"));
  ground.put_row(document(6, "newest"));
  room.store_writer.take_winner(kId, version(7), shared(document(5, "winner")));
  EXPECT_EQ(room.local.found(data), "newest");
}

TEST_F(StoreWriterTest, winner_is_taken_where_the_store_cannot_be_asked_again_or_has_older) {
  write_refused(document(7, "refused"));
  ground.store_does(StoreFault::unavailable);
  room.store_writer.take_winner(kId, version(7), shared(document(5, "winner")));
  EXPECT_EQ(room.local.found(data), "winner");
  write_refused(document(9, "refused"));
  ground.store->set_fault({});
  ground.put_row(document(4, "older"));
  room.store_writer.take_winner(kId, version(9), shared(document(6, "winner 2")));
  EXPECT_EQ(room.local.found(data), "winner 2");
}

TEST_F(StoreWriterTest, refused_write_without_a_winner_leaves_nothing_and_does_not_come_back_I5) {
  write_refused(document(7, "refused"));
  ground.run_for(1s);
  room.store_writer.take_winner(kId, version(7), nullptr);
  EXPECT_EQ(room.local.found(data), "<nothing>");
  EXPECT_FALSE(tiers.journal().holds(kId)) << "nor from the journal";
}

TEST_F(StoreWriterTest, refused_write_that_never_reached_its_file_leaves_the_journal_too_I5) {
  write_refused(document(7, "refused"));
  room.store_writer.take_winner(kId, version(7), nullptr);
  EXPECT_FALSE(tiers.journal().holds(kId)) << "the next open would bring it back";
}

TEST_F(StoreWriterTest, winner_above_ours_is_taken_without_asking_again) {
  write(document(5, "5"));
  const std::uint64_t loads = ground.store->calls("load");
  room.store_writer.take_winner(kId, version(5), shared(document(7, "7")));
  EXPECT_EQ(room.local.found(data), "7");
  EXPECT_EQ(ground.store->calls("load"), loads);
}

TEST_F(StoreWriterTest, clocks_that_were_moved_of_another_content_bring_that_here) {
  into_file(document(5, "5"));
  ground.put_row(document(7, "7"));
  move_clocks(5, kStart + 1s);
  ASSERT_TRUE(send_all());
  EXPECT_EQ(room.local.found(data), "7");
}

// --- Refused ---

TEST_F(StoreWriterTest,
       write_that_the_store_refuses_is_parked_told_and_not_counted_as_settled_I13) {
  std::optional<Settled> told;
  write(document(5, "5"));
  room.settlements.expect(
      {.kind = RecordKind::content, .id = kId, .version = version(5)},
      std::make_shared<Settlements::Waiter>([&](const Settled& settled) { told = settled; }));
  ground.store->set_refusal([](const StoreWrite&) { return "not here"; });
  ASSERT_TRUE(send_all());
  EXPECT_EQ(tiers.journal().stats().parked, 1u);
  EXPECT_EQ(room.store_writer.settled(), 0u);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->how, Settled::How::refused);
  EXPECT_EQ(told->why, "not here");
  EXPECT_EQ(room.local.found(data), "5") << "it is served on";
}

// --- In its stead ---

// Of a pattern of another process the store keeps nothing where it had no row.
TEST_F(StoreWriterTest, tombstone_of_another_process_goes_to_the_store_in_the_writes_stead_I4) {
  write(document(5, "5"));
  into_file(tombstone(7));
  ASSERT_TRUE(send_all());
  EXPECT_EQ(row(), "<tombstone>");
  EXPECT_EQ(ground.row()->version, version(7));
  EXPECT_EQ(ground.store->calls("save"), 1u) << "the document never went there";
}

TEST_F(StoreWriterTest, write_goes_itself_where_the_file_has_no_later_tombstone) {
  write(document(5, "5"));
  into_file(tombstone(4));
  ASSERT_TRUE(send_all());
  EXPECT_EQ(row(), "5");
}

TEST_F(StoreWriterTest, tombstone_that_only_the_index_tells_of_sends_nothing_instead) {
  write(document(5, "5"));
  into_file(tombstone(7));
  ground.disk->remove("/cache/data/" + entry_path(kId));
  ASSERT_TRUE(send_all());
  EXPECT_EQ(row(), "5");
}

TEST_F(StoreWriterTest, erase_of_our_own_comes_to_the_store_by_itself) {
  ground.put_row(document(4, "4"));
  write(document(5, "5"));
  room.local.journal_erase("*", 6);
  into_file(tombstone(6));
  ASSERT_TRUE(send_all());
  EXPECT_EQ(row(), "<tombstone>");
  EXPECT_EQ(ground.store->calls("save"), 0u) << "of what it hides";
  EXPECT_EQ(ground.store->calls("erase_matching"), 1u);
}

TEST_F(StoreWriterTest,
       erase_of_our_own_that_comes_while_the_write_is_sent_needs_no_second_one_I4) {
  write(document(5, "5"));
  ground.store->on_call([this](const std::string& operation) {
    if (operation != "save" || tiers.hides(kId, version(5))) return;
    room.local.journal_erase("*", 6);
    into_file(tombstone(6));
  });
  ASSERT_TRUE(send_all());
  EXPECT_EQ(row(), "<tombstone>");
  EXPECT_EQ(ground.store->calls("save"), 1u);
}

TEST_F(StoreWriterTest, clocks_of_what_the_store_has_lost_bring_the_document_there_again_I1) {
  into_file(document(5, "5"));
  move_clocks(5, kStart + 3s);
  ASSERT_TRUE(send_all());
  EXPECT_EQ(row(), "5");
  EXPECT_EQ(ground.row()->clocks.last_fetch, kStart + 3s);
  EXPECT_EQ(ground.row()->version, version(5));
}

TEST_F(StoreWriterTest, clocks_of_what_is_nowhere_are_settled_without_a_row) {
  move_clocks(5, kStart + 3s);
  ASSERT_TRUE(send_all());
  EXPECT_EQ(row(), "<nothing>");
  into_file(document(6));
  move_clocks(5, kStart + 3s);
  room.store_writer.wake();
  ASSERT_TRUE(room.run_until_idle());
  EXPECT_EQ(row(), "<nothing>") << "the file is of another version";
  into_file(tombstone(7));
  move_clocks(7, kStart + 3s);
  room.store_writer.wake();
  ASSERT_TRUE(room.run_until_idle());
  EXPECT_EQ(row(), "<nothing>") << "nor is a tombstone brought there";
}

TEST_F(StoreWriterTest, clocks_of_a_file_that_cannot_be_read_now_wait_I1) {
  into_file(document(5, "5"));
  move_clocks(5, kStart + 3s);
  ground.refuse(EIO, {"read_file"}, "/data/");
  room.store_writer.start();
  ground.run_for(10s);
  EXPECT_FALSE(room.store_writer.is_idle());
  ground.disk_works();
  tiers.journal().resume();
  room.store_writer.kick();
  ASSERT_TRUE(room.run_until_idle());
  EXPECT_EQ(row(), "5");
}

TEST_F(StoreWriterTest, clocks_of_a_document_that_is_parked_do_not_send_it_again) {
  write(document(5, "5"));
  ground.run_for(1s);
  ground.store->set_refusal([](const StoreWrite&) { return "not here"; });
  ASSERT_TRUE(send_all());
  ground.store->set_refusal({});
  move_clocks(5, kStart + 3s);
  room.store_writer.wake();
  ASSERT_TRUE(room.run_until_idle());
  EXPECT_EQ(row(), "<nothing>");
  EXPECT_EQ(tiers.journal().stats().parked, 1u);
}

TEST_F(StoreWriterTest, entry_is_sent_again_as_the_version_that_it_is_and_later_rows_win_I3) {
  room.store_writer.start();
  into_file(document(5, "5"));
  AppendStatus status = AppendStatus::unknown;
  const auto done = [&](const AppendResult& result) { status = result.status; };
  room.store_writer.send_again(kId, document(5, "5"), {}, done);
  EXPECT_EQ(status, AppendStatus::durable);
  ASSERT_TRUE(room.run_until_idle());
  EXPECT_EQ(ground.row()->version, version(5));
  ASSERT_TRUE(room.local.file_writer.sync());  // until then the journal holds this version
  ground.put_row(document(7, "7"));
  room.store_writer.send_again(kId, document(5, "5"), {}, done);
  ASSERT_TRUE(room.run_until_idle());
  EXPECT_EQ(row(), "7");
  EXPECT_EQ(room.local.found(data), "7");
}

// --- Once it is settled ---

TEST_F(StoreWriterTest, confirmed_write_is_put_back_where_another_process_had_put_something_older) {
  write(document(7, "7"));
  ground.run_for(1s);
  tiers.files().replace(kId, version(9), document(5, "older"));
  tiers.memory().remove(data.ref("k"), version(9));
  tiers.files().index().remove(kId, version(9));
  ASSERT_TRUE(send_all());
  EXPECT_EQ(room.local.file(), "7");
}

TEST_F(StoreWriterTest, row_that_came_into_a_file_while_the_erase_was_under_way_goes_I4) {
  room.local.journal_erase("*", 6);
  into_file(document(5, "met meanwhile"));
  ASSERT_TRUE(send_all());
  EXPECT_EQ(room.local.file(), "<tombstone>");
}

TEST_F(StoreWriterTest, whoever_waits_for_a_settlement_is_called_at_once_where_none_is_due) {
  int calls = 0;
  const auto call = [&] { ++calls; };
  room.store_writer.start();
  room.store_writer.when_settled(kId, version(5), ground.in(1min), call);
  EXPECT_EQ(calls, 1) << "nothing of it is on its way";
  ground.store_does(StoreFault::unavailable);
  write(document(6));
  room.store_writer.when_settled(kId, version(5), ground.in(1min), call);
  EXPECT_EQ(calls, 2) << "a later one is";
  room.store_writer.when_settled(kId, version(6), ground.in(1min), call);
  EXPECT_EQ(calls, 2);
  ground.store->set_fault({});
  room.store_writer.kick();
  ASSERT_TRUE(room.run_until_idle());
  EXPECT_EQ(calls, 3);
  ground.run_for(2min);
  EXPECT_EQ(calls, 3) << "once";
}

TEST_F(StoreWriterTest, whoever_waits_for_a_settlement_is_called_at_the_deadline_I7) {
  int calls = 0;
  room.store_writer.start();
  ground.store_does(StoreFault::unavailable);
  write(document(5));
  room.store_writer.when_settled(kId, version(5), ground.in(1s), [&] { ++calls; });
  ground.run_for(999ms);
  EXPECT_EQ(calls, 0);
  ground.run_for(1ms);
  EXPECT_EQ(calls, 1);
  ground.store->set_fault({});
  room.store_writer.kick();
  ASSERT_TRUE(room.run_until_idle());
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace tiercache::detail
