// Something else stands where the directory was: another project's, another process's, a copy, a
// file.
#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/deleted_directory.h"
#include "tiercache/error.h"

namespace tiercache::testing {
namespace {

class ReplacedDirectory : public DeletedDirectory {};

TEST_F(ReplacedDirectory, directory_that_another_project_made_is_left_alone) {
  open();
  data_->put("k", "1");
  ASSERT_TRUE(cache_->flush());
  world_.wipe();
  const auto other = other_process();
  ASSERT_TRUE(other->make_directories("/cache").ok());
  ASSERT_TRUE(other
                  ->write_file("/cache/tiercache.json",
                               "{\"tiercache_directory\":1,\"project\":\"other\"}\n")
                  .ok());
  ASSERT_TRUE(other->make_directories("/cache/locks").ok());
  EXPECT_TRUE(data_->put("k", "2").stored);
  world_.executor->run_for(1min);
  EXPECT_FALSE(cache_->health().files.working);
  EXPECT_FALSE(cache_->health().journal.working);
  EXPECT_EQ(local("k"), "2");
  std::vector<DirectoryItem> items;
  ASSERT_TRUE(other->list("/cache", &items).ok());
  EXPECT_EQ(items.size(), 2u);
  ASSERT_TRUE(other->list("/cache/locks", &items).ok());
  EXPECT_TRUE(items.empty());
  world_.wipe();
  recover();
  world_.store_down();
  reopen();
  EXPECT_EQ(local("k"), "2");
}

TEST_F(ReplacedDirectory, directory_that_another_process_made_is_shared_I10) {
  open();
  data_->put("k", "1");
  ASSERT_TRUE(cache_->flush());
  world_.executor->run_for(100ms);
  world_.wipe();
  const auto other = world_.open_beside();
  auto others = other->dataset("d", keyed());
  others.put("k", "2");
  recover();
  EXPECT_EQ(local("k"), "2");
  EXPECT_TRUE(data_->put("k", "3").journaled);
  EXPECT_TRUE(others.put("mine", "4").journaled);
  world_.executor->run_for(1s);
  EXPECT_EQ(*others.get("k", {.reach = Reach::local}), "3") << "by the generation page";
  EXPECT_EQ(local("mine"), "4");
  other->close();
}

// Whoever looks first takes the lowest name, which was the first one's.
TEST_F(ReplacedDirectory, two_processes_whose_locks_were_deleted_have_a_slot_each_again_I10) {
  open();
  const auto other = world_.open_beside();
  auto others = other->dataset("d", keyed());
  world_.executor->run_for(1s);
  other_process()->remove_tree("/cache/locks");
  others.put("theirs", "1");
  world_.executor->run_for(200ms);
  EXPECT_EQ(slots_taken(), 1u) << "the other has looked, this one not yet";
  recover();
  EXPECT_EQ(slots_taken(), 2u);
  const Version version = data_->put("k", "1").version;
  EXPECT_THROW(others.put("k", "2", {.if_version = Version{}}), VersionConflict);
  others.put("k", "2", {.if_version = version});
  EXPECT_EQ(*others.get("k"), "2");
  other->close();
}

// What was open is nowhere any more, although every name is there.
TEST_F(ReplacedDirectory, directory_replaced_by_a_copy_takes_nothing_in_vain_I1) {
  open(kWithoutStore);
  data_->put("k", "1");
  world_.executor->run_for(5s);
  std::map<std::string, std::string> copy;
  for (const std::string& path : world_.disk.files()) world_.disk.read(path, &copy[path]);
  world_.wipe();
  for (const auto& [path, bytes] : copy) world_.disk.write(path, bytes);
  EXPECT_TRUE(data_->put("k", "2").journaled);
  reopen(kWithoutStore);
  EXPECT_EQ(local("k"), "2");

  copy.clear();
  for (const std::string& path : world_.disk.files()) world_.disk.read(path, &copy[path]);
  world_.wipe();
  for (const auto& [path, bytes] : copy) world_.disk.write(path, bytes);
  recover();
  EXPECT_TRUE(data_->put("k", "3").journaled);
  reopen(kWithoutStore);
  EXPECT_EQ(local("k"), "3");
}

// What an older copy holds is compared with the store, also where the feed was just being asked.
TEST_F(ReplacedDirectory, older_copy_that_comes_during_a_look_at_the_feed_is_compared_I10) {
  open();
  data_->put("k", "1");
  ASSERT_TRUE(cache_->flush());
  world_.executor->run_for(30s);
  std::map<std::string, std::string> copy;
  for (const std::string& path : world_.disk.files()) world_.disk.read(path, &copy[path]);
  reopen();  // memory does not have it
  world_.write_elsewhere("k", "2");
  world_.executor->run_for(2s);
  bool replaced = false;
  world_.store->on_call([&](const std::string& operation) {
    if (operation != "changes" || std::exchange(replaced, true)) return;
    world_.wipe();
    for (const auto& [path, bytes] : copy) world_.disk.write(path, bytes);
    data_->put("other", "1");  // which notices
    world_.executor->make_event()->wait_until(world_.clock->steady_now() + 500ms);
  });
  world_.executor->run_for(2s);
  ASSERT_TRUE(replaced);
  recover();
  EXPECT_EQ(local("k"), "2");
}

TEST_F(ReplacedDirectory, file_in_its_place_is_no_directory_I1) {
  open();
  data_->put("k", "1");
  world_.wipe();
  world_.disk.write("/cache", "a file");
  const PutReceipt receipt = data_->put("k", "2");
  EXPECT_FALSE(receipt.journaled);
  EXPECT_TRUE(receipt.stored);
  world_.executor->run_for(1min);
  EXPECT_FALSE(cache_->health().files.working);
  EXPECT_FALSE(cache_->health().journal.working);
  ASSERT_TRUE(world_.disk.remove("/cache"));
  recover();
  EXPECT_TRUE(data_->put("k", "3").journaled);
}

TEST_F(ReplacedDirectory, directory_that_comes_back_read_only_is_used_once_it_can_be_written_I1) {
  open();
  world_.store_down();
  data_->put("k", "1");
  world_.executor->run_for(1s);
  world_.wipe();
  ASSERT_TRUE(other_process()->make_directories("/cache").ok());
  world_.disk.set_fault([](const std::string& operation, const std::string&) {
    const bool reads = operation == "info" || operation == "list" || operation == "is_remote" ||
                       operation.starts_with("read") || operation.starts_with("sync");
    return reads ? 0 : EROFS;
  });
  world_.executor->run_for(1min);
  EXPECT_THROW(data_->put("k", "2"), NotDurable);
  EXPECT_EQ(local("k"), "1");
  EXPECT_FALSE(cache_->health().files.working);
  world_.disk.set_fault({});
  recover();
  EXPECT_TRUE(data_->put("k", "3").journaled);
  EXPECT_EQ(cache_->stats().journal_lost, 0u);
}

TEST_F(ReplacedDirectory, directory_that_was_away_for_a_while_is_used_again_I1) {
  open();
  world_.store_down();
  data_->put("k", "1");
  world_.executor->run_for(5s);
  ASSERT_TRUE(other_process()->rename("/cache", "/away").ok());
  world_.disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "make_directories" ? EACCES : 0;
  });
  EXPECT_THROW(data_->put("k", "2"), NotDurable);
  world_.executor->run_for(1min);
  EXPECT_FALSE(cache_->health().files.working);
  ASSERT_TRUE(other_process()->rename("/away", "/cache").ok());
  world_.disk.set_fault({});
  recover();
  EXPECT_TRUE(data_->put("k", "3").journaled);
  world_.executor->run_for(5s);
  reopen();
  EXPECT_EQ(local("k"), "3");
  world_.store_up();
  ASSERT_TRUE(cache_->flush());
  EXPECT_EQ(in_store("k"), "3");
}

}  // namespace
}  // namespace tiercache::testing
