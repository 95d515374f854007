// A directory that was deleted under the cache is made anew and filled with what is still known.
#include "cache/upkeep/directory_keeper.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class DirectoryKeeperTest : public ::testing::Test {
 protected:
  explicit DirectoryKeeperTest(const Ground::Adjust& adjust = {}) : ground(adjust) {}

  // In memory and its file, and nothing of it in the journal.
  void have(const Entry& entry, const EntryId& id = kId) {
    room.writing.local.write(data, entry, id);
    local.file_writer.flush();
    local.settle_all();
    ASSERT_TRUE(local.file_writer.sync());
    ASSERT_FALSE(local.tiers.journal().holds(id));
  }
  void forget_in_memory(const EntryId& id = kId) {
    local.tiers.memory().remove(data.ref(id.key), version(99));
  }
  void delete_directory() { ground.runtime.file_system->remove_tree("/cache"); }

  Ground ground;
  UpkeepRoom room{ground};
  LocalRoom& local = room.writing.local;
  DirectoryKeeper& keeper = room.parts.keeper;
  DatasetState& data = ground.open();
};

TEST_F(DirectoryKeeperTest, directory_that_stands_is_left_as_it_is) {
  const std::uint64_t operations = ground.disk->operations();
  EXPECT_TRUE(keeper.make_whole());
  EXPECT_EQ(ground.disk->operations(), operations);
}

TEST_F(DirectoryKeeperTest, what_memory_has_is_in_files_again_I1) {
  have(document(5, "5"));
  delete_directory();
  EXPECT_FALSE(local.tiers.stands());
  EXPECT_TRUE(keeper.make_whole());
  EXPECT_TRUE(local.tiers.stands());
  EXPECT_EQ(local.file(), "5");
  EXPECT_EQ(keeper.lost_documents(), 0u);
}

TEST_F(DirectoryKeeperTest, write_that_waits_for_the_store_is_in_the_new_journal_and_its_file_I1) {
  local.write(data, document(5, "5"));
  local.file_writer.flush();
  forget_in_memory();
  delete_directory();
  EXPECT_TRUE(keeper.make_whole());
  EXPECT_TRUE(local.tiers.journal().is_unsettled(kId));
  ground.run_for(6s);
  EXPECT_EQ(local.file(), "5");
}

TEST_F(DirectoryKeeperTest, newer_file_of_a_process_that_was_quicker_is_taken_I3_I10) {
  have(document(5, "5"));
  delete_directory();
  Ground other{Ground::Beside{ground}};
  LocalRoom others(other);
  others.into_file(document(7, "7"));
  EXPECT_TRUE(keeper.make_whole());
  EXPECT_EQ(local.file(), "7");
  EXPECT_EQ(local.in_memory(data), "7");
}

TEST_F(DirectoryKeeperTest, document_that_the_store_may_have_is_not_lost) {
  have(document(5));
  forget_in_memory();
  delete_directory();
  EXPECT_TRUE(keeper.make_whole());
  EXPECT_EQ(keeper.lost_documents(), 0u);
  EXPECT_EQ(local.found(data), "<nothing>");
}

class DirectoryKeeperAloneTest : public DirectoryKeeperTest {
 protected:
  DirectoryKeeperAloneTest()
      : DirectoryKeeperTest([](CacheOptions& options) { options.store = nullptr; }) {}
};

TEST_F(DirectoryKeeperAloneTest, documents_that_only_the_files_had_are_counted_as_lost_I13) {
  have(document(5), {"d", "in memory"});
  have(document(5), {"d", "lost"});
  have(tombstone(5), {"d", "gone"});
  forget_in_memory({"d", "lost"});
  forget_in_memory({"d", "gone"});
  delete_directory();
  EXPECT_TRUE(keeper.make_whole());
  EXPECT_EQ(keeper.lost_documents(), 1u);
}

TEST_F(DirectoryKeeperTest, directory_that_is_anothers_by_now_is_not_touched) {
  have(document(5));
  delete_directory();
  Ground other{Ground::Beside{ground}, [](CacheOptions& options) { options.project = "other"; }};
  own_directory(other.runtime);
  const auto files = ground.disk->files();
  EXPECT_FALSE(keeper.make_whole());
  EXPECT_EQ(ground.disk->files(), files);
  EXPECT_EQ(local.in_memory(data), "1") << "what memory has is served";
}

TEST_F(DirectoryKeeperTest, disk_that_refuses_is_tried_again_by_itself) {
  have(document(5, "5"));
  delete_directory();
  ground.refuse(ENOSPC, {"make_directories"}, "/cache");
  EXPECT_FALSE(keeper.make_whole());
  ground.run_for(10s);
  EXPECT_FALSE(local.tiers.stands());
  ground.disk_works();
  ground.run_for(5s);
  EXPECT_TRUE(local.tiers.stands());
  EXPECT_EQ(local.file(), "5");
}

TEST_F(DirectoryKeeperTest, making_it_whole_soon_is_asked_for_once_and_not_done_by_one_who_closes) {
  delete_directory();
  keeper.make_whole_soon();
  const std::size_t pending = ground.executor->pending();
  keeper.make_whole_soon();
  EXPECT_EQ(ground.executor->pending(), pending);
  ground.runtime.tasks.close();
  ground.run_for(1min);
  EXPECT_FALSE(local.tiers.stands());
}

// --- A disk that took nothing new at open ---

TEST(DirectoryKeeperAtOpen, cache_on_a_full_disk_becomes_a_writer_once_that_takes_something_I1) {
  Ground first;
  {
    LocalRoom before(first);
    before.into_file(document(5, "5"));
    before.tiers.files().close();
    before.tiers.journal().close();
  }
  Ground ground{Ground::Beside{first}};
  ground.disk->set_read_only(true);
  UpkeepRoom room(ground);
  LocalRoom& local = room.writing.local;
  DatasetState& data = ground.open();
  ASSERT_FALSE(local.tiers.away().ok());
  EXPECT_EQ(local.file(), "5") << "files are read";
  EXPECT_NE(local.write(data, document(6)), AppendStatus::durable);
  room.parts.keeper.make_whole();
  EXPECT_FALSE(local.tiers.away().ok());
  ground.disk->set_read_only(false);
  ground.run_for(10s);
  EXPECT_TRUE(local.tiers.away().ok());
  EXPECT_EQ(local.write(data, document(6, "6")), AppendStatus::durable);
  ground.run_for(1s);
  EXPECT_EQ(local.file(), "6");
}

}  // namespace
}  // namespace tiercache::detail
