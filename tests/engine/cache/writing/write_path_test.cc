// The way of a write: durable before it is visible, one answer to each, and the store as the last
// tier where the disk refuses.
#include "cache/writing/write_path.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

using Status = ChangeResult::Status;

class WritePathPartTest : public ::testing::Test {
 protected:
  Change put(std::string text, const std::string& key = "k") {
    return WritingRoom::change(data, std::move(text), key);
  }
  ChangeResult write(Change change) { return room.write(std::move(change)); }
  void refuse_journal() {
    ground.refuse(ENOSPC, {"open", "write_at", "sync_data", "rename"}, "/cache/journal/");
  }
  // Nothing is under way any more, so that a write which compares goes through.
  bool all_ended() {
    Change change = put("probe");
    change.if_version = room.stamps.newest(data, kId);
    const bool ended = !room.stamps.stamp(change, ground.in(1s));
    room.stamps.end(change);
    return ended;
  }
  std::string found() { return room.local.found(data); }

  Ground ground;
  WritingRoom room{ground};
  DatasetState& data = ground.open();
};

TEST_F(WritePathPartTest, write_is_durable_visible_and_answered_with_its_version_I1) {
  const ChangeResult result = write(put("1"));
  EXPECT_EQ(result.status, Status::durable);
  EXPECT_EQ(found(), "1");
  EXPECT_EQ(room.local.tiers.known(&data, kId).version, result.version);
  EXPECT_TRUE(room.local.tiers.journal().holds(kId));
  EXPECT_TRUE(all_ended());
  EXPECT_EQ(room.writes.latency.read().count, 1u);
}

TEST_F(WritePathPartTest, many_writes_are_synced_once_and_answered_together_in_their_order) {
  const std::uint64_t before = room.local.tiers.journal().stats().syncs;
  std::vector<Change> changes;
  for (int n = 0; n < 5; ++n) changes.push_back(put("1", std::to_string(n)));
  changes[3].if_version = version(99);
  const auto results = room.writes.write_and_wait(std::move(changes), 1s);
  ASSERT_EQ(results.size(), 5u);
  for (std::size_t n = 0; n < 5; ++n) {
    EXPECT_EQ(results[n].status, n == 3 ? Status::conflict : Status::durable) << n;
  }
  EXPECT_EQ(room.local.tiers.journal().stats().syncs, before + 1);
}

TEST_F(WritePathPartTest, no_writes_at_all_are_answered) {
  EXPECT_TRUE(room.writes.write_and_wait({}, 1s).empty());
}

