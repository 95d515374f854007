#include "journal/journal.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {
namespace {

using JournalTest = OpenJournalTest;

TEST_F(JournalTest, acknowledged_record_comes_back_after_a_kill_I1) {
  Record record = content("k", 5, document("k"));
  record.entry.metadata = R"({"etag":"e"})";
  record.entry.clocks.last_fetch = ms(4);
  EXPECT_EQ(log.put(record).status, AppendStatus::durable);
  log.kill();
  ASSERT_TRUE(log.open().ok());
  ASSERT_EQ(log.recovered.size(), 1u);
  EXPECT_EQ(*log.recovered[0].entry.document, document("k"));
  EXPECT_EQ(log.recovered[0].entry.metadata, record.entry.metadata);
  EXPECT_EQ(log.recovered[0].entry.clocks, record.entry.clocks);
  EXPECT_TRUE(journal().is_unsettled(id_of("k")));
}

TEST_F(JournalTest, one_commit_acknowledges_all_that_is_queued_with_one_sync) {
  int answered = 0;
  for (int i = 0; i < 20; ++i) {
    journal().append(content("k" + std::to_string(i), 5, "1"), [&](const AppendResult& result) {
      EXPECT_EQ(result.status, AppendStatus::durable);
      EXPECT_TRUE(journal().is_unsettled(id_of("k0"))) << "live before it is acknowledged";
      ++answered;
    });
  }
  EXPECT_EQ(answered, 0);
  EXPECT_TRUE(journal().commit());
  EXPECT_EQ(answered, 20);
  EXPECT_EQ(journal().stats().syncs, 1u);
  EXPECT_EQ(journal().stats().records_synced, 20u);
}

TEST_F(JournalTest, commit_of_nothing_touches_no_file) {
  const std::uint64_t before = disk.operations();
  EXPECT_TRUE(journal().commit());
  EXPECT_EQ(disk.operations(), before);
  EXPECT_TRUE(segment_files(disk).empty());
}

TEST_F(JournalTest, commit_that_others_keep_busy_says_that_something_is_left) {
  int left = 20;
  std::function<void()> append = [&] {
    journal().append(content("k", 100 - static_cast<std::uint64_t>(left), "1"),
                     [&](const AppendResult&) {
                       if (--left > 0) append();
                     });
  };
  append();
  EXPECT_FALSE(journal().commit()) << "its thread has other work too";
  EXPECT_GT(left, 0);
  for (int i = 0; i < 20 && !journal().commit(); ++i) {
  }
  EXPECT_EQ(left, 0);
  journal().close();  // answers what is still queued
}

TEST_F(JournalTest, record_queued_while_notes_are_written_is_acknowledged_with_them) {
  const Record confirmed = content("confirmed", 1, "1");
  log.put(confirmed);
  log.put(content("other", 2, "1"));
  log.settle(confirmed);
  std::optional<AppendStatus> answer;
  disk.on_operation([&](std::uint64_t, const std::string&) {
    disk.on_operation(nullptr);
    journal().append(content("k", 3, "1"), [&](const AppendResult& r) { answer = r.status; });
    EXPECT_TRUE(journal().commit()) << "another thread is at it";
  });
  ASSERT_TRUE(journal().compact(Journal::Compact::when_due).ok());
  EXPECT_EQ(answer, AppendStatus::durable);
}

TEST_F(JournalTest, append_of_an_open_segment_costs_one_write_and_one_sync) {
  log.put(content("k", 1, "1"));
  std::vector<std::string> operations;
  disk.on_operation([&](std::uint64_t, const std::string& what) { operations.push_back(what); });
  log.put(content("l", 2, "1"));
  disk.on_operation(nullptr);
  ASSERT_EQ(operations.size(), 2u);
  EXPECT_TRUE(operations[0].starts_with("write_at"));
  EXPECT_TRUE(operations[1].starts_with("sync_data"));
}

TEST_F(JournalTest, record_larger_than_a_segment_gets_one_of_its_own) {
  const Record big = content("big", 5, document("big", 50'000));
  EXPECT_EQ(log.put(content("small", 1, "1")).status, AppendStatus::durable);
  EXPECT_EQ(log.put(big).status, AppendStatus::durable);
  EXPECT_EQ(journal().stats().segments, 2u);
  log.kill();
  ASSERT_TRUE(log.open().ok());
  ASSERT_NE(log.recovered_content("big"), nullptr);
  EXPECT_EQ(*log.recovered_content("big")->entry.document, *big.entry.document);
  EXPECT_NE(log.recovered_content("small"), nullptr);
}

TEST_F(JournalTest, batch_over_several_segments_is_acknowledged_whole) {
  int durable = 0;
  for (int i = 0; i < 50; ++i) {
    journal().append(content("k" + std::to_string(i), 5, document("k", 500)),
                     [&](const AppendResult& r) { durable += r.status == AppendStatus::durable; });
  }
  EXPECT_TRUE(journal().commit());
  EXPECT_EQ(durable, 50);
  EXPECT_GT(journal().stats().segments, 5u);
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.recovered.size(), 50u);
}

TEST_F(JournalTest, taken_writes_are_coalesced_per_key_in_version_order) {
  log.put(content("b", 5, "\"old\""));
  log.put(content("a", 3, "1"));
  log.put(content("b", 6, "\"new\""));
  const auto writes = take();
  ASSERT_EQ(writes.size(), 2u);
  EXPECT_EQ(writes[0].write.id, id_of("a"));
  EXPECT_EQ(*writes[1].write.entry.document, "\"new\"");
  EXPECT_TRUE(take().empty());
  journal().release(writes);
  EXPECT_EQ(take().size(), 2u);
}

TEST_F(JournalTest, taken_content_carries_guard_clocks_and_metadata_of_its_version) {
  Record record = content("k", 6, "1");
  record.not_newer_than = at(4);
  log.put(record);
  Record moved = clocks("k", 6, {ms(9), {}, ms(8)});
  moved.entry.metadata = R"({"etag":"2"})";
  log.put(moved);
  const auto writes = take();
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].write.kind, StoreWrite::Kind::content);
  EXPECT_EQ(writes[0].write.not_newer_than, at(4));
  EXPECT_EQ(writes[0].write.entry.clocks, moved.entry.clocks);
  EXPECT_EQ(writes[0].write.entry.metadata, moved.entry.metadata);
  journal().settled(writes[0]);
  EXPECT_EQ(journal().stats().unsettled, 0u) << "saved: the clocks went along";
}

