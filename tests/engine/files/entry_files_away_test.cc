// A tier whose disk takes nothing just now, whose directory was deleted, and one of several on the
// same directory that learns what the others did.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "base/generations.h"
#include "base/key_ref.h"
#include "engine/files/entries.h"

namespace tiercache {
namespace {

const EntryId kId{"d", "k"};
const EntryId kOther{"d", "other"};

WriteStatus write(Tier& tier, const EntryId& id, std::uint64_t version) {
  return tier->write(id, document(version), Sync::before).status;
}

TEST(EntryFilesAway, disk_mounted_for_reading_is_read_and_written_once_it_is_writable_again) {
  testing::MemoryDisk disk;
  {
    Tier before(disk);
    ASSERT_EQ(write(before, kId, 5), WriteStatus::done);
    ASSERT_TRUE(before->close().ok());
  }
  disk.set_read_only(true);
  Tier tier(disk);
  EXPECT_FALSE(tier.rebuilt) << "the index of the last close holds";
  EXPECT_EQ(tier->away().error, EROFS);
  EXPECT_FALSE(tier->stands());
  EXPECT_EQ(tier.version(kId), 5u);
  EXPECT_EQ(tier->index().find(kId)->version.time, 5u);
  EXPECT_EQ(tier->write(kId, document(6), Sync::none).io.error, EROFS);
  EXPECT_EQ(tier->come_back().error, EROFS);
  EXPECT_FALSE(tier->away().ok());
  disk.set_read_only(false);
  EXPECT_TRUE(tier->come_back().ok());
  EXPECT_TRUE(tier->away().ok());
  EXPECT_TRUE(tier->stands());
  EXPECT_EQ(write(tier, kId, 6), WriteStatus::done);
  EXPECT_TRUE(tier->come_back().ok()) << "who is not away has nothing to do";
  EXPECT_EQ(tier.version(kId), 6u);
}

TEST(EntryFilesAway, one_that_comes_back_learns_what_others_wrote_meanwhile) {
  testing::MemoryDisk disk;
  { Tier makes_the_directory(disk); }
  disk.set_read_only(true);
  Tier tier(disk);
  disk.set_read_only(false);
  Tier other(disk);
  ASSERT_EQ(write(other, kId, 5), WriteStatus::done);
  EXPECT_FALSE(tier->index().find(kId));
  ASSERT_TRUE(tier->come_back().ok());
  EXPECT_EQ(tier->index().find(kId)->version.time, 5u);
  EXPECT_NE(tier->slot(), other->slot());
}

TEST(EntryFilesAway, one_that_fails_to_come_back_stays_away_and_takes_no_slot) {
  testing::MemoryDisk disk;
  { Tier makes_the_directory(disk); }
  disk.set_read_only(true);
  Tier tier(disk);
  disk.set_read_only(false);
  disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "sync_directory" && path == "/cache" ? EIO : 0;
  });
  EXPECT_EQ(tier->come_back().error, EIO);
  EXPECT_EQ(tier->away().error, EIO);
  EXPECT_EQ(tier->write(kId, document(6), Sync::none).io.error, EIO);
  disk.set_fault({});
  Tier other(disk);
  EXPECT_EQ(other->slot(), 0u) << "nobody has it";
  EXPECT_TRUE(tier->come_back().ok());
  EXPECT_EQ(tier->slot(), 1u);
}

TEST(EntryFilesAway, one_that_left_writes_nothing_and_takes_no_missing_file_for_erased_I4) {
  testing::MemoryDisk disk;
  Tier tier(disk);
  ASSERT_EQ(write(tier, kId, 5), WriteStatus::done);
  EXPECT_TRUE(tier->stands());
  tier->leave();
  EXPECT_FALSE(tier->stands());
  EXPECT_EQ(tier->write(kId, document(6), Sync::none).io.error, ESHUTDOWN);
  EXPECT_EQ(tier.text(kOther), "<failed>");
  Tier next(disk);
  EXPECT_EQ(next->slot(), 0u) << "the slot went with it";
}

