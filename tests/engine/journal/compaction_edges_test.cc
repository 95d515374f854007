// What is copied forward, when, and what else may happen meanwhile.
#include <gtest/gtest.h>

#include <cerrno>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {
namespace {

class CompactionEdges : public OpenJournalTest {
 protected:
  using Compact = Journal::Compact;

  void put(const std::string& key, std::uint64_t version, std::size_t bytes = 40) {
    ASSERT_EQ(log.put(content(key, version, document(key, bytes))).status, AppendStatus::durable);
  }
  void finish(const std::string& key, std::uint64_t version) {
    log.finish(content(key, version, ""));
  }
  std::uint64_t operations_of(Compact how) {
    const std::uint64_t before = disk.operations();
    EXPECT_TRUE(journal().compact(how).ok());
    return disk.operations() - before;
  }
  std::string first_segment() const { return segment_files(disk).at(0); }
  void meanwhile(const std::string& operation, std::function<void()> then) {
    auto met = std::make_shared<bool>(false);
    disk.on_operation([met, operation, then](std::uint64_t, const std::string& what) {
      if (what.starts_with(operation) && !std::exchange(*met, true)) then();
    });
  }
};

TEST_F(CompactionEdges, copying_is_due_once_more_is_dead_than_alive_and_not_before) {
  const std::size_t bytes = 900;
  for (int i = 0; i < 8; ++i) put("k" + std::to_string(i), 1, bytes);
  for (int i = 0; i < 8; ++i) put("k" + std::to_string(i), 2, bytes);
  // Every frame of the first round is dead, its segments are gone: nothing is left to copy.
  EXPECT_EQ(operations_of(Compact::when_due), 0u);
  put("stays", 3, bytes);
  put("n1", 4, bytes);
  put("n2", 4, bytes);
  put("n3", 4, bytes);
  put("n1", 5, bytes);
  put("n2", 5, bytes);
  EXPECT_EQ(operations_of(Compact::when_due), 0u) << "as much lives as is dead";
  for (int i = 1; i < 8; ++i) finish("k" + std::to_string(i), 2);
  finish("n1", 5);
  finish("n2", 5);
  finish("n3", 4);
  EXPECT_GT(operations_of(Compact::when_due), 0u);
  EXPECT_EQ(operations_of(Compact::when_due), 0u) << "once is enough";
  EXPECT_EQ(journal().stats().live_records, 2u);
  EXPECT_NE(journal().live_content(id_of("stays")), std::nullopt);
}

TEST_F(CompactionEdges, oldest_segment_goes_first_and_alone) {
  for (int i = 0; i < 12; ++i) put("k" + std::to_string(i), 1, 1'200);
  const auto before = segment_files(disk);
  ASSERT_EQ(before.size(), 4u);
  for (const int i : {1, 2, 4, 5, 7, 8}) finish("k" + std::to_string(i), 1);
  for (const int i : {9, 10, 11}) finish("k" + std::to_string(i), 1);
  ASSERT_TRUE(journal().compact(Compact::when_due).ok());
  std::string bytes;
  EXPECT_FALSE(disk.read(before[0], &bytes)) << "the oldest was copied forward";
  for (const int i : {0, 3, 6}) {
    EXPECT_NE(journal().live_content(id_of("k" + std::to_string(i))), std::nullopt) << i;
  }
}

TEST_F(CompactionEdges, segment_that_is_written_to_is_not_copied) {
  put("k", 1);
  EXPECT_EQ(operations_of(Compact::all), 0u);
}

TEST_F(CompactionEdges, what_is_copied_is_not_copied_again) {
  for (int i = 0; i < 12; ++i) put("k" + std::to_string(i), 1, 1'200);
  std::map<std::string, int> removed;
  int writes = 0;
  disk.on_operation([&](std::uint64_t, const std::string& what) {
    if (what.starts_with("remove_file")) ++removed[what];
    writes += what.starts_with("write_at");
  });
  ASSERT_TRUE(journal().compact(Compact::all).ok());
  disk.on_operation(nullptr);
  EXPECT_EQ(removed.size(), 4u) << "those that were there and none of the new ones";
  EXPECT_LE(writes, 12);
  EXPECT_EQ(journal().stats().live_records, 12u);
}

TEST_F(CompactionEdges, segment_that_was_abandoned_is_emptied_whatever_the_proportion_I1) {
  put("old", 1, 1'000);
  // The write is refused, and so is the making of another segment.
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "write_at" ? EIO : 0;
  });
  EXPECT_NE(log.put(content("k", 2, "1")).status, AppendStatus::durable);
  disk.set_fault(nullptr);
  ASSERT_TRUE(journal().compact(Compact::when_due).ok());
  EXPECT_EQ(journal().stats().segments, 1u);
  disk.power_loss(0);
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("old"), nullptr);
}

TEST_F(CompactionEdges, unreadable_segment_is_left_alone_and_the_others_are_copied_I9) {
  put("bad", 1, 2'000);
  const std::string path = first_segment();
  put("a", 2, 3'000);
  put("b", 3, 3'000);
  std::string bytes;
  ASSERT_TRUE(disk.read(path, &bytes));
  bytes[bytes.find("\"of\":\"bad\"")] ^= 1;
  disk.write(path, bytes);
  ASSERT_TRUE(journal().compact(Compact::all).ok());
  EXPECT_EQ(journal().stats().corrupt_records, 1u);
  int reads = 0;
  disk.set_fault([&](const std::string& operation, const std::string& of) {
    reads += operation == "read_file" && of == path;
    return 0;
  });
  ASSERT_TRUE(journal().compact(Compact::all).ok());
  EXPECT_EQ(reads, 0);
  EXPECT_EQ(journal().stats().corrupt_records, 1u);
  EXPECT_TRUE(disk.read(path, &bytes));
}

TEST_F(CompactionEdges, segment_that_cannot_be_read_now_is_told_and_copied_later_I1) {
  put("a", 1, 3'000);
  const std::string path = first_segment();
  put("b", 2, 3'000);
  disk.set_fault([&](const std::string& operation, const std::string& of) {
    return operation == "read_file" && of == path ? EIO : 0;
  });
  EXPECT_EQ(journal().compact(Compact::all).error, EIO);
  EXPECT_EQ(journal().stats().parked, 0u);
  disk.set_fault(nullptr);
  ASSERT_TRUE(journal().compact(Compact::all).ok());
  EXPECT_EQ(*journal().live_content(id_of("a"))->entry.document, document("a", 3'000));
}

TEST_F(CompactionEdges, notes_are_written_by_compaction) {
  put("k", 1);
  log.settle(content("k", 1, ""));
  ASSERT_TRUE(journal().compact(Compact::when_due).ok());
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("k"), nullptr);
  EXPECT_EQ(journal().stats().unsettled, 0u);
}

TEST_F(CompactionEdges, record_that_is_replaced_while_it_is_copied_stays_replaced_I3) {
  put("k", 1, 3'000);
  put("fill", 2, 3'000);
  meanwhile("write_at", [this] {
    journal().append(content("k", 9, "\"newer\""), nullptr);
    EXPECT_TRUE(journal().commit());
  });
  ASSERT_TRUE(journal().compact(Compact::all).ok());
  disk.on_operation(nullptr);
  EXPECT_EQ(*journal().live_content(id_of("k"))->entry.document, "\"newer\"");
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(*log.recovered_content("k")->entry.document, "\"newer\"");
}

TEST_F(CompactionEdges, journal_closed_while_it_copies_loses_nothing_I1) {
  put("a", 1, 3'000);
  put("b", 2, 3'000);
  put("c", 3, 3'000);
  meanwhile("write_at", [this] { journal().close(); });
  journal().compact(Compact::all);
  disk.on_operation(nullptr);
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.recovered.size(), 3u);
}

TEST_F(CompactionEdges, clocks_of_two_segments_are_merged_when_they_are_read_back) {
  log.options.name = "z";
  std::unique_ptr<Journal> first, second;
  JournalOptions options = log.options;
  ASSERT_TRUE(Journal::open(disk.boot(), options, {}, &first).ok());
  options.name = "a";
  ASSERT_TRUE(Journal::open(disk.boot(), options, {}, &second).ok());
  // The later folder holds what was written first, and a newer version.
  Record newer = clocks("c", 6, {ms(9), {}, {}});
  newer.entry.metadata = R"({"v":6})";
  Record older = clocks("c", 5, {{}, {}, ms(8)});
  older.entry.metadata = R"({"v":5})";
  first->append(newer, nullptr);
  ASSERT_TRUE(first->commit());
  second->append(older, nullptr);
  ASSERT_TRUE(second->commit());
  disk.kill();
  first.reset();
  second.reset();
  ASSERT_TRUE(log.open().ok());
  ASSERT_EQ(log.recovered.size(), 1u);
  EXPECT_EQ(log.recovered[0].entry.version, at(6));
  EXPECT_EQ(log.recovered[0].entry.metadata, R"({"v":6})");
  EXPECT_EQ(log.recovered[0].entry.clocks, (Clocks{ms(9), {}, ms(8)}));
  const auto writes = journal().take_unsettled(9, 1 << 20);
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].write.kind, StoreWrite::Kind::clocks);
  EXPECT_EQ(writes[0].write.entry.metadata, R"({"v":6})");
}

// --- Reading back ---

TEST_F(CompactionEdges, segment_that_is_read_holds_out_and_goes_afterwards) {
  put("k", 1, 4'000);
  put("l", 2);
  const std::string path = first_segment();
  bool met = false;
  disk.set_fault([&](const std::string& operation, const std::string& of) {
    if (operation == "read_at" && of == path) met = true;
    return 0;
  });
  ASSERT_EQ(journal().take_unsettled(9, 1 << 20).size(), 2u);
  ASSERT_TRUE(journal().live_content(id_of("k")));
  EXPECT_TRUE(met);
  finish("k", 1);
  EXPECT_EQ(journal().stats().segments, 1u);
  EXPECT_EQ(segment_files(disk).size(), 1u);
}

TEST_F(CompactionEdges, clocks_that_travelled_hold_on_to_no_segment) {
  log.put(clocks("k", 1, {ms(5), {}, {}}));
  put("fill", 1, 4'000);
  put("k", 1);
  const auto writes = journal().take_unsettled(9, 1 << 20);
  ASSERT_EQ(writes.size(), 2u);
  for (const UnsettledWrite& write : writes) {
    const bool travelled = write.write.entry.clocks.last_fetch == ms(5);
    EXPECT_EQ(travelled, write.write.id == id_of("k"));
    journal().settled(write);
    journal().file_written(write.write.id, write.write.entry.version, write.write.entry.clocks);
  }
  journal().files_synced(journal().files_mark());
  EXPECT_LE(journal().stats().segments, 1u);
}

TEST_F(CompactionEdges, content_that_does_not_hold_or_is_not_read_is_none_I2) {
  put("k", 1);
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "open" ? EMFILE : 0;
  });
  EXPECT_EQ(journal().live_content(id_of("k")), std::nullopt);
  disk.set_fault(nullptr);
  EXPECT_NE(journal().live_content(id_of("k")), std::nullopt);
  std::string bytes;
  ASSERT_TRUE(disk.read(first_segment(), &bytes));
  bytes[bytes.find("\"of\":\"k\"")] ^= 1;
  disk.write(first_segment(), bytes);
  EXPECT_EQ(journal().live_content(id_of("k")), std::nullopt);
  journal().close();
  EXPECT_EQ(journal().live_content(id_of("k")), std::nullopt);
}

}  // namespace
}  // namespace tiercache::testing