TEST_F(JournalTest, metadata_of_another_version_does_not_travel) {
  log.put(content("k", 6, "1"));
  Record moved = clocks("k", 5, {ms(9), {}, {}});
  moved.entry.metadata = R"({"etag":"old"})";
  log.put(moved);
  EXPECT_EQ(take().at(0).write.entry.metadata, "{}");
}

TEST_F(JournalTest, superseded_content_leaves_its_clocks_to_be_sent) {
  log.put(content("k", 6, "1"));
  log.put(clocks("k", 6, {{}, {}, ms(8)}));
  journal().settled(take().at(0), Journal::Settlement::superseded);
  const auto writes = take();
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].kind, RecordKind::clocks);
  EXPECT_EQ(writes[0].write.entry.clocks.invalidated_at, ms(8));
}

// What it was refused for takes its place in the files only after this.
TEST_F(JournalTest, write_that_its_guard_lost_is_unsettled_again_after_a_crash_I5) {
  Record guarded = content("k", 5, "1");
  guarded.not_newer_than = at(4);
  log.put(guarded);
  journal().settled(take().at(0), Journal::Settlement::superseded);
  ASSERT_FALSE(journal().is_unsettled(id_of("k")));
  log.put(content("later", 6, "1"));  // takes along whatever was noted
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_TRUE(journal().is_unsettled(id_of("k")));
}