TEST(EntryFilesAway, directory_made_anew_is_opened_with_what_is_there_and_filled_before_it_misses) {
  testing::MemoryDisk disk;
  Tier tier(disk);
  ASSERT_EQ(write(tier, kId, 5), WriteStatus::done);
  tier.file_system->remove_tree(kDirectory);
  EXPECT_FALSE(tier->stands());
  EXPECT_EQ(tier.text(kId), "<failed>") << "nobody erased it";
  open_directory(*tier.file_system, {.path = kDirectory, .project = kProject});
  ASSERT_TRUE(tier->reopen().ok());
  EXPECT_TRUE(tier->stands());
  EXPECT_FALSE(tier->index().find(kId));
  EXPECT_EQ(tier.text(kId), "<failed>");
  EXPECT_EQ(write(tier, kOther, 7), WriteStatus::done);
  tier->filled();
  EXPECT_EQ(tier.text(kId), "<absent>");
  EXPECT_EQ(tier.version(kOther), 7u);
}

TEST(EntryFilesAway, directory_made_anew_on_a_disk_for_reading_says_that_it_cannot_be_written) {
  testing::MemoryDisk disk;
  Tier tier(disk);
  tier.file_system->remove_tree(kDirectory);
  open_directory(*tier.file_system, {.path = kDirectory, .project = kProject});
  disk.set_read_only(true);
  EXPECT_EQ(tier->reopen().error, EROFS);
  EXPECT_FALSE(tier->stands());
}

TEST(EntryFilesAway, file_system_that_fails_otherwise_is_no_reason_to_read_alone) {
  testing::MemoryDisk disk;
  { Tier makes_the_directory(disk); }
  disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "remove_file" && path == "/cache/index" ? EIO : 0;
  });
  const auto fs = disk.boot();
  EntryFiles files(*fs, kDirectory, kProject, kMaxFileBytes);
  bool rebuilt = false;
  EXPECT_EQ(files.open(&rebuilt).error, EIO);
  EXPECT_EQ(files.write(kId, document(1), Sync::none).io.error, ESHUTDOWN);
  disk.set_fault({});
  EXPECT_EQ(Tier(disk)->slot(), 0u) << "it took no slot";
}

// --- What others did ---

TEST(EntryFilesOfOthers, index_takes_note_of_a_file_that_another_wrote_and_of_no_damage_I10) {
  testing::MemoryDisk disk;
  Tier mine(disk), other(disk);
  mine->notice(kId);
  EXPECT_FALSE(mine->index().find(kId));
  ASSERT_EQ(write(other, kId, 5), WriteStatus::done);
  mine->notice(kId);
  EXPECT_EQ(mine->index().find(kId)->version.time, 5u);
  disk.write(file_of(kId), "damage");
  mine->notice(kId);
  EXPECT_EQ(mine->index().find(kId)->version.time, 5u);
}

TEST(EntryFilesOfOthers, file_that_cannot_be_read_is_told_where_others_may_have_written_it_I5) {
  testing::MemoryDisk disk;
  Tier mine(disk);
  ASSERT_EQ(write(mine, kId, 5), WriteStatus::done);
  const auto unreadable = [](const std::string& operation, const std::string& path) {
    return operation == "open" && path.find("/data/") != std::string::npos ? EMFILE : 0;
  };
  disk.set_fault(unreadable);
  EXPECT_TRUE(mine->notice(kId).ok());
  disk.set_fault({});
  Tier other(disk);
  disk.set_fault(unreadable);
  EXPECT_EQ(mine->notice(kId).error, EMFILE);
}

TEST(EntryFilesOfOthers, index_takes_note_of_what_was_read_where_the_disk_refuses_locks_I3) {
  testing::MemoryDisk disk;
  Tier mine(disk), other(disk);
  ASSERT_EQ(write(other, kId, 5), WriteStatus::done);
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "try_lock" ? ENOSPC : 0;
  });
  ASSERT_EQ(mine->read(kId).status, FileReadResult::Status::found);
  ASSERT_TRUE(mine->index().find(kId));
  EXPECT_EQ(mine->index().find(kId)->version.time, 5u);
}

