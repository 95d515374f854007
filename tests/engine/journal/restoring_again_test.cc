// Folders that are deleted under an open journal, restored at the second try or while others write.
#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <optional>
#include <string>

#include "engine/journal/journal_fixture.h"

namespace tiercache {
namespace {

using testing::clocks;
using testing::content;
using testing::document;
using testing::id_of;
using testing::JournalOnDisk;
using testing::MemoryDisk;
using testing::ms;

class RestoringAgain : public ::testing::Test {
 protected:
  RestoringAgain() : log(disk) { EXPECT_TRUE(log.open().ok()); }
  Journal& journal() { return *log.journal; }

  void delete_folder() { ASSERT_TRUE(disk.boot()->remove_tree(testing::kDirectory).ok()); }
  // `here` is what the other tiers have.
  IoStatus restore() {
    return journal().restore([this](const EntryId& id) -> std::optional<Entry> {
      const auto found = here.find(id);
      return found == here.end() ? std::nullopt : std::optional(found->second);
    });
  }
  void refuse(const std::string& refused) {
    disk.set_fault([=](const std::string& operation, const std::string&) {
      return operation == refused ? EIO : 0;
    });
  }
  // The segment that was written until now is closed, so that only its name leads to it.
  void fill_segment() { log.put(content("fill", 90, document("fill", 5000))); }
  std::uint64_t lost() { return journal().stats().lost_records; }

  MemoryDisk disk;
  JournalOnDisk log;
  std::map<EntryId, Entry> here;
};

TEST_F(RestoringAgain, what_was_acknowledged_before_is_on_the_disk_again_after_it_I1) {
  log.put(content("k", 5, document("k")));
  delete_folder();
  EXPECT_FALSE(journal().stands());
  ASSERT_TRUE(restore().ok());
  EXPECT_TRUE(journal().stands());
  disk.power_loss(0);
  ASSERT_TRUE(log.open().ok());
  ASSERT_NE(log.recovered_content("k"), nullptr);
  EXPECT_EQ(*log.recovered_content("k")->entry.document, document("k"));
}

TEST_F(RestoringAgain, copy_whose_sync_fails_is_brought_to_another_segment_I1) {
  log.put(content("k", 5, document("k")));
  delete_folder();
  int syncs = 0;  // the first one is of the segment while it is made
  disk.set_fault([&](const std::string& operation, const std::string&) {
    return operation == "sync_data" && ++syncs == 2 ? EIO : 0;
  });
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(journal().stats().segments_abandoned, 1u);
  EXPECT_EQ(lost(), 0u);
  disk.power_loss(0);
  ASSERT_TRUE(log.open().ok());
  ASSERT_NE(log.recovered_content("k"), nullptr);
  EXPECT_EQ(*log.recovered_content("k")->entry.document, document("k"));
}

TEST_F(RestoringAgain, folder_that_comes_back_after_a_try_that_failed_is_restored_all_the_same) {
  log.put(content("k", 5, document("k")));
  ASSERT_TRUE(disk.boot()->rename(testing::kDirectory, "/cache/away").ok());
  refuse("make_directories");
  EXPECT_FALSE(restore().ok());
  disk.set_fault({});
  ASSERT_TRUE(disk.boot()->rename("/cache/away", testing::kDirectory).ok());
  EXPECT_EQ(log.put(content("l", 6, "1")).status, AppendStatus::not_applied);
  EXPECT_FALSE(journal().stands()) << "nothing is written until it is restored";
  ASSERT_TRUE(restore().ok());
  EXPECT_TRUE(journal().stands());
  EXPECT_EQ(log.put(content("l", 6, "1")).status, AppendStatus::durable);
}

// Or writers that never stop would leave it no turn.
TEST_F(RestoringAgain, writers_let_a_restoring_through_that_met_one_of_them_I7) {
  log.put(content("k", 5, document("k")));
  IoStatus met;
  disk.on_operation([&](std::uint64_t, const std::string&) {
    disk.on_operation(nullptr);
    met = restore();
  });
  log.put(content("l", 6, "1"));
  ASSERT_EQ(met.error, EAGAIN);
  EXPECT_EQ(log.put(content("m", 7, "1")).status, AppendStatus::not_applied);
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(log.put(content("m", 7, "1")).status, AppendStatus::durable);
}

TEST_F(RestoringAgain, loss_that_is_met_again_is_counted_once_I13) {
  log.put(content("lost", 5, document("lost")));
  log.put(clocks("known", 6, {ms(9), {}, {}}));
  fill_segment();
  delete_folder();
  refuse("write_at");
  EXPECT_FALSE(restore().ok());
  EXPECT_FALSE(restore().ok());
  disk.set_fault({});
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(lost(), 1u);
}

TEST_F(RestoringAgain, what_the_store_has_confirmed_is_no_loss_I13) {
  const Record confirmed = content("k", 5, document("k"));
  log.put(confirmed);
  log.settle(confirmed);
  fill_segment();
  delete_folder();
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(lost(), 0u);
}

TEST_F(RestoringAgain, moved_clocks_are_made_once_more_with_their_metadata_I1) {
  Record moved = clocks("k", 5, {ms(9), {}, {}});
  moved.entry.metadata = R"({"etag":"e"})";
  log.put(moved);
  here[id_of("k")] = moved.entry;
  fill_segment();
  delete_folder();
  ASSERT_TRUE(restore().ok());
  const auto writes = journal().take_unsettled(1, 1);
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].write.entry.clocks, moved.entry.clocks);
  EXPECT_EQ(writes[0].write.entry.metadata, moved.entry.metadata);
}

TEST_F(RestoringAgain, compaction_leaves_alone_what_is_yet_to_be_restored) {
  log.put(content("k", 5, document("k")));
  fill_segment();
  delete_folder();
  refuse("make_directories");
  EXPECT_FALSE(restore().ok());
  EXPECT_TRUE(journal().compact(Journal::Compact::all).ok());
  disk.set_fault({});
  here[id_of("k")] = content("k", 5, document("k")).entry;
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(*journal().take_unsettled(1, 1).at(0).write.entry.document, document("k"));
}

}  // namespace
}  // namespace tiercache
