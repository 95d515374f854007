// What the journal remembers over a crash of the files that are written: their records are not
// brought to files again, where something newer may have been evicted or purged since.
#include <gtest/gtest.h>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {
namespace {

class FiledNotes : public OpenJournalTest {
 protected:
  // As the cache does after each sync of its files.
  void after_sync() { ASSERT_TRUE(journal().compact(Journal::Compact::when_due).ok()); }
  void die_and_reopen() {
    after_sync();
    reopen();
  }
};

TEST_F(FiledNotes, record_that_is_settled_and_filed_is_not_recovered_I3_I4) {
  const Record record = content("k", 5, document("k"));
  log.put(record);
  log.put(content("waits", 6, document("waits")));
  log.finish(record);
  die_and_reopen();
  EXPECT_EQ(log.recovered_content("k"), nullptr);
  EXPECT_NE(log.recovered_content("waits"), nullptr);
}

TEST_F(FiledNotes, record_that_waits_for_its_file_is_recovered_with_all_after_it_I1) {
  const Record waits = content("waits", 5, document("waits"));
  const Record later = content("later", 6, document("later"));
  log.put(waits);
  log.put(later);
  log.settle(waits);
  log.finish(later);
  die_and_reopen();
  EXPECT_NE(log.recovered_content("waits"), nullptr);
  EXPECT_NE(log.recovered_content("later"), nullptr) << "its file is compared";
}

TEST_F(FiledNotes, unsettled_record_is_recovered_whether_it_is_filed_or_not_I1) {
  const Record record = content("k", 5, document("k"));
  log.put(record);
  log.sync_files(record);
  die_and_reopen();
  EXPECT_NE(log.recovered_content("k"), nullptr);
}

TEST_F(FiledNotes, content_stays_with_clocks_that_are_still_to_come_into_its_file_I1) {
  const Record record = content("k", 5, document("k"));
  log.put(record);
  log.put(content("holds the segment", 6, document("h")));
  log.finish(record);
  after_sync();
  const Record moved = clocks("k", 5, {ms(9), {}, {}});
  log.put(moved);
  log.settle(moved);
  die_and_reopen();
  EXPECT_NE(log.recovered_content("k"), nullptr);
  EXPECT_NE(log.recovered_of(RecordKind::clocks, "k"), nullptr);
}

TEST_F(FiledNotes, file_that_is_written_anew_makes_its_record_needed_again_I1) {
  const Record record = content("k", 5, document("k"));
  log.put(record);
  log.sync_files(record);
  after_sync();
  ASSERT_TRUE(journal().cover_file_write(record.id, record.entry.version));
  journal().files_synced(journal().files_mark());
  log.settle(record);
  die_and_reopen();
  EXPECT_NE(log.recovered_content("k"), nullptr);
}

TEST_F(FiledNotes, note_of_one_folder_says_nothing_of_another_I1) {
  log.put(content("k", 5, document("k")));
  log.settle(content("k", 5, document("k")));
  JournalOnDisk second{disk};
  second.options.name = "second";
  std::unique_ptr<Journal> beside;
  ASSERT_TRUE(Journal::open(disk.boot(), second.options, {}, {}, &beside).ok());
  log.journal->compact(Journal::Compact::when_due);
  log.journal.reset();
  beside->files_synced(beside->files_mark());
  std::vector<Record> adopted;
  ASSERT_TRUE(beside->adopt([&](const Record& one) { adopted.push_back(one); }, {}).ok());
  ASSERT_EQ(adopted.size(), 1u);
  EXPECT_EQ(adopted.front().id, id_of("k"));
}

}  // namespace
}  // namespace tiercache::testing