TEST(EntryFilesOfOthers, all_files_of_a_dataset_are_noticed_where_the_directory_is_shared_I10) {
  testing::MemoryDisk disk;
  Tier mine(disk), other(disk);
  ASSERT_EQ(write(mine, kOther, 3), WriteStatus::done);
  ASSERT_EQ(write(other, kId, 5), WriteStatus::done);
  const EntryId long_name{"d", std::string(300, 'x')}, elsewhere{"other dataset", "k"};
  ASSERT_EQ(write(other, long_name, 6), WriteStatus::done);
  ASSERT_EQ(write(other, elsewhere, 7), WriteStatus::done);
  ASSERT_TRUE(mine->notice_all("d").ok());
  EXPECT_EQ(mine->index().find(kId)->version.time, 5u);
  EXPECT_EQ(mine->index().find(long_name)->version.time, 6u);
  EXPECT_EQ(mine->index().find(kOther)->version.time, 3u);
  EXPECT_FALSE(mine->index().find(elsewhere));
}

// An erase by pattern that passed over it would let another process's row stay.
TEST(EntryFilesOfOthers, file_that_cannot_be_read_leaves_not_all_of_a_dataset_noticed_I4) {
  testing::MemoryDisk disk;
  Tier mine(disk), other(disk);
  ASSERT_EQ(write(other, kId, 5), WriteStatus::done);
  disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "open" && path.find("/data/") != std::string::npos ? EMFILE : 0;
  });
  EXPECT_EQ(mine->notice_all("d").error, EMFILE);
  disk.set_fault({});
  EXPECT_TRUE(mine->notice_all("d").ok());
  EXPECT_TRUE(mine->index().find(kId));
}

TEST(EntryFilesOfOthers, who_is_alone_lists_nothing_and_a_disk_that_does_not_tell_is_an_error) {
  testing::MemoryDisk disk;
  Tier mine(disk);
  ASSERT_EQ(write(mine, kId, 5), WriteStatus::done);
  int listed = 0;
  disk.set_fault([&](const std::string& operation, const std::string&) {
    if (operation == "list" || operation == "list_files") ++listed;
    return 0;
  });
  EXPECT_TRUE(mine->notice_all("d").ok());
  EXPECT_EQ(listed, 0);
  disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "info" && path == "/cache/index.shared" ? EIO : 0;
  });
  EXPECT_EQ(mine->notice_all("d").error, EIO);
}

TEST(EntryFilesOfOthers, every_file_that_is_replaced_or_removed_is_told_to_them_I10) {
  testing::MemoryDisk disk;
  Tier makes_the_directory(disk);
  const std::shared_ptr<std::uint32_t> counters(new std::uint32_t[Generations::kCounters]{},
                                                std::default_delete<std::uint32_t[]>());
  const auto mine = std::make_shared<Generations>(counters);
  const Generations others(counters);
  EntryFiles files(*makes_the_directory.file_system, kDirectory, kProject, kMaxFileBytes, nullptr,
                   mine);
  bool rebuilt = false;
  ASSERT_TRUE(files.open(&rebuilt).ok());
  const std::uint64_t hash = shared_hash(kId.dataset, kId.key);
  const auto told = [&] { return others.of(hash); };
  ASSERT_EQ(files.write(kId, document(5), Sync::none).status, WriteStatus::done);
  EXPECT_EQ(told(), 1u);
  ASSERT_EQ(files.write(kId, document(4), Sync::none).status, WriteStatus::newer_there);
  EXPECT_EQ(told(), 1u) << "nothing was replaced";
  ASSERT_EQ(files.replace(kId, {5, 1}, document(3)).status, WriteStatus::done);
  EXPECT_EQ(told(), 2u);
  ASSERT_EQ(files.remove(kId, {9, 1}).status, WriteStatus::done);
  EXPECT_EQ(told(), 3u);
  EXPECT_EQ(mine->of(hash), 0u);
}

}  // namespace
}  // namespace tiercache
