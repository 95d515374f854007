// What is erased stays hidden for as long as anything older could come back.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {
namespace {

using JournalErases = OpenJournalTest;

TEST_F(JournalErases, erased_write_does_not_come_back_by_recovery_I4) {
  log.put(content("user/1", 5, "1"));
  log.put(content("user/2", 9, "1"));
  log.put(erase_matching("user/*", 7));
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.recovered_content("user/1"), nullptr);
  EXPECT_NE(log.recovered_content("user/2"), nullptr);
  EXPECT_NE(log.recovered_of(RecordKind::erase_matching, "user/*"), nullptr);
  EXPECT_EQ(journal().erased_below(id_of("user/1")), at(7));
}

TEST_F(JournalErases, erase_settled_in_a_later_segment_still_hides_what_lies_before_it_I4) {
  log.put(content("pin", 1, "1"));
  log.put(content("user/1", 5, "1"));
  for (int i = 0; i < 20; ++i) log.put(content("fill", 10 + i, document("fill", 1000)));
  const Record erase = erase_matching("user/*", 50);
  log.put(erase);
  log.finish(erase);
  for (int i = 0; i < 20; ++i) log.put(content("fill", 60 + i, document("fill", 1000)));
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("pin"), nullptr);
  EXPECT_EQ(log.recovered_content("user/1"), nullptr);
}

TEST_F(JournalErases, erase_stays_while_a_segment_that_it_guards_cannot_be_deleted_I4) {
  const Record hidden = content("user/1", 5, document("user/1", 3000));
  log.put(hidden);
  const std::string first = segment_files(disk).at(0);
  disk.set_fault([&](const std::string& operation, const std::string& path) {
    return operation == "remove_file" && path == first ? EIO : 0;
  });
  log.put(content("fill", 6, document("fill", 3000)));
  const Record erase = erase_matching("user/*", 7);
  log.put(erase);
  log.finish(erase);
  for (int i = 0; i < 5; ++i) log.put(content("fill", 8 + i, document("fill", 3000)));
  disk.set_fault(nullptr);
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.recovered_content("user/1"), nullptr);
}

TEST_F(JournalErases, erase_is_met_again_until_its_files_are_removed_for_good) {
  const Record erase = erase_matching("user/*", 7);
  log.put(erase);
  log.settle(erase);
  EXPECT_FALSE(journal().awaits_store(RecordKind::erase_matching, id_of("user/*")));
  EXPECT_EQ(journal().erased_below(id_of("user/1")), at(7)) << "its file may still be there";
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_of(RecordKind::erase_matching, "user/*"), nullptr);
  log.sync_files(erase);
  ASSERT_TRUE(log.open().ok());
  EXPECT_TRUE(log.recovered.empty());
}

TEST_F(JournalErases, erase_hides_until_settled_and_its_files_are_gone_for_good_I4) {
  const Record erase = erase_matching("user/*", 7);
  log.put(erase);
  EXPECT_TRUE(journal().awaits_store(RecordKind::erase_matching, erase.id));
  log.settle(erase);
  EXPECT_FALSE(journal().awaits_store(RecordKind::erase_matching, erase.id));
  EXPECT_EQ(journal().erased_below(id_of("user/1")), at(7));
  log.sync_files(erase);
  EXPECT_EQ(journal().erased_below(id_of("user/1")), std::nullopt);
}

}  // namespace
}  // namespace tiercache::testing
