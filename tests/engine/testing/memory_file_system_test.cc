// What survives a power loss of what was written, named and synced.
#include "tiercache/testing/memory_file_system.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/testing/disk_ground.h"

namespace tiercache::testing {
namespace {

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

}  // namespace
}  // namespace tiercache::testing