TEST_F(JournalTest, clocks_records_merge_across_and_within_commits) {
  log.put(clocks("k", 5, {ms(10), {}, ms(3)}));
  journal().append(clocks("k", 5, {{}, ms(7), {}}), nullptr);
  journal().append(clocks("k", 5, {ms(9), {}, ms(4)}), nullptr);
  EXPECT_TRUE(journal().commit());
  EXPECT_EQ(journal().stats().live_records, 1u);
  const Clocks merged{ms(10), ms(7), ms(4)};
  EXPECT_EQ(take().at(0).write.entry.clocks, merged);
  log.kill();
  ASSERT_TRUE(log.open().ok());
  ASSERT_EQ(log.recovered.size(), 1u);
  EXPECT_EQ(log.recovered[0].entry.clocks, merged);
}

TEST_F(JournalTest, clocks_of_an_older_version_keep_the_newer_metadata) {
  Record newer = clocks("k", 6, {ms(1), {}, {}});
  newer.entry.metadata = R"({"v":6})";
  log.put(newer);
  Record older = clocks("k", 5, {ms(2), {}, {}});
  older.entry.metadata = R"({"v":5})";
  log.put(older);
  const auto writes = take();
  EXPECT_EQ(writes.at(0).write.entry.metadata, newer.entry.metadata);
  EXPECT_EQ(writes.at(0).write.entry.version, at(6));
  EXPECT_EQ(writes.at(0).write.entry.clocks.last_fetch, ms(2));
}

TEST_F(JournalTest, journal_without_live_records_leaves_no_folder_at_close) {
  const Record record = content("k", 5, "1");
  log.put(record);
  log.finish(record);
  EXPECT_EQ(journal().stats().live_records, 0u);
  log.journal.reset();
  EXPECT_EQ(disk.files(), (std::vector<std::string>{"/cache/journal/adopting", kMarker}));
}

TEST_F(JournalTest, settled_write_is_not_sent_again_after_a_clean_close) {
  const Record record = content("k", 5, "1");
  log.put(record);
  log.put(content("l", 6, "1"));
  log.settle(record);
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("k"), nullptr) << "its file was not synced";
  const auto writes = take();
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].write.id, id_of("l"));
}

TEST_F(JournalTest, parked_write_is_listed_after_a_restart_until_retried) {
  log.put(content("k", 5, "1"));
  journal().park(take().at(0), "too strange");
  EXPECT_TRUE(journal().commit());
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("k"), nullptr) << "still served locally";
  ASSERT_EQ(journal().parked().size(), 1u);
  EXPECT_EQ(journal().parked()[0].why, "too strange");
  EXPECT_EQ(journal().parked()[0].version, at(5));
  EXPECT_TRUE(take().empty());
  EXPECT_TRUE(journal().retry_parked(id_of("k")));
  EXPECT_FALSE(journal().retry_parked(id_of("k")));
  EXPECT_TRUE(journal().commit());
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_TRUE(journal().parked().empty());
  EXPECT_EQ(take().size(), 1u);
}

TEST_F(JournalTest, discarded_write_is_parked_again_until_it_is_forgotten_I1) {
  log.put(content("k", 5, "1"));
  log.put(content("other", 6, "1"));
  journal().park(take().at(0), "no");
  ASSERT_TRUE(journal().commit());
  EXPECT_TRUE(journal().discard_parked(id_of("k")));
  log.kill();
  ASSERT_TRUE(log.open().ok());
  ASSERT_EQ(journal().parked().size(), 1u) << "nobody may find it settled";
  EXPECT_TRUE(journal().discard_parked(id_of("k")));
  EXPECT_TRUE(journal().forget_discarded().ok());
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_TRUE(journal().parked().empty());
  EXPECT_EQ(log.recovered_content("k"), nullptr);
  ASSERT_EQ(take().size(), 1u);
}

