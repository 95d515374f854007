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

TEST_F(FiledNotes, unsettled_record_is_recovered_and_said_to_have_been_filed_or_not_I1_I3) {
  const Record record = content("k", 5, document("k"));
  log.put(record);
  log.sync_files(record);
  log.put(content("waits", 6, document("waits")));
  die_and_reopen();
  ASSERT_NE(log.recovered_content("k"), nullptr);
  EXPECT_TRUE(log.recovered_content("k")->was_filed);
  ASSERT_NE(log.recovered_content("waits"), nullptr);
  EXPECT_FALSE(log.recovered_content("waits")->was_filed);
  EXPECT_TRUE(journal().holds(id_of("k"))) << "until the store has it";
}

// An idle process writes nothing that the note could go along with.
TEST_F(FiledNotes, note_survives_power_loss_without_another_write_I3) {
  const Record record = content("k", 5, document("k"));
  log.put(record);
  log.finish(record);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto after = disk.after_power_loss(seed);
    JournalOptions options = JournalOnDisk::small();
    options.name = "next";
    std::unique_ptr<Journal> next;
    std::vector<Record> recovered;
    const auto take = [&](const Record& one) { recovered.push_back(one); };
    ASSERT_TRUE(Journal::open(after->boot(), options, take, &next).ok());
    EXPECT_TRUE(recovered.empty()) << seed;
  }
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
