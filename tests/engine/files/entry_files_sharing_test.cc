// Several processes on one directory, as several boots of one disk (I10).
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/generations.h"
#include "base/hex.h"
#include "base/key_ref.h"
#include "engine/files/entries.h"

namespace tiercache {
namespace {

bool has_file(const testing::MemoryDisk& disk, const std::string& path) {
  std::string bytes;
  return disk.read(path, &bytes);
}

TEST(EntryFilesSharing, what_one_wrote_the_other_reads_and_does_not_overwrite_with_older_I3) {
  testing::MemoryDisk disk;
  Tier a(disk);
  Tier b(disk);
  a->write(kId, document(5, "\"a\""), Sync::none);
  EXPECT_EQ(b.text(kId), "\"a\"");
  EXPECT_EQ(b->write(kId, document(4), Sync::none).status, WriteStatus::newer_there);
  EXPECT_EQ(b->write(kId, document(6, "\"b\""), Sync::none).status, WriteStatus::done);
  EXPECT_EQ(a->write(kId, document(5), Sync::none).status, WriteStatus::newer_there);
  EXPECT_EQ(a.text(kId), "\"b\"");
}

TEST(EntryFilesSharing, file_another_removed_does_not_leave_the_index_ahead_of_the_next_write) {
  testing::MemoryDisk disk;
  Tier a(disk);
  Tier b(disk);
  a->write(kId, document(9), Sync::none);
  EXPECT_EQ(b->remove(kId, {9, 9}).status, WriteStatus::done);
  EXPECT_EQ(a->write(kId, document(5), Sync::none).status, WriteStatus::done);
  EXPECT_EQ(a->index().find(kId)->version.time, 5u);
}

TEST(EntryFilesSharing, write_and_removal_are_each_told_to_the_other_processes_I10) {
  const std::shared_ptr<std::uint32_t> page = or_private(nullptr, Generations::kCounters);
  const Generations others(page);
  const auto told = [&] { return others.of(shared_hash(kId.dataset, kId.key)); };
  testing::MemoryDisk disk;
  const Tier directory(disk);
  const std::shared_ptr<FileSystem> file_system = disk.boot();
  EntryFiles files(*file_system, kDirectory, kProject, kMaxFileBytes, nullptr,
                   std::make_shared<Generations>(page));
  bool rebuilt = false;
  ASSERT_TRUE(files.open(&rebuilt).ok());
  ASSERT_EQ(files.write(kId, document(5), Sync::none).status, WriteStatus::done);
  EXPECT_EQ(told(), 1u);
  ASSERT_EQ(files.remove(kId, {9, 9}).status, WriteStatus::done);
  EXPECT_EQ(told(), 2u);
}

TEST(EntryFilesSharing, key_whose_lock_another_process_holds_is_busy_and_unchanged) {
  testing::MemoryDisk disk;
  Tier a(disk);
  a->write(kId, document(5), Sync::none);
  const std::shared_ptr<FileSystem> other = disk.boot();
  std::vector<std::unique_ptr<FileLock>> locks(64);
  for (std::size_t stripe = 0; stripe < locks.size(); ++stripe) {
    std::string path = "/cache/locks/";
    append_hex8(static_cast<std::uint8_t>(stripe), &path);
    ASSERT_TRUE(other->try_lock(path, &locks[stripe]).ok());
  }
  EXPECT_EQ(a->write(kId, document(6), Sync::none).status, WriteStatus::busy);
  EXPECT_EQ(a->write(kId, document(6), Sync::before).status, WriteStatus::busy);
  EXPECT_EQ(a->remove(kId, {9, 9}).status, WriteStatus::busy);
  const std::vector<std::pair<EntryId, EntryPtr>> batch = {{kId, shared(document(6))}};
  EXPECT_EQ(a->write_synced(batch)[0].status, WriteStatus::busy);
  EXPECT_EQ(a.version(kId), 5u);
  EXPECT_EQ(temps(disk), 0);
  disk.write(file_of(kId), "damage");
  EXPECT_EQ(a.text(kId), "<corrupt>");
  EXPECT_EQ(quarantined_files(disk), 0) << "left for one who has the lock";
  disk.kill();  // the process that held them
  EXPECT_EQ(a.text(kId), "<corrupt>");
  EXPECT_EQ(quarantined_files(disk), 1);
  EXPECT_EQ(a->write(kId, document(6), Sync::none).status, WriteStatus::done);
}

TEST(EntryFilesSharing, half_written_files_of_the_dead_go_and_those_of_the_living_stay) {
  testing::MemoryDisk disk;
  Tier living(disk);
  {
    Tier dead(disk);
    disk.write("/cache/tmp/0/1", "of the living");
    disk.write("/cache/tmp/1/1", "of the dead");
    disk.kill();
  }
  disk.write("/cache/tmp/7/1", "of one long dead");
  disk.write("/cache/locks/open-7", "");
  Tier next(disk);
  EXPECT_TRUE(has_file(disk, "/cache/tmp/0/1"));
  EXPECT_FALSE(has_file(disk, "/cache/tmp/1/1"));
  EXPECT_FALSE(has_file(disk, "/cache/tmp/7/1"));
}

TEST(EntryFilesSharing, index_is_left_only_by_one_who_was_alone_all_the_time) {
  testing::MemoryDisk disk;
  auto a = std::make_unique<Tier>(disk);
  auto b = std::make_unique<Tier>(disk);
  (*b)->write(kId, document(5), Sync::none);
  ASSERT_TRUE((*b)->close().ok());
  b.reset();
  EXPECT_FALSE(has_file(disk, "/cache/index")) << "another has the directory open";
  EXPECT_FALSE((*a)->index().find(kId)) << "which is why its index must not be trusted";
  ASSERT_TRUE((*a)->close().ok());
  a.reset();
  EXPECT_FALSE(has_file(disk, "/cache/index")) << "others were there";
  Tier c(disk);
  EXPECT_TRUE(c.rebuilt);
  EXPECT_TRUE(c->index().find(kId));
  ASSERT_TRUE(c->close().ok());
  EXPECT_TRUE(has_file(disk, "/cache/index"));
}

TEST(EntryFilesSharing, index_survives_no_crash) {
  testing::MemoryDisk disk;
  {
    Tier first(disk);
    first->write(kId, document(1), Sync::none);
    ASSERT_TRUE(first->close().ok());
  }
  {
    Tier second(disk);
    EXPECT_FALSE(second.rebuilt);
    second->write({"d", "new"}, document(1), Sync::before);
    disk.power_loss(0);
  }
  Tier third(disk);
  EXPECT_TRUE(third.rebuilt);
  EXPECT_TRUE(third->index().find({"d", "new"}));
}

TEST(EntryFilesSharing, disk_without_exchange_is_served_by_rename) {
  for (const int error : {ENOTSUP, EINVAL}) {
    testing::MemoryDisk disk;
    int exchanges = 0;
    disk.set_fault([&](const std::string& operation, const std::string&) {
      if (operation != "exchange") return 0;
      ++exchanges;
      return error;
    });
    Tier tier(disk);
    for (std::uint64_t version = 1; version <= 5; ++version) {
      EXPECT_EQ(tier->write(kId, document(version), Sync::none).status, WriteStatus::done);
    }
    EXPECT_EQ(tier.version(kId), 5u);
    EXPECT_EQ(exchanges, 1) << "asked once, then known";
    EXPECT_EQ(temps(disk), 0);
  }
}

TEST(EntryFilesSharing, folders_removed_by_a_person_are_made_again) {
  testing::MemoryDisk disk;
  Tier tier(disk);
  tier->write(kId, document(1), Sync::before);
  const std::shared_ptr<FileSystem> person = disk.boot();
  person->remove_tree("/cache/tmp");
  person->remove_tree("/cache/data/d");
  EXPECT_EQ(tier.text(kId), "<absent>");
  EXPECT_EQ(tier->write(kId, document(2), Sync::before).status, WriteStatus::done);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::unique_ptr<testing::MemoryDisk> after = disk.after_power_loss(seed);
    EXPECT_EQ(Tier(*after).version(kId), 2u);
  }
}

// More is lost with it than the files that are written next.
TEST(EntryFilesSharing, folder_of_all_entries_is_not_made_again_before_its_loss_is_noticed) {
  testing::MemoryDisk disk;
  Tier tier(disk);
  tier->write(kId, document(1), Sync::before);
  disk.boot()->remove_tree("/cache/data");
  EXPECT_FALSE(tier->stands());
  EXPECT_FALSE(tier->write(kId, document(2), Sync::before).is_there());
  EXPECT_EQ(tier->read(kId).status, FileReadResult::Status::failed);
  ASSERT_TRUE(tier->reopen().ok());
  EXPECT_TRUE(tier->stands());
  EXPECT_EQ(tier->write(kId, document(2), Sync::before).status, WriteStatus::done);
  EXPECT_EQ(tier.version(kId), 2u);
}

}  // namespace
}  // namespace tiercache