TEST_F(JournalTest, forgetting_what_lies_beside_live_records_keeps_them_through_power_loss_I1) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const std::string key = "k" + std::to_string(seed);
    log.put(content(key, 10 + seed, "1"));
    for (const UnsettledWrite& write : take()) {
      if (write.write.id == id_of(key)) journal().park(write, "no");
    }
    log.put(content("after" + key, 100 + seed, "1"));
    EXPECT_TRUE(journal().discard_parked(id_of(key), at(10 + seed)));
    ASSERT_TRUE(journal().forget_discarded().ok());
    disk.power_loss(seed);
    ASSERT_TRUE(log.open().ok());
    EXPECT_EQ(log.recovered_content(key), nullptr) << seed;
    EXPECT_NE(log.recovered_content("after" + key), nullptr) << seed;
    EXPECT_TRUE(journal().parked().empty()) << seed;
  }
}

TEST_F(JournalTest, disk_that_does_not_forget_is_told_and_asked_again) {
  log.put(content("k", 5, "1"));
  journal().park(take().at(0), "no");
  EXPECT_TRUE(journal().discard_parked(id_of("k")));
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "remove_file" ? EIO : 0;
  });
  EXPECT_FALSE(journal().forget_discarded().ok());
  disk.set_fault({});
  EXPECT_TRUE(journal().compact(Journal::Compact::when_due).ok());
  EXPECT_TRUE(journal().forget_discarded().ok());
  ASSERT_TRUE(log.open().ok());
  EXPECT_TRUE(journal().parked().empty());
}

TEST_F(JournalTest, discarded_write_is_gone_after_a_clean_close) {
  log.put(content("k", 5, "1"));
  journal().park(take().at(0), "no");
  EXPECT_FALSE(journal().discard_parked(id_of("k"), at(4)));
  EXPECT_TRUE(journal().discard_parked(id_of("k")));
  EXPECT_FALSE(journal().discard_parked(id_of("k")));
  ASSERT_TRUE(journal().forget_discarded().ok());
  ASSERT_TRUE(log.open().ok());
  EXPECT_TRUE(take().empty());
  EXPECT_TRUE(journal().parked().empty());
}

TEST_F(JournalTest, segment_that_could_not_be_deleted_goes_with_the_next_compaction) {
  const Record record = content("k", 5, document("k", 3000));
  log.put(record);
  log.put(content("l", 6, document("l", 3000)));
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "remove_file" ? EIO : 0;
  });
  log.finish(record);
  EXPECT_EQ(journal().stats().segments, 2u);
  disk.set_fault(nullptr);
  EXPECT_TRUE(journal().compact(Journal::Compact::when_due).ok());
  EXPECT_EQ(journal().stats().segments, 1u);
  EXPECT_EQ(segment_files(disk).size(), 1u);
}

TEST_F(JournalTest, full_journal_refuses_growth_and_deletes_nothing_I8) {
  log.options.max_bytes = 10'000;
  ASSERT_TRUE(log.open().ok());
  std::vector<Record> taken;
  for (int i = 0;; ++i) {
    const Record record = content("k" + std::to_string(i), i + 1, document("k", 900));
    const AppendResult result = log.put(record);
    if (result.status == AppendStatus::full) break;
    ASSERT_EQ(result.status, AppendStatus::durable);
    taken.push_back(record);
    ASSERT_LT(i, 100);
  }
  EXPECT_LE(journal().stats().live_bytes, 10'000u);
  EXPECT_EQ(journal().stats().live_records, taken.size());
  EXPECT_EQ(log.put(content("k0", 500, document("k", 900))).status, AppendStatus::durable)
      << "replacing takes no more";
  EXPECT_EQ(log.put(tombstone("k1", 501)).status, AppendStatus::durable);
  EXPECT_EQ(log.put(content("new", 502, document("k", 1500))).status, AppendStatus::full);
  for (const Record& record : taken) log.finish(record);
  EXPECT_EQ(log.put(content("new", 503, document("k", 1500))).status, AppendStatus::durable);
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("new"), nullptr);
  EXPECT_EQ(log.recovered_content("new")->entry.version, at(503));
}

