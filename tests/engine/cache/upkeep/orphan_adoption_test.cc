// What caches that stopped have left in the directory is finished by one that lives.
#include "cache/upkeep/orphan_adoption.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class OrphanAdoptionTest : public ::testing::Test {
 protected:
  // The other process has acknowledged it, and dies.
  void die_with(const Entry& entry) {
    Record record;
    record.id = kId;
    record.entry = entry;
    ASSERT_EQ(dying_room.journal(record), AppendStatus::durable);
    ground.disk->kill(*dying.runtime.file_system);
  }

  Ground ground;
  UpkeepRoom room{ground};
  LocalRoom& local = room.writing.local;
  OrphanAdoption& adoption = room.parts.adoption;
  DatasetState& data = ground.open();
  Ground dying{Ground::Beside{ground}};
  LocalRoom dying_room{dying};
};

TEST_F(OrphanAdoptionTest, write_of_a_process_that_died_is_in_its_file_and_goes_to_the_store_I1) {
  room.writing.store_writer.start();
  die_with(document(5, "5"));
  EXPECT_TRUE(adoption.adopt());
  EXPECT_EQ(local.file(), "5");
  ASSERT_TRUE(room.writing.run_until_idle());
  EXPECT_EQ(text_of(ground.row()), "5");
}

TEST_F(OrphanAdoptionTest, living_process_is_left_alone) {
  Record record;
  record.id = kId;
  record.entry = document(5);
  ASSERT_EQ(dying_room.journal(record), AppendStatus::durable);
  EXPECT_TRUE(adoption.adopt());
  EXPECT_EQ(local.file(), "<nothing>");
  EXPECT_FALSE(local.tiers.journal().is_unsettled(kId));
}

TEST_F(OrphanAdoptionTest, dead_processes_are_looked_for_every_five_seconds_while_open) {
  adoption.start();
  ground.run_for(1s);
  die_with(document(5, "5"));
  ground.run_for(3s);
  EXPECT_EQ(local.file(), "<nothing>");
  ground.run_for(2s);
  EXPECT_EQ(local.file(), "5");
}

TEST_F(OrphanAdoptionTest, cache_that_closes_adopts_nothing_more) {
  adoption.start();
  die_with(document(5));
  ground.runtime.tasks.close();
  ground.run_for(1min);
  EXPECT_EQ(local.file(), "<nothing>");
}

TEST_F(OrphanAdoptionTest, write_whose_file_the_disk_refuses_is_served_from_memory_I1) {
  local.into_file(document(4, "older"));
  die_with(document(5, "5"));
  ground.refuse_new_files();
  adoption.adopt();
  EXPECT_EQ(local.found(data), "5");
  EXPECT_TRUE(local.is_pinned(data));
  ground.disk_works();
  ground.run_for(10s);
  EXPECT_EQ(local.file(), "5");
}

TEST_F(OrphanAdoptionTest, nothing_is_adopted_in_a_directory_that_is_gone_and_cannot_be_made) {
  ground.runtime.file_system->remove_tree("/cache");
  ground.refuse(ENOSPC, {"make_directories"}, "/cache");
  EXPECT_FALSE(adoption.adopt());
}

TEST(AdoptionAtOpen, journal_is_opened_with_what_the_directorys_last_life_left_I1) {
  Ground first;
  {
    LocalRoom room(first);
    Record record;
    record.id = kId;
    record.entry = document(5, "5");
    ASSERT_EQ(room.journal(record), AppendStatus::durable);
    first.disk->kill();
  }
  Ground ground{Ground::Beside{first}};
  UpkeepRoom room(ground, LocalRoom::JournalIs::closed);
  room.parts.adoption.open_journal();
  EXPECT_EQ(room.writing.local.file(), "5");
  EXPECT_TRUE(room.writing.local.tiers.journal().is_unsettled(kId));
}

}  // namespace
}  // namespace tiercache::detail
