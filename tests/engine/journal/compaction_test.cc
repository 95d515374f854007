#include <gtest/gtest.h>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kSegmentFile = 4096 + 128;

using JournalCompactionTest = OpenJournalTest;

TEST_F(JournalCompactionTest, many_overwrites_that_are_settled_stay_within_two_segments) {
  for (int i = 0; i < 100'000; ++i) {
    const Record record = content("k" + std::to_string(i % 10), i + 1, "[1]");
    ASSERT_EQ(log.put(record).status, AppendStatus::durable);
    log.finish(record);
    ASSERT_LE(journal().stats().disk_bytes, 2 * kSegmentFile) << i;
  }
  EXPECT_EQ(journal().stats().live_records, 0u);
  EXPECT_LE(segment_files(disk).size(), 2u);
}

TEST_F(JournalCompactionTest, many_overwrites_that_are_never_settled_are_bounded_by_the_keys) {
  log.put(content("straggler", 1, "[1]"));
  for (int i = 0; i < 20'000; ++i) {
    const Record record = content("k" + std::to_string(i % 10), i + 2, "[1]");
    ASSERT_EQ(log.put(record).status, AppendStatus::durable);
    if (i % 100 == 0) {
      ASSERT_TRUE(journal().compact(Journal::Compact::when_due).ok());
    }
    ASSERT_LE(journal().stats().disk_bytes, 6 * kSegmentFile) << i;
  }
  EXPECT_EQ(journal().stats().live_records, 11u);
  EXPECT_EQ(journal().stats().unsettled, 11u);
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.recovered.size(), 11u);
}

TEST_F(JournalCompactionTest, live_records_are_readable_from_where_they_were_copied) {
  log.put(content("a", 1, document("a")));
  log.put(clocks("a", 1, {ms(5), {}, {}}));
  log.put(erase_matching("zzz*", 2));
  for (int i = 0; i < 30; ++i) log.put(content("fill", 3 + i, document("fill", 1000)));
  ASSERT_TRUE(journal().compact(Journal::Compact::all).ok());
  EXPECT_EQ(journal().stats().segments, 1u);
  EXPECT_EQ(segment_files(disk).size(), 1u);
  const auto writes = journal().take_unsettled(1, 1 << 20);
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(*writes[0].write.entry.document, document("a"));
  EXPECT_EQ(writes[0].write.entry.clocks.last_fetch, ms(5));
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.recovered.size(), 4u);
}

TEST_F(JournalCompactionTest, parked_state_is_copied_along) {
  log.put(content("a", 1, document("a")));
  journal().park(journal().take_unsettled(1, 1).at(0), "no");
  for (int i = 0; i < 30; ++i) log.put(content("fill", 3 + i, document("fill", 1000)));
  ASSERT_TRUE(journal().compact(Journal::Compact::all).ok());
  log.kill();
  ASSERT_TRUE(log.open().ok());
  ASSERT_EQ(journal().parked().size(), 1u);
  EXPECT_EQ(journal().parked()[0].why, "no");
}

TEST_F(JournalCompactionTest, segment_whose_clocks_were_sent_with_their_content_is_deleted) {
  const Clocks moved{ms(9), {}, {}};
  log.put(content("k", 1, document("k")));
  log.put(clocks("k", 1, moved));
  const auto sent = journal().take_unsettled(1, 1 << 20);
  ASSERT_EQ(sent.at(0).write.entry.clocks, moved);
  journal().settled(sent[0]);
  Record filed = content("k", 1, document("k"));
  filed.entry.clocks = moved;
  log.sync_files(filed);
  ASSERT_EQ(journal().stats().live_records, 0u);
  log.put(content("next", 2, document("next", 5000)));
  EXPECT_EQ(journal().stats().segments, 1u) << "the first one is neither written nor read";
}

TEST_F(JournalCompactionTest, segment_that_content_was_read_from_is_deleted) {
  const Record read = content("k", 1, document("k"));
  log.put(read);
  ASSERT_TRUE(journal().live_content(id_of("k")));
  log.finish(read);
  log.put(content("next", 2, document("next", 5000)));
  EXPECT_EQ(journal().stats().segments, 1u);
}

TEST_F(JournalCompactionTest, nothing_is_copied_while_it_is_not_due) {
  for (int i = 0; i < 20; ++i) log.put(content("k" + std::to_string(i), i + 1, document("k", 900)));
  const std::uint64_t before = disk.operations();
  ASSERT_TRUE(journal().compact(Journal::Compact::when_due).ok());
  EXPECT_EQ(disk.operations(), before);
}

TEST_F(JournalCompactionTest, unreadable_live_record_keeps_its_segment_and_is_parked_I9) {
  log.put(content("a", 1, document("a")));
  log.put(content("b", 2, document("b")));
  const std::string path = segment_files(disk).at(0);
  for (int i = 0; i < 30; ++i) log.put(content("fill", 3 + i, document("fill", 1000)));
  std::string bytes;
  ASSERT_TRUE(disk.read(path, &bytes));
  bytes[bytes.find("\"of\":\"a\"")] ^= 1;
  disk.write(path, bytes);
  ASSERT_TRUE(journal().compact(Journal::Compact::all).ok());
  ASSERT_TRUE(journal().compact(Journal::Compact::all).ok());
  ASSERT_EQ(journal().parked().size(), 1u);
  EXPECT_EQ(journal().parked()[0].id, id_of("a"));
  EXPECT_EQ(journal().stats().segments, 2u);
  EXPECT_TRUE(disk.read(path, &bytes)) << "the bytes are still there for a look";
  journal().discard_parked(id_of("a"));
  log.sync_files(content("a", 1, ""));
  EXPECT_EQ(journal().stats().segments, 1u);
}

TEST_F(JournalCompactionTest, failing_copy_loses_nothing_I1) {
  log.put(content("a", 1, document("a")));
  for (int i = 0; i < 30; ++i) log.put(content("fill", 3 + i, document("fill", 1000)));
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "write_at" ? ENOSPC : 0;
  });
  EXPECT_EQ(journal().compact(Journal::Compact::all).error, ENOSPC);
  disk.set_fault(nullptr);
  EXPECT_EQ(*journal().take_unsettled(1, 1).at(0).write.entry.document, document("a"));
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("a"), nullptr);
  EXPECT_NE(log.recovered_content("fill"), nullptr);
}

}  // namespace
}  // namespace tiercache::testing
