// How a test uses the disk: power losses and kills, processes, hooks, faults, bounds.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/testing/disk_ground.h"

namespace tiercache::testing {
namespace {

TEST_F(MemoryDiskTest, seed_0_loses_and_seed_1_keeps_everything_unsynced) {
  write_durably("/d/f", "old");
  ASSERT_TRUE(open("/d/f")->write_at(0, "new").ok());
  write("/d/g", "g");
  ASSERT_TRUE(fs_->rename("/d/g", "/d/a/g").ok());
  EXPECT_EQ(listing(*disk_.after_power_loss(0)), "/d/f=old;");
  EXPECT_EQ(listing(*disk_.after_power_loss(1)), listing(disk_));
}

TEST_F(MemoryDiskTest, same_seed_gives_the_same_state) {
  for (int i = 0; i < 20; ++i) write("/d/a/" + std::to_string(i), std::string(9000, 'x'));
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(listing(*disk_.after_power_loss(seed)), listing(*disk_.after_power_loss(seed)));
  }
}

TEST_F(MemoryDiskTest, state_after_a_power_loss_is_certain_and_apart_from_its_origin) {
  write("/d/f", "x");
  std::unique_ptr<MemoryDisk> copy = disk_.after_power_loss(1);
  EXPECT_EQ(reachable(*copy), States{"/d/f=x;"});
  ASSERT_TRUE(copy->boot()->write_file("/d/f", "changed").ok());
  EXPECT_EQ(content(disk_, "/d/f"), "x");
}

TEST_F(MemoryDiskTest, power_loss_leaves_what_after_power_loss_foretold) {
  write("/d/a/f", std::string(9000, 'x'));
  write("/d/b/f", std::string(9000, 'y'));
  const std::string foretold = listing(*disk_.after_power_loss(77));
  disk_.power_loss(77);
  EXPECT_EQ(listing(disk_), foretold);
  EXPECT_EQ(reachable(disk_), States{foretold});
}

TEST_F(MemoryDiskTest, kill_loses_nothing_written_but_ends_the_boot_and_its_locks) {
  write("/d/f", "x");
  std::unique_ptr<File> file = open("/d/f");
  std::unique_ptr<FileLock> lock;
  ASSERT_TRUE(fs_->try_lock("/d/lock", &lock).ok());
  disk_.kill();
  EXPECT_EQ(content(disk_, "/d/f"), "x");
  EXPECT_EQ(file->write_at(0, "y").error, EIO);
  EXPECT_EQ(fs_->write_file("/d/f", "y").error, EIO);
  std::string out;
  EXPECT_EQ(fs_->read_file("/d/f", 10, &out).error, EIO);
  EXPECT_EQ(content(disk_, "/d/f"), "x");
  std::shared_ptr<FileSystem> next = disk_.boot();
  std::unique_ptr<FileLock> taken;
  ASSERT_TRUE(next->try_lock("/d/lock", &taken).ok());
  lock.reset();  // the dead boot's holder must not free the living one's lock
  std::unique_ptr<FileLock> third;
  EXPECT_EQ(next->try_lock("/d/lock", &third).error, EAGAIN);
}

TEST_F(MemoryDiskTest, two_boots_are_two_processes) {
  std::shared_ptr<FileSystem> other = disk_.boot();
  std::unique_ptr<FileLock> lock;
  std::unique_ptr<FileLock> refused;
  ASSERT_TRUE(fs_->try_lock("/d/lock", &lock).ok());
  EXPECT_EQ(other->try_lock("/d/lock", &refused).error, EAGAIN);
  disk_.kill();
  EXPECT_EQ(other->write_file("/d/f", "x").error, EIO);
  EXPECT_TRUE(fs_->write_file("/d/f", "x").ok());
  disk_.power_loss(0);
  EXPECT_EQ(fs_->write_file("/d/f", "x").error, EIO);
}

TEST_F(MemoryDiskTest, older_of_two_processes_dies_alone) {
  std::shared_ptr<FileSystem> newer = disk_.boot();
  disk_.kill(*fs_);
  EXPECT_EQ(fs_->write_file("/d/f", "x").error, EIO);
  EXPECT_TRUE(newer->write_file("/d/f", "x").ok());
}

TEST_F(MemoryDiskTest, hook_sees_every_change_before_it_is_made) {
  std::vector<std::string> seen;
  std::vector<std::string> before;
  disk_.on_operation([&](std::uint64_t number, const std::string& what) {
    EXPECT_EQ(number, disk_.operations());
    seen.push_back(what);
    before.push_back(listing(disk_));
  });
  write("/d/f", "x");
  ASSERT_TRUE(fs_->rename("/d/f", "/d/g").ok());
  ASSERT_TRUE(fs_->sync_directory("/d").ok());
  std::string out;
  ASSERT_TRUE(fs_->read_file("/d/g", 10, &out).ok());
  ASSERT_TRUE(fs_->make_directories("/d/x/y").ok());
  ASSERT_TRUE(fs_->remove_tree("/d/x").ok());
  EXPECT_EQ(seen, (std::vector<std::string>{"write_file /d/f", "rename /d/f", "sync_directory /d",
                                            "make_directories /d/x", "make_directories /d/x/y",
                                            "remove_tree /d/x/y", "remove_tree /d/x"}));
  EXPECT_EQ(before[0], "");
  EXPECT_EQ(before[1], "/d/f=x;");
  EXPECT_EQ(before[2], "/d/g=x;");
}

TEST_F(MemoryDiskTest, power_loss_in_the_hook_comes_before_the_operation) {
  write_durably("/d/f", "old");
  disk_.on_operation([&](std::uint64_t, const std::string&) { disk_.power_loss(1); });
  EXPECT_EQ(fs_->write_file("/d/f", "new").error, EIO);
  EXPECT_EQ(content(disk_, "/d/f"), "old");
}

TEST_F(MemoryDiskTest, faults_fail_only_what_they_name) {
  write("/d/f", "x");
  disk_.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "rename" && path == "/d/f" ? EROFS : 0;
  });
  EXPECT_EQ(fs_->rename("/d/f", "/d/g").error, EROFS);
  EXPECT_EQ(content(disk_, "/d/f"), "x");
  EXPECT_TRUE(fs_->write_file("/d/h", "x").ok());
  EXPECT_TRUE(fs_->rename("/d/h", "/d/g").ok());
}