TEST_F(JournalTest, records_of_one_commit_share_the_room_that_is_left_I8) {
  log.options.max_bytes = 3000;
  ASSERT_TRUE(log.open().ok());
  std::vector<AppendStatus> answers;
  for (int i = 0; i < 5; ++i) {
    journal().append(content("k" + std::to_string(i), 5, document("k", 1200)),
                     [&](const AppendResult& result) { answers.push_back(result.status); });
  }
  EXPECT_TRUE(journal().commit());
  using enum AppendStatus;
  EXPECT_EQ(answers, (std::vector{durable, durable, full, full, full}));
}

TEST_F(JournalTest, unreadable_write_is_parked_not_lost_silently_I9) {
  log.put(content("k", 5, document("k")));
  log.put(content("l", 6, document("l")));
  const std::string path = segment_files(disk).at(0);
  std::string bytes;
  ASSERT_TRUE(disk.read(path, &bytes));
  bytes[bytes.find("\"of\":\"k\"")] ^= 1;
  disk.write(path, bytes);
  const auto writes = take();
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].write.id, id_of("l"));
  ASSERT_EQ(journal().parked().size(), 1u);
  EXPECT_EQ(journal().parked()[0].id, id_of("k"));
  EXPECT_EQ(journal().stats().corrupt_records, 1u);
}

TEST_F(JournalTest, write_that_the_disk_will_not_read_now_waits_for_resume) {
  log.put(content("k", 5, document("k")));
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "read_at" ? EIO : 0;
  });
  EXPECT_TRUE(take().empty());
  EXPECT_TRUE(journal().parked().empty());
  EXPECT_EQ(journal().stats().unsettled, 1u);
  disk.set_fault(nullptr);
  EXPECT_TRUE(take().empty());
  journal().resume();
  EXPECT_EQ(take().size(), 1u);
}

TEST_F(JournalTest, live_content_is_read_back_by_key) {
  EXPECT_FALSE(journal().live_content(id_of("k")).has_value());
  const Record record = content("k", 5, document("k"));
  log.put(record);
  const std::optional<Record> read = journal().live_content(id_of("k"));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(*read->entry.document, document("k"));
  log.finish(record);
  EXPECT_FALSE(journal().live_content(id_of("k")).has_value());
}

TEST_F(JournalTest, closed_journal_answers_and_does_nothing_else) {
  log.put(content("k", 5, "1"));
  journal().close();
  journal().close();
  AppendResult answer;
  journal().append(content("l", 6, "1"), [&](const AppendResult& result) { answer = result; });
  EXPECT_EQ(answer.status, AppendStatus::not_applied);
  EXPECT_TRUE(journal().commit());
  EXPECT_TRUE(take().empty());
  journal().settled(write_of(content("k", 5, "1")));
  EXPECT_TRUE(journal().compact(Journal::Compact::all).ok());
  JournalOnDisk other(disk);
  ASSERT_TRUE(other.open().ok());
  EXPECT_NE(other.recovered_content("k"), nullptr) << "the lock was let go";
}

TEST_F(JournalTest, without_a_store_only_the_file_is_waited_for) {
  log.options.has_store = false;
  ASSERT_TRUE(log.open().ok());
  const Record record = content("k", 5, "1");
  log.put(record);
  EXPECT_EQ(journal().stats().unsettled, 0u);
  EXPECT_TRUE(take().empty());
  EXPECT_EQ(journal().stats().live_records, 1u);
  log.sync_files(record);
  EXPECT_EQ(journal().stats().live_records, 0u);
}

}  // namespace
}  // namespace tiercache::testing
