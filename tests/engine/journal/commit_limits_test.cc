// What fits into a journal, what a refusing disk leaves of a batch, and when a segment goes.
#include <gtest/gtest.h>

#include <cerrno>

#include "engine/journal/commit_fixture.h"

namespace tiercache::testing {
namespace {

class CommitLimits : public CommitTest {};

// --- What fits ---

TEST_F(CommitLimits, journal_may_be_filled_to_its_last_byte_and_no_further_I8) {
  log.put(content("k", 5, document("k", 500)));
  const std::uint64_t one = live_bytes();
  for (const std::uint64_t room : {2 * one - 1, 2 * one}) {
    MemoryDisk own_disk;
    JournalOnDisk own(own_disk);
    own.options.max_bytes = room;
    ASSERT_TRUE(own.open().ok());
    EXPECT_EQ(own.put(content("a", 5, document("a", 500))).status, AppendStatus::durable);
    EXPECT_EQ(own.put(content("b", 6, document("b", 500))).status,
              room == 2 * one ? AppendStatus::durable : AppendStatus::full);
    EXPECT_LE(own.journal->stats().live_bytes, room);
  }
}

TEST_F(CommitLimits, records_of_one_commit_fill_the_journal_together_I8) {
  open_with_room_for(2'000);
  for (int i = 0; i < 10; ++i) {
    append(content("k" + std::to_string(i), 5, document("k", 500)));
  }
  EXPECT_TRUE(journal().commit());
  EXPECT_LE(live_bytes(), 2'000u);
  int durable = 0;
  for (const auto& [key, result] : answers) durable += result.status == AppendStatus::durable;
  EXPECT_EQ(static_cast<std::uint64_t>(durable), journal().stats().live_records);
  EXPECT_GE(durable, 2);
}

TEST_F(CommitLimits, clocks_fill_the_journal_like_content_I8) {
  open_with_room_for(1'000);
  Record large = clocks("k", 5, {ms(1), {}, {}});
  large.entry.metadata = document("large", 2'000);
  EXPECT_EQ(log.put(large).status, AppendStatus::full);
  EXPECT_EQ(journal().stats().live_records, 0u);
}

TEST_F(CommitLimits, full_journal_takes_what_makes_room_or_says_what_happened_I4) {
  open_with_room_for(1'000);
  log.put(content("k", 5, document("k", 800)));
  ASSERT_EQ(log.put(content("l", 6, document("l", 800))).status, AppendStatus::full);
  EXPECT_EQ(log.put(erase_matching("other/*" + std::string(300, 'x'), 7)).status,
            AppendStatus::durable);
  journal().park(write_of(content("k", 5, "")), std::string(300, 'y'));
  EXPECT_TRUE(journal().commit());
  reopen();
  EXPECT_EQ(journal().parked().size(), 1u);
  EXPECT_EQ(journal().erased_below(id_of("other/" + std::string(300, 'x'))), at(7));
  EXPECT_EQ(log.put(content("k", 8, "1")).status, AppendStatus::durable) << "smaller than before";
}

TEST_F(CommitLimits, larger_record_in_the_place_of_a_smaller_one_counts_by_the_difference_I8) {
  open_with_room_for(1'000);
  ASSERT_EQ(log.put(content("k", 5, document("k", 400))).status, AppendStatus::durable);
  EXPECT_EQ(log.put(content("k", 6, document("k", 700))).status, AppendStatus::durable);
  EXPECT_EQ(log.put(content("k", 7, document("k", 1'200))).status, AppendStatus::full);
  EXPECT_EQ(take().at(0).write.entry.version, at(6));
}

TEST_F(CommitLimits, full_journal_is_compacted_all_the_same) {
  open_with_room_for(5'000);
  for (int i = 0; i < 5; ++i) {
    log.put(content("k" + std::to_string(i), 5, document("k", 700)));
    log.put(content("fill", static_cast<std::uint64_t>(i) + 9, document("fill", 1'000)));
  }
  ASSERT_GT(journal().stats().segments, 1u);
  const std::uint64_t records = journal().stats().live_records;
  ASSERT_TRUE(journal().compact(Journal::Compact::all).ok());
  EXPECT_EQ(journal().stats().live_records, records);
}

// --- A disk that refuses in the middle ---

TEST_F(CommitLimits, batch_over_segments_is_answered_for_each_as_it_went_I13) {
  for (int i = 0; i < 12; ++i) {
    append(content("k" + std::to_string(100 + i), 5, document("k", 1'000)));
  }
  int syncs = 0;
  disk.set_fault([&](const std::string& operation, const std::string&) {
    // The making of a segment is a sync too.
    return operation == "sync_data" && ++syncs >= 4 ? EIO : 0;
  });
  EXPECT_TRUE(journal().commit());
  disk.set_fault(nullptr);
  std::map<AppendStatus, int> count;
  for (const auto& [key, result] : answers) {
    ++count[result.status];
    EXPECT_EQ(result.io.error, result.status == AppendStatus::durable ? 0 : EIO) << key;
  }
  EXPECT_EQ(answers.at("k100").status, AppendStatus::durable);
  EXPECT_EQ(answers.at("k111").status, AppendStatus::not_applied);
  EXPECT_GT(count[AppendStatus::durable], 0);
  EXPECT_GT(count[AppendStatus::unknown], 0);
  EXPECT_GT(count[AppendStatus::not_applied], 0);
  EXPECT_EQ(journal().stats().live_records,
            static_cast<std::uint64_t>(count[AppendStatus::durable]));
  EXPECT_EQ(log.put(content("later", 9, "1")).status, AppendStatus::durable);
  reopen();
  EXPECT_EQ(log.recovered_content("k111"), nullptr);
  EXPECT_NE(log.recovered_content("k100"), nullptr);
  EXPECT_NE(log.recovered_content("later"), nullptr);
}

TEST_F(CommitLimits, failed_write_is_written_anew_in_another_segment_I1) {
  log.put(content("old", 1, document("old")));
  fail("write_at", EIO, 1);
  EXPECT_EQ(log.put(content("k", 2, document("k"))).status, AppendStatus::durable);
  EXPECT_EQ(journal().stats().segments_abandoned, 1u);
  EXPECT_EQ(journal().stats().segments, 1u);
  EXPECT_EQ(segment_files(disk).size(), 1u);
  disk.power_loss(0);
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("old"), nullptr);
  EXPECT_NE(log.recovered_content("k"), nullptr);
}

TEST_F(CommitLimits, what_is_left_behind_moves_with_the_next_write_even_if_only_notes_are_I1) {
  const Record settled = content("settled", 1, "1");
  log.put(settled);
  log.put(content("old", 2, document("old")));
  fail("sync_data", EIO, 2);
  EXPECT_EQ(log.put(content("k", 3, "1")).status, AppendStatus::unknown);
  disk.set_fault(nullptr);
  log.settle(settled);
  EXPECT_TRUE(journal().compact(Journal::Compact::when_due).ok());
  EXPECT_EQ(journal().stats().segments, 1u);
  disk.power_loss(0);
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("old"), nullptr) << "moved means synced";
}

TEST_F(CommitLimits, rescue_takes_records_larger_than_a_segment_along_I1) {
  log.put(content("old", 1, document("old", 3'000)));
  fail("sync_data", EIO, 1);
  append(content("a", 2, document("a", 500)));
  append(content("b", 3, document("b", 400)));
  EXPECT_TRUE(journal().commit());
  EXPECT_EQ(answers.at("a").status, AppendStatus::durable);
  EXPECT_EQ(answers.at("b").status, AppendStatus::durable);
  reopen();
  EXPECT_EQ(log.recovered.size(), 3u);
}

TEST_F(CommitLimits, record_of_just_the_room_that_is_left_needs_no_new_segment) {
  log.put(content("k", 5, document("k", 500)));
  const std::uint64_t one = live_bytes();
  const std::uint64_t left = 4'096 - one;
  const std::uint64_t overhead = one - 500;
  log.put(content("l", 6, document("l", left - overhead)));
  ASSERT_EQ(live_bytes(), 4'096u);
  EXPECT_EQ(journal().stats().segments, 1u);
  log.put(content("m", 7, "1"));
  EXPECT_EQ(journal().stats().segments, 2u);
}

// --- Deleting segments ---

TEST_F(CommitLimits, segment_is_deleted_once_whoever_else_looks_meanwhile) {
  const Record record = content("k", 1, document("k", 4'000));
  log.put(record);
  log.put(content("l", 2, "1"));
  int removals = 0;
  disk.on_operation([&](std::uint64_t, const std::string& what) {
    if (!what.starts_with("remove_file") || ++removals > 1) return;
    journal().files_synced(0);
    EXPECT_TRUE(journal().compact(Journal::Compact::all).ok());
  });
  log.finish(record);
  disk.on_operation(nullptr);
  EXPECT_EQ(removals, 1);
  EXPECT_EQ(journal().stats().segments, 1u);
  reopen();
  EXPECT_NE(log.recovered_content("l"), nullptr);
}

TEST_F(CommitLimits, journal_closed_while_a_segment_is_deleted_is_closed) {
  const Record record = content("k", 1, document("k", 4'000));
  log.put(record);
  log.put(content("l", 2, "1"));
  meanwhile("remove_file", [this] { journal().close(); });
  log.finish(record);
  ASSERT_EQ(interruptions, 1);
  EXPECT_EQ(journal().forget_discarded().error, EBADF);
  reopen(false);
  EXPECT_NE(log.recovered_content("l"), nullptr);
}

TEST_F(CommitLimits, segment_that_somebody_deleted_is_gone) {
  const Record record = content("k", 1, document("k", 4'000));
  log.put(record);
  const std::string path = segment_files(disk).at(0);
  log.put(content("l", 2, "1"));
  disk.remove(path);
  log.finish(record);
  EXPECT_EQ(journal().stats().segments, 1u);
}

}  // namespace
}  // namespace tiercache::testing
