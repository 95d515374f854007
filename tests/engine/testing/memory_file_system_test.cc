#include "tiercache/testing/memory_file_system.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kSeeds = 600;
constexpr char kGone[] = "gone";

std::string content(const MemoryDisk& disk, const std::string& path) {
  std::string out;
  return disk.read(path, &out) ? out : kGone;
}

// Every content of `path` that the seeds reach.
std::set<std::string> reachable(const MemoryDisk& disk, const std::string& path) {
  std::set<std::string> out;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    out.insert(content(*disk.after_power_loss(seed), path));
  }
  return out;
}

std::string listing(const MemoryDisk& disk) {
  std::string out;
  for (const std::string& path : disk.files()) out += path + "=" + content(disk, path) + ";";
  return out;
}

std::set<std::string> reachable(const MemoryDisk& disk) {
  std::set<std::string> out;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    out.insert(listing(*disk.after_power_loss(seed)));
  }
  return out;
}

using States = std::set<std::string>;

class MemoryDiskTest : public ::testing::Test {
 protected:
  MemoryDiskTest() {
    fs_->make_directories("/d/a");
    fs_->make_directories("/d/b");
    fs_->sync_all("/d");
  }
  void write(const std::string& path, std::string_view bytes) {
    ASSERT_TRUE(fs_->write_file(path, bytes).ok());
  }
  void write_durably(const std::string& path, std::string_view bytes) {
    write(path, bytes);
    ASSERT_TRUE(fs_->sync_all("/d").ok());
  }
  std::unique_ptr<File> open(const std::string& path, OpenMode mode = OpenMode::read_write) {
    std::unique_ptr<File> file;
    EXPECT_TRUE(fs_->open(path, mode, &file).ok());
    return file;
  }

  MemoryDisk disk_;
  std::shared_ptr<FileSystem> fs_ = disk_.boot();
};

TEST_F(MemoryDiskTest, unsynced_new_file_may_be_gone_empty_torn_or_whole) {
  const std::string a(4096, 'a');
  const std::string b(4096, 'b');
  const std::string z(4096, '\0');
  write("/d/f", a + b);
  EXPECT_EQ(reachable(disk_, "/d/f"), (States{kGone, "", a + b, a + z, z + b, z + z}));
}

TEST_F(MemoryDiskTest, synced_bytes_survive_but_not_the_name_of_a_new_file) {
  write("/d/f", "x");
  ASSERT_TRUE(fs_->sync_file("/d/f").ok());
  EXPECT_EQ(reachable(disk_, "/d/f"), (States{kGone, "x"}));
  ASSERT_TRUE(fs_->sync_directory("/d").ok());
  EXPECT_EQ(reachable(disk_, "/d/f"), States{"x"});
}

TEST_F(MemoryDiskTest, synced_name_may_lead_to_an_unsynced_file) {
  write("/d/f", "x");
  ASSERT_TRUE(fs_->sync_directory("/d").ok());
  EXPECT_EQ(reachable(disk_, "/d/f"), (States{"", "x", std::string(1, '\0')}));
}