TEST_F(WritePathPartTest, journal_that_is_full_says_so_and_nothing_is_there_I8_I13) {
  Ground small([](CacheOptions& options) { options.journal.max_bytes = 1'000; });
  WritingRoom writing(small);
  DatasetState& dataset = small.open();
  ASSERT_EQ(writing.write(WritingRoom::change(dataset, std::string(500, '1'))).status,
            Status::durable);
  const ChangeResult full =
      writing.write(WritingRoom::change(dataset, std::string(600, '2'), "other"));
  EXPECT_EQ(full.status, Status::full);
  EXPECT_NE(full.why.find("max_bytes = 1000"), std::string::npos) << full.why;
  EXPECT_EQ(writing.local.found(dataset, {"d", "other"}), "<nothing>");
  EXPECT_EQ(writing.stamps.newest(dataset, {"d", "other"}), Version{}) << "it has ended";
}

// Half of the budget waits for its files.
TEST_F(WritePathPartTest, writers_bring_to_files_what_fills_the_memory_I8) {
  Ground small([](CacheOptions& options) { options.memory.max_bytes = 20'000; });
  WritingRoom writing(small);
  DatasetState& dataset = small.open();
  writing.write(WritingRoom::change(dataset, std::string(12'000, '1')));
  ASSERT_EQ(writing.local.file_writer.waiting(), 1u);
  writing.write(WritingRoom::change(dataset, "2", "other"));
  EXPECT_FALSE(writing.local.is_pinned(dataset));
  EXPECT_EQ(writing.local.file_writer.waiting(), 1u) << "the other one";
}

// --- The disk refuses ---

TEST_F(WritePathPartTest, store_is_the_last_tier_where_the_journal_is_refused_I1) {
  refuse_journal();
  const ChangeResult result = write(put("1"));
  EXPECT_EQ(result.status, Status::stored);
  EXPECT_EQ(text_of(ground.row()), "1");
  EXPECT_EQ(found(), "1");
  EXPECT_TRUE(all_ended());
}

TEST_F(WritePathPartTest, write_that_no_tier_takes_is_not_applied_and_not_visible_I13) {
  refuse_journal();
  ground.store_does(StoreFault::unavailable);
  const ChangeResult result = write(put("1"));
  EXPECT_EQ(result.status, Status::not_applied);
  EXPECT_EQ(found(), "<nothing>");
  EXPECT_TRUE(all_ended());
}

TEST_F(WritePathPartTest, write_whose_answer_from_the_store_is_lost_is_unknown_I13) {
  refuse_journal();
  ground.store_does(StoreFault::unknown_done);
  EXPECT_EQ(write(put("1")).status, Status::unknown);
  EXPECT_EQ(found(), "<nothing>") << "nobody is shown what may not be there";
  EXPECT_TRUE(all_ended());
}

TEST_F(WritePathPartTest, write_that_the_store_refuses_is_not_applied_and_says_why) {
  refuse_journal();
  ground.store->set_refusal([](const StoreWrite&) { return "not here"; });
  const ChangeResult result = write(put("1"));
  EXPECT_EQ(result.status, Status::not_applied);
  EXPECT_NE(result.why.find("not here"), std::string::npos);
}

TEST_F(WritePathPartTest, write_that_the_store_has_newer_than_gives_way_to_that_I3) {
  Entry row = document(1, "newer");
  row.version = ground.runtime.versions.next();
  row.version.time += std::uint64_t{10'000} << Version::kCounterBits;
  ground.put_row(row);
  refuse_journal();
  EXPECT_EQ(write(put("1")).status, Status::superseded);
  EXPECT_EQ(found(), "newer");
}

TEST_F(WritePathPartTest, matching_erase_needs_the_journal_I13) {
  ASSERT_EQ(write(put("1")).status, Status::durable);
  refuse_journal();
  EXPECT_NE(write(WritingRoom::erase_matching(data, "*")).status, Status::durable);
  EXPECT_EQ(ground.store->calls("erase_matching"), 0u);
  EXPECT_EQ(found(), "1");
  EXPECT_TRUE(all_ended());
}

TEST_F(WritePathPartTest, erase_is_visible_and_known_to_answers_that_began_before_it_I4) {
  const Version base = write(put("1")).version;
  Change late = put("2");
  late.base = base;
  late.begun = ground.runtime.versions.next();
  ASSERT_EQ(write(WritingRoom::erase_matching(data, "*")).status, Status::durable);
  EXPECT_EQ(found(), "<tombstone>");
  EXPECT_EQ(write(std::move(late)).status, Status::superseded);
}

// --- Who waits for the store ---

TEST_F(WritePathPartTest, waiter_is_expected_before_the_write_can_be_sent_and_told_once) {
  room.store_writer.start();
  std::vector<Settled::How> told;
  Change change = put("1");
  change.waiter = std::make_shared<Settlements::Waiter>(
      [&](const Settled& settled) { told.push_back(settled.how); });
  ASSERT_EQ(write(std::move(change)).status, Status::durable);
  ASSERT_TRUE(room.run_until_idle());
  EXPECT_EQ(told, std::vector<Settled::How>{Settled::How::stored});
}

TEST_F(WritePathPartTest, waiter_of_a_write_that_was_not_journaled_is_forgotten) {
  int told = 0;
  Change change = put("1");
  change.waiter = std::make_shared<Settlements::Waiter>([&](const Settled&) { ++told; });
  refuse_journal();
  EXPECT_EQ(write(std::move(change)).status, Status::stored);
  room.settlements.close();
  EXPECT_EQ(told, 0);
}

}  // namespace
}  // namespace tiercache::detail
