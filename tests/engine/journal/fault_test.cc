// I1 over a disk that refuses operations: what was acknowledged is found, what was answered
// `not_applied` is not.
#include <gtest/gtest.h>

#include <set>

#include "engine/journal/journal_model.h"

namespace tiercache::testing {
namespace {

void expect_promises(MemoryDisk& disk, const JournalModel& model) {
  JournalOnDisk log(disk);
  const IoStatus status = log.open();
  ASSERT_TRUE(status.ok()) << status.what;
  model.check(log);
}

struct Refusal {
  int error;
  std::uint64_t how_many;  // operations in a row
};

class JournalFaults : public ::testing::TestWithParam<Refusal> {};

// Counts the journal's operations after the open; those from `first` on fail.
MemoryDisk::Fault failing(std::uint64_t first, const Refusal& refusal, std::uint64_t* count) {
  return [=](const std::string&, const std::string&) {
    ++*count;
    return *count >= first && *count < first + refusal.how_many ? refusal.error : 0;
  };
}

void refuse_each_operation_in_turn(const Refusal& refusal, std::uint64_t seed) {
  std::uint64_t operations = 1;
  for (std::uint64_t first = 1; first <= operations; ++first) {
    SCOPED_TRACE("refused from " + std::to_string(first));
    MemoryDisk disk;
    JournalModel model;
    {
      JournalOnDisk log(disk);
      ASSERT_TRUE(log.open().ok());
      operations = 0;
      disk.set_fault(failing(first, refusal, &operations));
      JournalLife(log, model, seed).run(50);
      disk.set_fault(nullptr);
      disk.kill();
    }
    for (const std::uint64_t loss : {std::uint64_t{0}, std::uint64_t{1}, first + 2}) {
      const auto after = disk.after_power_loss(loss);
      expect_promises(*after, model);
    }
    expect_promises(disk, model);
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(operations, 100u);
}

TEST_P(JournalFaults, refusal_of_any_operation_keeps_every_promise_I1) {
  for (const std::uint64_t seed : {11, 101, 102, 113}) {
    SCOPED_TRACE("life " + std::to_string(seed));
    refuse_each_operation_in_turn(GetParam(), seed);
  }
}

INSTANTIATE_TEST_SUITE_P(Errors, JournalFaults,
                         ::testing::Values(Refusal{EIO, 1}, Refusal{ENOSPC, 1}, Refusal{EIO, 2},
                                           Refusal{EIO, 5}, Refusal{ENOSPC, 9}),
                         [](const auto& param) {
                           return (param.param.error == EIO ? std::string("EIO") : "ENOSPC") +
                                  std::to_string(param.param.how_many);
                         });

// A disk whose named operation fails the next `times`.
void fail_next(MemoryDisk& disk, const std::string& name, int times) {
  auto left = std::make_shared<int>(times);
  disk.set_fault([=](const std::string& operation, const std::string&) {
    return operation == name && (*left)-- > 0 ? EIO : 0;
  });
}

TEST(JournalFailedSync, next_sync_that_succeeds_is_not_trusted_I1) {
  for (std::uint64_t loss = 0; loss < 50; ++loss) {
    MemoryDisk disk;
    JournalOnDisk log(disk);
    ASSERT_TRUE(log.open().ok());
    ASSERT_EQ(log.put(content("old", 1, document("old"))).status, AppendStatus::durable);
    fail_next(disk, "sync_data", 1);
    EXPECT_EQ(log.put(content("k", 2, document("k"))).status, AppendStatus::durable);
    EXPECT_EQ(log.journal->stats().segments_abandoned, 1u);
    EXPECT_EQ(log.journal->stats().segments, 1u) << "the abandoned segment is gone";
    EXPECT_EQ(*log.journal->take_unsettled(1, 1).at(0).write.entry.document, document("old"));
    const auto after = disk.after_power_loss(loss);
    JournalOnDisk next(*after);
    ASSERT_TRUE(next.open().ok());
    EXPECT_NE(next.recovered_content("old"), nullptr);
    EXPECT_NE(next.recovered_content("k"), nullptr);
  }
}

TEST(JournalFailedSync, failed_rescue_leaves_old_records_readable_and_the_new_one_unknown) {
  MemoryDisk disk;
  JournalOnDisk log(disk);
  ASSERT_TRUE(log.open().ok());
  log.put(content("old", 1, document("old")));
  fail_next(disk, "sync_data", 2);
  const AppendResult result = log.put(content("k", 2, document("k")));
  EXPECT_EQ(result.status, AppendStatus::unknown);
  EXPECT_EQ(result.io.error, EIO);
  EXPECT_EQ(*log.journal->take_unsettled(1, 1).at(0).write.entry.document, document("old"));
  EXPECT_EQ(log.put(content("l", 3, document("l"))).status, AppendStatus::durable);
  EXPECT_EQ(log.journal->stats().segments, 1u) << "what was left behind moved with the next write";
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("old"), nullptr);
  EXPECT_NE(log.recovered_content("l"), nullptr);
}

// A sync after one that failed says nothing of what the first one lost.
TEST(JournalFailedSync, segment_whose_sync_failed_is_never_synced_again_I1) {
  MemoryDisk disk;
  JournalOnDisk log(disk);
  ASSERT_TRUE(log.open().ok());
  log.put(content("old", 1, document("old")));
  int syncs = 0;
  std::set<std::string> failed;
  disk.set_fault([&](const std::string& operation, const std::string& path) {
    if (operation != "sync_data") return 0;
    EXPECT_FALSE(failed.contains(path)) << path;
    ++syncs;  // the second one is of the new segment while it is made
    if (syncs != 1 && syncs != 3) return 0;
    failed.insert(path);
    return EIO;
  });
  EXPECT_EQ(log.put(content("k", 2, document("k"))).status, AppendStatus::unknown);
  EXPECT_EQ(failed.size(), 2u);
  EXPECT_EQ(log.put(content("l", 3, document("l"))).status, AppendStatus::durable);
  EXPECT_EQ(log.put(content("m", 4, document("m"))).status, AppendStatus::durable);
}

TEST(JournalFailedSync, what_was_left_behind_moves_with_the_next_compaction_I1) {
  MemoryDisk disk;
  JournalOnDisk log(disk);
  ASSERT_TRUE(log.open().ok());
  log.put(content("old", 1, document("old")));
  const std::vector<std::string> left = segment_files(disk);
  fail_next(disk, "sync_data", 2);
  ASSERT_EQ(log.put(content("k", 2, document("k"))).status, AppendStatus::unknown);
  ASSERT_EQ(segment_files(disk), left);
  ASSERT_TRUE(log.journal->compact(Journal::Compact::when_due).ok());
  EXPECT_NE(segment_files(disk), left);
  disk.power_loss(0);
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("old"), nullptr);
}

// Notes are written without a sync, and what is moved beside them leaves a segment that was synced.
TEST(JournalFailedSync, what_moves_beside_notes_is_on_the_disk_before_its_old_place_goes_I1) {
  MemoryDisk disk;
  JournalOnDisk log(disk);
  ASSERT_TRUE(log.open().ok());
  const Record confirmed = content("confirmed", 1, document("confirmed"));
  log.put(confirmed);
  log.put(content("old", 2, document("old")));
  fail_next(disk, "sync_data", 2);
  ASSERT_EQ(log.put(content("k", 3, document("k"))).status, AppendStatus::unknown);
  log.settle(confirmed);
  const std::string left = segment_files(disk).at(0);
  log.journal.reset();  // writes the note
  std::string bytes;
  ASSERT_FALSE(disk.read(left, &bytes));
  ASSERT_TRUE(disk.boot()->sync_directory(left.substr(0, left.rfind('/'))).ok());
  disk.power_loss(0);
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("old"), nullptr);
}

TEST(JournalFullDisk, refused_segment_means_not_applied_and_the_next_write_works) {
  MemoryDisk disk;
  JournalOnDisk log(disk);
  ASSERT_TRUE(log.open().ok());
  disk.set_capacity(1000);
  const AppendResult result = log.put(content("k", 1, "1"));
  EXPECT_EQ(result.status, AppendStatus::not_applied);
  EXPECT_EQ(result.io.error, ENOSPC);
  EXPECT_TRUE(segment_files(disk).empty());
  disk.set_capacity(0);
  EXPECT_EQ(log.put(content("k", 2, "1")).status, AppendStatus::durable);
}

}  // namespace
}  // namespace tiercache::testing