TEST_F(MemoryDiskTest, failed_write_leaves_a_part_at_most) {
  std::unique_ptr<File> file = open("/d/f", OpenMode::create);
  disk_.set_fault([](const std::string& operation, const std::string&) {
    return operation == "write_at" || operation == "write_file" ? EIO : 0;
  });
  States parts;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(file->truncate(0).ok());
    EXPECT_EQ(file->write_at(0, "abc").error, EIO);
    parts.insert(content(disk_, "/d/f"));
  }
  EXPECT_EQ(parts, (States{"", "a", "ab", "abc"}));
  parts.clear();
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(fs_->write_file("/d/new" + std::to_string(i), "abc").error, EIO);
    parts.insert(content(disk_, "/d/new" + std::to_string(i)));
  }
  EXPECT_EQ(parts, (States{kGone, "a", "abc"}));
}

TEST_F(MemoryDiskTest, full_disk_refuses_growth_and_takes_overwrites) {
  write("/d/f", std::string(80, 'x'));
  disk_.set_capacity(100);
  EXPECT_EQ(fs_->write_file("/d/g", std::string(30, 'y')).error, ENOSPC);
  EXPECT_EQ(content(disk_, "/d/g"), std::string(20, 'y'));
  EXPECT_EQ(disk_.used_bytes(), 100u);
  EXPECT_TRUE(open("/d/f")->write_at(0, std::string(80, 'z')).ok());
  EXPECT_EQ(open("/d/f")->write_at(80, "z").error, ENOSPC);
  EXPECT_EQ(open("/d/f")->truncate(81).error, ENOSPC);
  std::uint64_t free = 1;
  ASSERT_TRUE(fs_->free_bytes("/d", &free).ok());
  EXPECT_EQ(free, 0u);
  ASSERT_TRUE(fs_->remove_file("/d/g").ok());
  EXPECT_EQ(disk_.used_bytes(), 80u);
  EXPECT_TRUE(fs_->write_file("/d/g", std::string(20, 'y')).ok());
  ASSERT_TRUE(fs_->rename("/d/g", "/d/f").ok());
  EXPECT_EQ(disk_.used_bytes(), 20u);
}

TEST_F(MemoryDiskTest, direct_access_is_durable_at_once) {
  disk_.write("/d/deep/er/f", "x");
  EXPECT_EQ(reachable(disk_, "/d/deep/er/f"), States{"x"});
  disk_.write("/d/deep/er/f", "yy");
  EXPECT_EQ(reachable(disk_, "/d/deep/er/f"), States{"yy"});
  EXPECT_TRUE(disk_.remove("/d/deep/er/f"));
  EXPECT_FALSE(disk_.remove("/d/deep/er/f"));
  EXPECT_EQ(reachable(disk_, "/d/deep/er/f"), States{kGone});
}

TEST_F(MemoryDiskTest, remote_is_as_told) {
  disk_.set_remote(true);
  bool remote = false;
  ASSERT_TRUE(fs_->is_remote("/d", &remote).ok());
  EXPECT_TRUE(remote);
}

// The whole model against a check of its own: random operations on synced files, and after each
// power loss every directory must be some prefix of what happened in it.
TEST_F(MemoryDiskTest, every_state_is_one_between_the_last_sync_and_now) {
  for (std::uint64_t round = 0; round < 200; ++round) {
    MemoryDisk disk;
    std::shared_ptr<FileSystem> fs = disk.boot();
    fs->make_directories("/d");
    fs->sync_all("/d");
    States allowed = {listing(disk)};
    for (std::uint64_t step = 0; step < 12; ++step) {
      const std::uint64_t pick = (round * 31 + step * 17 + (round >> 3) * step) % 7;
      const std::string a = "/d/" + std::to_string((round + step) % 3);
      const std::string b = "/d/" + std::to_string((round * step) % 3);
      // One directory and only complete files appear in it, so each state between is a whole one.
      if (pick < 3) {
        fs->write_file("/t", std::to_string(step));
        fs->sync_file("/t");
        fs->rename("/t", a);
      } else if (pick == 3) {
        fs->remove_file(a);
      } else if (pick == 4) {
        fs->exchange(a, b);
      } else if (pick == 5) {
        fs->rename(a, b);
      } else if (fs->sync_directory("/d").ok()) {
        allowed.clear();
      }
      allowed.insert(listing(disk));
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        std::unique_ptr<MemoryDisk> after = disk.after_power_loss(seed);
        after->remove("/t");
        EXPECT_TRUE(allowed.contains(listing(*after))) << round << " " << step << " " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace tiercache::testing
