#include "base/quarantine.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "tiercache/testing/memory_file_system.h"

namespace tiercache {
namespace {

constexpr char kFolder[] = "/cache/quarantine";
constexpr std::uint64_t kBlock = 4096;

class QuarantineTest : public ::testing::Test {
 protected:
  QuarantineTest() { disk.write("/cache/tiercache.json", ""); }

  std::unique_ptr<Quarantine> open(std::uint64_t blocks) {
    file_system = disk.boot();
    return std::make_unique<Quarantine>(*file_system, kFolder, blocks * kBlock);
  }
  void move_in(Quarantine& quarantine, const std::string& name, std::size_t bytes = 10) {
    const std::string path = "/cache/" + name;
    disk.write(path, std::string(bytes, 'x'));
    ASSERT_TRUE(quarantine.move_in(path, name).ok());
    std::string there;
    EXPECT_FALSE(disk.read(path, &there));
  }
  void fail(const std::string& failing, int error) {
    disk.set_fault([=](const std::string& operation, const std::string&) {
      return operation == failing ? error : 0;
    });
  }
  // The names without their numbers, by name.
  std::string kept() const {
    std::string names;
    for (const std::string& path : disk.files()) {
      if (!path.starts_with(kFolder)) continue;
      names += (names.empty() ? "" : " ") + path.substr(path.find_last_of('-') + 1);
    }
    return names;
  }

  testing::MemoryDisk disk;
  std::shared_ptr<FileSystem> file_system;
};

TEST_F(QuarantineTest, past_the_bound_the_oldest_go_first_and_are_counted_I8) {
  const auto quarantine = open(3);
  for (const char* name : {"e", "d", "c", "b", "a"}) move_in(*quarantine, name);
  EXPECT_EQ(kept(), "c b a");
  EXPECT_EQ(quarantine->stats().bytes, 3 * kBlock);
  EXPECT_EQ(quarantine->stats().deleted, 2u);
}

TEST_F(QuarantineTest, order_of_age_is_kept_past_nine_and_over_restarts) {
  auto quarantine = open(4);
  for (int i = 0; i < 11; ++i) move_in(*quarantine, std::to_string(100 + i));
  quarantine = open(4);
  move_in(*quarantine, "z");
  quarantine = open(2);
  quarantine->trim();
  EXPECT_EQ(quarantine->stats().bytes, 2 * kBlock);
  EXPECT_EQ(quarantine->stats().deleted, 2u);
  EXPECT_EQ(kept(), "110 z");
}

TEST_F(QuarantineTest, large_file_counts_its_size_and_one_above_the_bound_is_not_kept) {
  const auto quarantine = open(4);
  move_in(*quarantine, "a");
  move_in(*quarantine, "b", 2 * kBlock);
  EXPECT_EQ(kept(), "a b");
  move_in(*quarantine, "c", kBlock - 1);
  EXPECT_EQ(kept(), "b c");
  move_in(*quarantine, "d", 10 * kBlock);
  EXPECT_EQ(kept(), "");
  EXPECT_EQ(quarantine->stats().bytes, 0u);
}

TEST_F(QuarantineTest, bound_of_zero_keeps_nothing) {
  const auto quarantine = open(0);
  move_in(*quarantine, "a");
  EXPECT_EQ(kept(), "");
  EXPECT_EQ(quarantine->stats().deleted, 1u);
}

TEST_F(QuarantineTest, bytes_written_twice_under_one_name_are_kept_once_and_synced_I9) {
  const auto quarantine = open(10);
  ASSERT_TRUE(quarantine->write("record", "first").ok());
  move_in(*quarantine, "a");
  ASSERT_TRUE(quarantine->write("record", "second").ok());
  EXPECT_EQ(kept(), "record a");
  EXPECT_EQ(quarantine->stats().bytes, 2 * kBlock);
  const auto after = disk.after_power_loss(0);
  std::string bytes;
  ASSERT_TRUE(after->read(std::string(kFolder) + "/1-record", &bytes));
  EXPECT_EQ(bytes, "second");
}

TEST_F(QuarantineTest, what_other_processes_bring_is_counted_too) {
  const auto quarantine = open(16);
  move_in(*quarantine, "a");
  {
    const auto boot = disk.boot();
    Quarantine other(*boot, kFolder, 16 * kBlock);
    for (int i = 0; i < 14; ++i) {
      disk.write("/cache/other", "x");
      ASSERT_TRUE(other.move_in("/cache/other", "o" + std::to_string(i)).ok());
    }
  }
  for (int i = 0; i < 8; ++i) move_in(*quarantine, "b" + std::to_string(i));
  std::size_t count = 0;
  for (const std::string& path : disk.files()) count += path.starts_with(kFolder) ? 1 : 0;
  EXPECT_LE(count, 16u + 2);
}

TEST_F(QuarantineTest, file_that_cannot_be_deleted_does_not_keep_others_from_coming_in_I9) {
  const auto quarantine = open(2);
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "remove_file" ? EACCES : 0;
  });
  for (const char* name : {"a", "b", "c"}) move_in(*quarantine, name);
  EXPECT_EQ(kept(), "a b c");
  EXPECT_EQ(quarantine->stats().deleted, 0u);
  disk.set_fault({});
  quarantine->trim();
  EXPECT_EQ(kept(), "b c");
}

