// Group commit: whose turn it is, what is noted, and how clocks are merged.
#include <gtest/gtest.h>

#include <cerrno>

#include "engine/journal/commit_fixture.h"

namespace tiercache::testing {
namespace {

class JournalCommit : public CommitTest {};

// --- Turns ---

TEST_F(JournalCommit, thread_serves_others_for_a_bounded_number_of_rounds) {
  int answered = 0;
  std::function<void()> one_more = [&] {
    journal().append(content("k" + std::to_string(answered), 5, "1"), [&](const AppendResult&) {
      ++answered;
      if (answered < 20) one_more();
    });
  };
  one_more();
  EXPECT_FALSE(journal().commit()) << "somebody must see to the rest";
  EXPECT_EQ(answered, 8);
  EXPECT_FALSE(journal().commit());
  EXPECT_TRUE(journal().commit());
  EXPECT_EQ(answered, 20);
  EXPECT_EQ(journal().stats().syncs, 20u);
}

TEST_F(JournalCommit, record_queued_while_a_thread_writes_is_written_by_that_one) {
  append(content("a", 1, document("a")));
  meanwhile("write_at", [this] {
    append(content("b", 2, document("b")));
    EXPECT_TRUE(journal().commit()) << "another thread has the turn";
    EXPECT_TRUE(answers.empty());
  });
  EXPECT_TRUE(journal().commit());
  ASSERT_EQ(interruptions, 1);
  EXPECT_EQ(answers.at("a").status, AppendStatus::durable);
  EXPECT_EQ(answers.at("b").status, AppendStatus::durable);
  EXPECT_EQ(journal().stats().syncs, 2u);
  reopen();
  EXPECT_EQ(*log.recovered_content("a")->entry.document, document("a"));
  EXPECT_EQ(*log.recovered_content("b")->entry.document, document("b"));
}

TEST_F(JournalCommit, record_queued_while_notes_are_written_is_not_left_behind) {
  const Record settled = content("a", 1, "1");
  log.put(settled);
  log.settle(settled);
  meanwhile("write_at", [this] {
    append(content("b", 2, "1"));
    EXPECT_TRUE(journal().commit());
  });
  EXPECT_TRUE(journal().compact(Journal::Compact::when_due).ok());
  ASSERT_EQ(interruptions, 1);
  EXPECT_EQ(answers.at("b").status, AppendStatus::durable);
}

TEST_F(JournalCommit, journal_closed_in_the_middle_of_a_write_lets_go_when_that_has_ended) {
  append(content("a", 1, document("a")));
  meanwhile("write_at", [this] {
    append(content("b", 2, "1"));
    journal().close();
    EXPECT_EQ(answers.at("b").status, AppendStatus::not_applied);
    EXPECT_EQ(answers.at("b").io.error, EBADF);
  });
  EXPECT_TRUE(journal().commit());
  EXPECT_EQ(answers.at("a").status, AppendStatus::durable);
  JournalOnDisk other(disk);
  other.options.name = "other";
  std::vector<std::string> told;
  std::unique_ptr<Journal> next;
  ASSERT_TRUE(Journal::open(
                  disk.boot(), other.options,
                  [&](const Record& record) { told.push_back(record.id.key); }, &next)
                  .ok());
  EXPECT_EQ(told, std::vector<std::string>{"a"}) << "its lock was let go";
}

TEST_F(JournalCommit, journal_closed_in_the_middle_of_a_write_keeps_its_folder_I1) {
  append(content("a", 1, document("a")));
  meanwhile("sync_data", [this] { journal().close(); });
  EXPECT_TRUE(journal().commit());
  ASSERT_EQ(interruptions, 1);
  EXPECT_FALSE(segment_files(disk).empty()) << "nothing was live yet, and yet it counts";
}

TEST_F(JournalCommit,
       queued_records_are_answered_truly_at_close_whether_anybody_listens_or_not_I13) {
  append(content("a", 1, "1"));
  journal().append(content("b", 2, "1"), nullptr);
  journal().close();
  EXPECT_EQ(answers.at("a").status, AppendStatus::durable);
  append(content("c", 3, "1"));
  EXPECT_EQ(answers.at("c").status, AppendStatus::not_applied);
  journal().append(content("d", 4, "1"), nullptr);
  reopen(false);
  EXPECT_EQ(log.recovered.size(), 2u);
}

TEST_F(JournalCommit, record_queued_while_another_thread_writes_is_refused_at_close_unheard_too) {
  append(content("a", 1, "1"));
  meanwhile("write_at", [this] {
    journal().append(content("b", 2, "1"), nullptr);
    journal().close();
  });
  EXPECT_TRUE(journal().commit());
  reopen(false);
  EXPECT_NE(log.recovered_content("a"), nullptr);
  EXPECT_EQ(log.recovered_content("b"), nullptr);
}

TEST_F(JournalCommit, replaced_segment_goes_with_the_write_that_replaces_it) {
  log.put(content("k", 1, document("k", 4'000)));
  log.put(content("k", 2, document("k", 4'000)));
  EXPECT_EQ(journal().stats().segments, 1u);
  EXPECT_EQ(segment_files(disk).size(), 1u);
}

// --- Notes of what is settled ---

TEST_F(JournalCommit, note_alone_is_not_worth_a_commit) {
  const Record record = content("k", 1, "1");
  log.put(record);
  log.settle(record);
  const std::uint64_t before = disk.operations();
  EXPECT_TRUE(journal().commit());
  EXPECT_EQ(disk.operations(), before);
}

TEST_F(JournalCommit, note_alone_is_not_worth_a_segment) {
  const Record record = content("k", 1, document("k", 4'020));
  log.put(record);
  log.settle(record);
  log.journal->close();
  EXPECT_EQ(segment_files(disk).size(), 1u);
  reopen(false);
  EXPECT_NE(log.recovered_content("k"), nullptr);
  EXPECT_EQ(journal().stats().unsettled, 1u) << "without it the write is sent again";
}

TEST_F(JournalCommit, note_is_written_once) {
  const Record record = content("k", 1, "1");
  log.put(record);
  log.settle(record);
  log.put(content("l", 2, "1"));
  log.put(content("m", 3, "1"));
  EXPECT_EQ(journal().stats().records_synced, 5u) << "k and l with the notes of k, and m";
  reopen();
  EXPECT_EQ(journal().stats().corrupt_records, 0u);
  EXPECT_EQ(journal().stats().unsettled, 2u);
}

TEST_F(JournalCommit, what_was_saved_is_not_sent_again_clocks_along_with_content) {
  log.put(content("k", 5, "1"));
  log.put(clocks("k", 5, {ms(7), {}, ms(8)}));
  log.put(clocks("alone", 6, {ms(9), {}, {}}));
  log.put(erase_matching("x*", 7));
  for (int i = 0; i < 3; ++i) {
    for (const UnsettledWrite& write : take()) journal().settled(write);
  }
  ASSERT_EQ(journal().stats().unsettled, 0u);
  reopen(false);
  EXPECT_EQ(log.recovered.size(), 4u) << "no file is synced";
  EXPECT_EQ(journal().stats().unsettled, 0u);
}

TEST_F(JournalCommit, superseded_content_is_not_sent_again_its_clocks_are) {
  log.put(content("k", 5, "1"));
  log.put(clocks("k", 5, {ms(7), {}, ms(8)}));
  journal().settled(take().at(0), Journal::Settlement::superseded);
  reopen(false);
  const auto writes = take();
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].kind, RecordKind::clocks);
}

TEST_F(JournalCommit, superseded_clocks_are_not_sent_again) {
  log.put(clocks("k", 5, {ms(7), {}, ms(8)}));
  journal().settled(take().at(0), Journal::Settlement::superseded);
  EXPECT_EQ(journal().stats().unsettled, 0u);
  reopen(false);
  EXPECT_EQ(journal().stats().unsettled, 0u);
}

TEST_F(JournalCommit, content_refused_by_its_guard_is_sent_again_after_a_restart_I3) {
  Record guarded = content("k", 5, "1");
  guarded.not_newer_than = at(3);
  log.put(guarded);
  journal().settled(take().at(0), Journal::Settlement::superseded);
  EXPECT_EQ(journal().stats().unsettled, 0u);
  reopen(false);
  EXPECT_EQ(journal().stats().unsettled, 1u) << "what won may not be in the files";
}

TEST_F(JournalCommit, guarded_content_that_was_saved_is_not_sent_again) {
  Record guarded = content("k", 5, "1");
  guarded.not_newer_than = at(3);
  log.put(guarded);
  journal().settled(take().at(0));
  reopen(false);
  EXPECT_EQ(journal().stats().unsettled, 0u);
}

TEST_F(JournalCommit, clocks_that_moved_on_since_they_were_saved_are_sent_after_a_restart_I1) {
  log.put(clocks("k", 5, {ms(7), {}, {}}));
  journal().settled(take().at(0));
  log.put(clocks("k", 5, {ms(8), {}, {}}));
  reopen(false);
  EXPECT_EQ(journal().stats().unsettled, 1u);
}

TEST_F(JournalCommit, closed_journal_settles_nothing_and_covers_no_file) {
  log.put(content("k", 5, "1"));
  EXPECT_TRUE(journal().cover_file_write(id_of("k"), at(5)));
  EXPECT_FALSE(journal().cover_file_write(id_of("k"), at(4)));
  const auto writes = take();
  journal().close();
  EXPECT_FALSE(journal().cover_file_write(id_of("k"), at(5)));
  journal().settled(writes.at(0));
  reopen(false);
  EXPECT_EQ(journal().stats().unsettled, 1u);
}

// --- Clocks ---

TEST_F(JournalCommit, three_clocks_of_one_commit_say_all_that_each_said) {
  append(clocks("k", 5, {ms(10), {}, {}}));
  journal().append(clocks("k", 5, {{}, ms(7), {}}), nullptr);
  journal().append(clocks("k", 5, {ms(9), {}, ms(4)}), nullptr);
  EXPECT_TRUE(journal().commit());
  EXPECT_EQ(journal().stats().live_records, 1u);
  EXPECT_EQ(journal().live_clocks(id_of("k")), (Clocks{ms(10), ms(7), ms(4)}));
  EXPECT_EQ(take().at(0).write.entry.clocks, (Clocks{ms(10), ms(7), ms(4)}));
  EXPECT_EQ(journal().live_clocks(id_of("nobody")), Clocks{});
}

TEST_F(JournalCommit, clocks_without_metadata_take_that_of_their_version_over_I1) {
  Record described = clocks("k", 6, {ms(1), {}, {}});
  described.entry.metadata = R"({"v":6})";
  log.put(described);
  Record silent = clocks("k", 6, {ms(2), {}, {}});
  silent.entry.metadata.clear();
  log.put(silent);
  EXPECT_EQ(journal().stats().live_records, 1u) << "the later record stands for both";
  Record older = clocks("k", 5, {ms(3), {}, {}});
  older.entry.metadata = R"({"v":5})";
  log.put(older);
  EXPECT_EQ(journal().stats().live_records, 1u) << "so does one of an older version";
  reopen();
  ASSERT_EQ(log.recovered.size(), 1u);
  EXPECT_EQ(log.recovered[0].entry.version, at(6));
  EXPECT_EQ(log.recovered[0].entry.metadata, R"({"v":6})");
  EXPECT_EQ(log.recovered[0].entry.clocks.last_fetch, ms(3));
}

TEST_F(JournalCommit, clocks_of_a_newer_version_bring_their_own_metadata) {
  Record older = clocks("k", 5, {ms(9), {}, {}});
  older.entry.metadata = R"({"v":5})";
  log.put(older);
  Record newer = clocks("k", 6, {ms(2), {}, {}});
  newer.entry.metadata = R"({"v":6})";
  log.put(newer);
  EXPECT_EQ(journal().stats().live_records, 1u);
  const auto writes = take();
  EXPECT_EQ(writes.at(0).write.entry.version, at(6));
  EXPECT_EQ(writes.at(0).write.entry.metadata, R"({"v":6})");
  EXPECT_EQ(writes.at(0).write.entry.clocks.last_fetch, ms(9));
}

TEST_F(JournalCommit, clocks_whose_metadata_is_not_needed_are_written_without_a_read) {
  log.put(clocks("k", 5, {ms(9), {}, {}}));
  int reads = 0;
  disk.set_fault([&](const std::string& operation, const std::string&) {
    reads += operation == "read_at";
    return 0;
  });
  log.put(clocks("k", 5, {ms(10), {}, {}}));
  log.put(clocks("k", 6, {ms(10), {}, {}}));
  EXPECT_EQ(reads, 0);
  log.put(clocks("k", 5, {ms(11), {}, {}}));
  EXPECT_EQ(reads, 1) << "the newer version's";
}

TEST_F(JournalCommit, clocks_count_where_the_disk_will_not_give_their_metadata_back_I1) {
  Record described = clocks("k", 6, {ms(9), {}, {}});
  described.entry.metadata = R"({"v":6})";
  log.put(described);
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "read_at" ? EIO : 0;
  });
  Record silent = clocks("k", 6, {{}, {}, ms(4)});
  silent.entry.metadata.clear();
  EXPECT_EQ(log.put(silent).status, AppendStatus::durable);
  disk.set_fault(nullptr);
  reopen();
  ASSERT_EQ(log.recovered.size(), 1u);
  EXPECT_EQ(log.recovered[0].entry.metadata, R"({"v":6})");
  EXPECT_EQ(log.recovered[0].entry.clocks, (Clocks{ms(9), {}, ms(4)}));
}

TEST_F(JournalCommit, merged_clocks_hold_on_to_no_segment) {
  const Record last = clocks("k", 5, {ms(12), {}, {}});
  log.put(clocks("k", 5, {ms(10), {}, {}}));
  log.put(clocks("k", 5, {ms(11), {}, {}}));
  log.put(content("fill", 1, document("fill", 4'000)));
  log.put(last);
  log.settle(last);
  log.sync_files(last);
  log.finish(content("fill", 1, ""));
  EXPECT_LE(journal().stats().segments, 1u) << "the one that is written to";
}

TEST_F(JournalCommit, clocks_that_were_refused_are_not_merged_into_those_that_follow_I13) {
  open_with_room_for(400);
  Record large = clocks("k", 5, {ms(99), {}, {}});
  large.entry.metadata = document("large", 1'000);
  append(large);
  AppendStatus second = AppendStatus::unknown;
  journal().append(clocks("k", 5, {{}, ms(7), {}}),
                   [&](const AppendResult& result) { second = result.status; });
  EXPECT_TRUE(journal().commit());
  EXPECT_EQ(answers.at("k").status, AppendStatus::full);
  EXPECT_EQ(second, AppendStatus::durable);
  EXPECT_EQ(journal().live_clocks(id_of("k")), (Clocks{{}, ms(7), {}}));
}

}  // namespace
}  // namespace tiercache::testing
