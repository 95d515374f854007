// I1, I3 and I4 over crashes at every operation: kill -9, power loss, and both during recovery.
#include <gtest/gtest.h>

#include "engine/journal/journal_model.h"

namespace tiercache::testing {
namespace {

constexpr int kSteps = 60;

// What is promised holds on this disk, now and after another restart.
void expect_promises(MemoryDisk& disk, const JournalModel& model, const std::string& when) {
  SCOPED_TRACE(when);
  for (int restart = 0; restart < 2; ++restart) {
    JournalOnDisk log(disk);
    const IoStatus status = log.open();
    ASSERT_TRUE(status.ok()) << status.what;
    EXPECT_EQ(log.journal->stats().corrupt_records, 0u) << "a crash is no corruption";
    model.check(log);
    log.kill();
  }
}

std::uint64_t operations_of_life(std::uint64_t seed) {
  MemoryDisk disk;
  JournalOnDisk log(disk);
  EXPECT_TRUE(log.open().ok());
  JournalModel model;
  JournalLife(log, model, seed).run(kSteps);
  return disk.operations();
}

void kill_at(MemoryDisk& disk, std::uint64_t operation) {
  disk.on_operation([&disk, operation](std::uint64_t number, const std::string&) {
    if (number == operation) disk.kill();
  });
}

class JournalCrash : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(JournalCrash, kill_at_every_operation_keeps_every_promise_I1) {
  const std::uint64_t operations = operations_of_life(GetParam());
  ASSERT_GT(operations, 100u);
  for (std::uint64_t operation = 1; operation <= operations; ++operation) {
    MemoryDisk disk;
    kill_at(disk, operation);
    JournalModel model;
    {
      JournalOnDisk log(disk);
      log.open();
      JournalLife(log, model, GetParam()).run(kSteps);
    }
    disk.on_operation(nullptr);
    expect_promises(disk, model, "killed at " + std::to_string(operation));
    if (HasFailure()) return;
  }
}

TEST_P(JournalCrash, power_loss_at_every_operation_keeps_every_promise_I1) {
  MemoryDisk disk;
  JournalModel model;
  disk.on_operation([&](std::uint64_t number, const std::string& what) {
    for (std::uint64_t loss = 0; loss < 6 && !HasFailure(); ++loss) {
      const auto after = disk.after_power_loss(loss < 2 ? loss : loss * 1000 + number);
      expect_promises(*after, model,
                      what + " #" + std::to_string(number) + " loss " + std::to_string(loss));
    }
  });
  JournalOnDisk log(disk);
  ASSERT_TRUE(log.open().ok());
  JournalLife(log, model, GetParam()).run(kSteps);
  EXPECT_GT(disk.operations(), 100u);
}

TEST_P(JournalCrash, crash_at_every_operation_of_recovery_keeps_every_promise_I1) {
  const std::uint64_t operations = operations_of_life(GetParam());
  for (std::uint64_t first = 7; first <= operations; first += 13) {
    for (std::uint64_t second = 1; second <= 12; ++second) {
      MemoryDisk disk;
      kill_at(disk, first);
      JournalModel model;
      {
        JournalOnDisk log(disk);
        log.open();
        JournalLife(log, model, GetParam()).run(kSteps);
      }
      disk.power_loss(first);
      const std::uint64_t before = disk.operations();
      kill_at(disk, before + second);
      {
        JournalOnDisk log(disk);
        log.open();
        if (log.journal) log.journal->compact(Journal::Compact::all);
      }
      disk.power_loss(second);
      disk.on_operation(nullptr);
      expect_promises(disk, model,
                      "crashes at " + std::to_string(first) + " and " + std::to_string(second));
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lives, JournalCrash, ::testing::Range<std::uint64_t>(1, 9));

}  // namespace
}  // namespace tiercache::testing