TEST_F(QuarantineTest, failure_to_move_leaves_the_file_where_it_is) {
  const auto quarantine = open(2);
  disk.write("/cache/a", "x");
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "rename" ? EIO : 0;
  });
  EXPECT_FALSE(quarantine->move_in("/cache/a", "a").ok());
  disk.set_fault({});
  std::string bytes;
  EXPECT_TRUE(disk.read("/cache/a", &bytes));
  EXPECT_EQ(quarantine->stats().bytes, 0u);
}

TEST_F(QuarantineTest, what_others_deleted_counts_no_more) {
  const auto quarantine = open(2);
  for (const char* name : {"a", "b"}) move_in(*quarantine, name);
  disk.remove(std::string(kFolder) + "/1-a");
  quarantine->trim();
  EXPECT_EQ(quarantine->stats().bytes, kBlock);
  for (const char* name : {"c", "d"}) move_in(*quarantine, name);
  EXPECT_EQ(kept(), "c d");
  EXPECT_EQ(quarantine->stats().bytes, 2 * kBlock);
}

TEST_F(QuarantineTest, folder_that_was_deleted_holds_nothing) {
  const auto quarantine = open(2);
  move_in(*quarantine, "a");
  file_system->remove_tree(kFolder);
  quarantine->trim();
  EXPECT_EQ(quarantine->stats().bytes, 0u);
}

TEST_F(QuarantineTest, folders_in_it_do_not_count) {
  const auto quarantine = open(10);
  file_system->make_directories(std::string(kFolder) + "/0-folder");
  for (const char* name : {"a", "b"}) move_in(*quarantine, name);
  EXPECT_EQ(kept(), "a b");
  EXPECT_EQ(quarantine->stats().bytes, 2 * kBlock);
}

// Whatever fails first is what is said, nothing is done afterwards.
TEST_F(QuarantineTest, failure_of_any_step_of_moving_is_told_and_leaves_the_file_where_it_is) {
  for (const char* failing : {"make_directories", "list", "info", "rename"}) {
    const auto quarantine = open(2);
    disk.write("/cache/a", "x");
    fail(failing, EIO);
    EXPECT_EQ(quarantine->move_in("/cache/a", "a").error, EIO) << failing;
    disk.set_fault({});
    std::string bytes;
    EXPECT_TRUE(disk.read("/cache/a", &bytes)) << failing;
    EXPECT_EQ(kept(), "") << failing;
  }
}

TEST_F(QuarantineTest, failure_of_any_step_of_writing_is_told_and_leaves_no_part_I9) {
  const auto quarantine = open(2);
  for (const char* failing :
       {"make_directories", "list", "write_file", "sync_file", "sync_directory"}) {
    fail(failing, EIO);
    EXPECT_EQ(quarantine->write("record", "bytes").error, EIO) << failing;
    disk.set_fault({});
    EXPECT_EQ(kept(), "") << failing;
    EXPECT_EQ(quarantine->stats().bytes, 0u) << failing;
  }
  EXPECT_TRUE(quarantine->write("record", "bytes").ok());
  EXPECT_EQ(kept(), "record");
}

TEST_F(QuarantineTest, bytes_written_again_after_a_restart_replace_the_first_and_nothing_else) {
  disk.write(std::string(kFolder) + "/record", "somebody's");
  ASSERT_TRUE(open(10)->write("record", "first").ok());
  const auto quarantine = open(10);
  ASSERT_TRUE(quarantine->write("record", "second").ok());
  std::string bytes;
  ASSERT_TRUE(disk.read(std::string(kFolder) + "/1-record", &bytes));
  EXPECT_EQ(bytes, "second");
  ASSERT_TRUE(disk.read(std::string(kFolder) + "/record", &bytes));
  EXPECT_EQ(bytes, "somebody's");
  EXPECT_EQ(quarantine->stats().bytes, 2 * kBlock);
}

}  // namespace
}  // namespace tiercache