TEST_F(MemoryDiskTest, sync_all_makes_everything_last) {
  write("/d/a/f", "x");
  ASSERT_TRUE(fs_->make_directories("/d/new/deep").ok());
  write("/d/new/deep/g", std::string(10'000, 'g'));
  ASSERT_TRUE(fs_->rename("/d/a/f", "/d/b/f").ok());
  ASSERT_TRUE(fs_->sync_all("/d").ok());
  EXPECT_EQ(reachable(disk_), States{listing(disk_)});
}

TEST_F(MemoryDiskTest, sync_all_of_a_remote_disk_makes_nothing_last_and_says_so) {
  disk_.set_remote(true);
  write("/d/a/f", "x");
  EXPECT_EQ(fs_->sync_all("/d").error, ENOTSUP);
  EXPECT_EQ(content(*disk_.after_power_loss(0), "/d/a/f"), kGone);
  EXPECT_TRUE(fs_->sync_file("/d/a/f").ok());
  EXPECT_TRUE(fs_->sync_directory("/d/a").ok());
  EXPECT_EQ(content(*disk_.after_power_loss(0), "/d/a/f"), "x");
}

TEST_F(MemoryDiskTest, disk_without_inodes_takes_bytes_and_no_names) {
  write("/d/f", "x");
  disk_.set_inodes(disk_.used_inodes());
  EXPECT_EQ(fs_->write_file("/d/g", "y").error, ENOSPC);
  EXPECT_EQ(fs_->make_directories("/d/new").error, ENOSPC);
  std::unique_ptr<FileLock> lock;
  EXPECT_EQ(fs_->try_lock("/d/lock", &lock).error, ENOSPC);
  write("/d/f", "more");
  ASSERT_TRUE(fs_->remove_file("/d/f").ok());
  write("/d/g", "y");
}

TEST_F(MemoryDiskTest, read_only_disk_is_read_and_locked_and_not_changed) {
  write("/d/f", "x");
  disk_.set_read_only(true);
  EXPECT_EQ(fs_->write_file("/d/f", "y").error, EROFS);
  EXPECT_EQ(fs_->remove_file("/d/f").error, EROFS);
  EXPECT_EQ(content(disk_, "/d/f"), "x");
  EXPECT_TRUE(fs_->sync_all("/d").ok());
  std::unique_ptr<FileLock> lock;
  EXPECT_TRUE(fs_->try_lock("/d/f", &lock).ok());
  EXPECT_EQ(fs_->try_lock("/d/lock", &lock).error, EROFS);
  disk_.set_read_only(false);
  write("/d/f", "y");
}

TEST_F(MemoryDiskTest, overwritten_block_is_old_new_or_any_write_between) {
  write_durably("/d/f", "0000");
  std::unique_ptr<File> file = open("/d/f");
  ASSERT_TRUE(file->write_at(0, "1").ok());
  ASSERT_TRUE(file->write_at(2, "2").ok());
  EXPECT_EQ(reachable(disk_, "/d/f"), (States{"0000", "1000", "1020"}));
  ASSERT_TRUE(file->sync_data().ok());
  EXPECT_EQ(reachable(disk_, "/d/f"), States{"1020"});
}

TEST_F(MemoryDiskTest, blocks_survive_independently_of_each_other) {
  write_durably("/d/f", std::string(3 * 4096, '0'));
  std::unique_ptr<File> file = open("/d/f");
  ASSERT_TRUE(file->write_at(0, std::string(3 * 4096, '1')).ok());
  States seen;
  for (const std::string& state : reachable(disk_, "/d/f")) {
    seen.insert({state[0], state[4096], state[8192]});
    EXPECT_EQ(state, std::string(4096, state[0]) + std::string(4096, state[4096]) +
                         std::string(4096, state[8192]));
  }
  EXPECT_EQ(seen.size(), 8u);
}

TEST_F(MemoryDiskTest, appended_bytes_are_there_only_as_far_as_the_size_survived) {
  write_durably("/d/f", "base");
  std::unique_ptr<File> file = open("/d/f");
  ASSERT_TRUE(file->write_at(4, "+1").ok());
  ASSERT_TRUE(file->write_at(6, "+2").ok());
  const std::string z(4, '\0');
  EXPECT_EQ(reachable(disk_, "/d/f"), (States{"base", "base+1", "base+1+2", "base" + z.substr(2),
                                              "base" + z, "base+1" + z.substr(2)}));
}

TEST_F(MemoryDiskTest, lost_truncation_brings_the_old_bytes_back) {
  write_durably("/d/f", "abcdef");
  ASSERT_TRUE(open("/d/f")->truncate(2).ok());
  const States states = reachable(disk_, "/d/f");
  EXPECT_TRUE(states.contains("abcdef"));
  EXPECT_TRUE(states.contains("ab"));
  for (const std::string& state : states) EXPECT_EQ(state.substr(0, 2), "ab");
}

TEST_F(MemoryDiskTest, names_of_one_directory_survive_as_a_prefix) {
  for (const char* name : {"/d/1", "/d/2", "/d/3"}) {
    write(name, "x");
    ASSERT_TRUE(fs_->sync_file(name).ok());
  }
  EXPECT_EQ(reachable(disk_), (States{"", "/d/1=x;", "/d/1=x;/d/2=x;", "/d/1=x;/d/2=x;/d/3=x;"}));
}

TEST_F(MemoryDiskTest, names_of_two_directories_survive_independently) {
  for (const char* name : {"/d/a/1", "/d/b/1"}) {
    write(name, "x");
    ASSERT_TRUE(fs_->sync_file(name).ok());
  }
  EXPECT_EQ(reachable(disk_), (States{"", "/d/a/1=x;", "/d/b/1=x;", "/d/a/1=x;/d/b/1=x;"}));
}

TEST_F(MemoryDiskTest, rename_between_directories_is_all_or_nothing) {
  write_durably("/d/a/f", "new");
  write_durably("/d/b/f", "old");
  ASSERT_TRUE(fs_->rename("/d/a/f", "/d/b/f").ok());
  EXPECT_EQ(reachable(disk_), (States{"/d/a/f=new;/d/b/f=old;", "/d/b/f=new;"}));
}

TEST_F(MemoryDiskTest, rename_between_directories_waits_for_what_came_before_in_both) {
  write_durably("/d/a/f", "f");
  write("/d/b/before", "x");
  ASSERT_TRUE(fs_->sync_file("/d/b/before").ok());
  ASSERT_TRUE(fs_->rename("/d/a/f", "/d/b/f").ok());
  const States expected{"/d/a/f=f;", "/d/a/f=f;/d/b/before=x;", "/d/b/before=x;/d/b/f=f;"};
  EXPECT_EQ(reachable(disk_), expected);
  ASSERT_TRUE(fs_->sync_directory("/d/a").ok());
  EXPECT_EQ(reachable(disk_), States{"/d/b/before=x;/d/b/f=f;"});
}

TEST_F(MemoryDiskTest, exchange_is_all_or_nothing) {
  write_durably("/d/a/f", "A");
  write_durably("/d/b/f", "B");
  ASSERT_TRUE(fs_->exchange("/d/a/f", "/d/b/f").ok());
  EXPECT_EQ(reachable(disk_), (States{"/d/a/f=A;/d/b/f=B;", "/d/a/f=B;/d/b/f=A;"}));
}

TEST_F(MemoryDiskTest, rename_of_an_unsynced_file_over_a_durable_one_may_leave_it_empty) {
  write_durably("/d/f", "old");
  write("/d/t", "new");
  ASSERT_TRUE(fs_->rename("/d/t", "/d/f").ok());
  const States states = reachable(disk_, "/d/f");
  EXPECT_EQ(states, (States{"old", "", "new", std::string(3, '\0')}));
}

TEST_F(MemoryDiskTest, rename_of_a_synced_file_over_a_durable_one_leaves_old_or_new) {
  write_durably("/d/f", "old");
  write("/d/t", "new");
  ASSERT_TRUE(fs_->sync_file("/d/t").ok());
  ASSERT_TRUE(fs_->rename("/d/t", "/d/f").ok());
  EXPECT_EQ(reachable(disk_, "/d/f"), (States{"old", "new"}));
  ASSERT_TRUE(fs_->sync_directory("/d").ok());
  EXPECT_EQ(reachable(disk_, "/d/f"), States{"new"});
}

TEST_F(MemoryDiskTest, unsynced_removal_may_be_undone) {
  write_durably("/d/f", "x");
  ASSERT_TRUE(fs_->remove_file("/d/f").ok());
  EXPECT_EQ(reachable(disk_, "/d/f"), (States{"x", kGone}));
  ASSERT_TRUE(fs_->sync_directory("/d").ok());
  EXPECT_EQ(reachable(disk_, "/d/f"), States{kGone});
}

TEST_F(MemoryDiskTest, unsynced_directory_takes_what_was_synced_in_it_along) {
  ASSERT_TRUE(fs_->make_directories("/d/new").ok());
  write("/d/new/f", "x");
  ASSERT_TRUE(fs_->sync_file("/d/new/f").ok());
  ASSERT_TRUE(fs_->sync_directory("/d/new").ok());
  EXPECT_EQ(reachable(disk_, "/d/new/f"), (States{"x", kGone}));
  ASSERT_TRUE(fs_->sync_directory("/d").ok());
  EXPECT_EQ(reachable(disk_, "/d/new/f"), States{"x"});
}

TEST_F(MemoryDiskTest, failed_sync_settles_nothing_and_the_next_one_neither) {
  write_durably("/d/f", "old");
  std::unique_ptr<File> file = open("/d/f");
  ASSERT_TRUE(file->write_at(0, "new").ok());
  disk_.set_fault([](const std::string& operation, const std::string&) {
    return operation == "sync_data" ? EIO : 0;
  });
  EXPECT_EQ(file->sync_data().error, EIO);
  disk_.set_fault({});
  ASSERT_TRUE(file->sync_data().ok());
  ASSERT_TRUE(fs_->sync_all("/d").ok());
  EXPECT_EQ(reachable(disk_, "/d/f"), (States{"old", "new"}));
  ASSERT_TRUE(file->write_at(0, "own").ok());
  ASSERT_TRUE(file->sync_data().ok());
  EXPECT_EQ(reachable(disk_, "/d/f"), States{"own"});
}

TEST_F(MemoryDiskTest, failed_sync_all_settles_nothing) {
  write_durably("/d/f", "old");
  ASSERT_TRUE(open("/d/f")->write_at(0, "new").ok());
  disk_.set_fault([](const std::string& operation, const std::string&) {
    return operation == "sync_all" ? EIO : 0;
  });
  EXPECT_EQ(fs_->sync_all("/d").error, EIO);
  disk_.set_fault({});
  EXPECT_TRUE(fs_->sync_all("/d").ok());
  EXPECT_EQ(reachable(disk_, "/d/f"), (States{"old", "new"}));
}

TEST_F(MemoryDiskTest, failed_sync_all_is_told_once_to_each_process) {
  const auto other = disk_.boot();
  disk_.set_fault([](const std::string& operation, const std::string&) {
    return operation == "sync_all" ? EIO : 0;
  });
  EXPECT_EQ(fs_->sync_all("/d").error, EIO);
  disk_.set_fault({});
  EXPECT_TRUE(fs_->sync_all("/d").ok());
  EXPECT_EQ(other->sync_all("/d").error, EIO);
  EXPECT_TRUE(other->sync_all("/d").ok());
  EXPECT_TRUE(disk_.boot()->sync_all("/d").ok()) << "began after that";
}

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
