#include "journal/parked_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "engine/journal/journal_fixture.h"
#include "engine/journal/queue_fixture.h"

namespace tiercache::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

class ParkedRecordsTest : public JournalQueueTest {
 protected:
  void park(const Record& record, const std::string& why = "no") {
    parked_records.park(write_of(record), why);
    EXPECT_TRUE(queue.commit());
  }
  void append_parked(const Record& record) {
    ASSERT_EQ(append(record), AppendStatus::durable);
    park(record);
  }
  std::uint64_t parked() { return stats().parked; }

  const Record a = content("a", 5, document("a"));
  const Record b = content("b", 6, document("b"));
};

TEST_F(ParkedRecordsTest, parked_write_is_sent_no_more_and_the_disk_says_so_I1) {
  append(a);
  append(b);
  park(a, "no such table");
  EXPECT_THAT(taken(), ElementsAre("b"));
  EXPECT_THAT(on_disk(), Contains("parked content a 5: no such table"));
}

TEST_F(ParkedRecordsTest, write_without_a_reason_gets_one_since_an_empty_one_means_the_opposite) {
  append(a);
  park(a, "");
  EXPECT_THAT(on_disk(), Contains("parked content a 5: refused"));
}

TEST_F(ParkedRecordsTest, write_that_is_not_there_any_more_is_not_parked) {
  append(content("a", 7, document("a")));
  park(a);
  EXPECT_EQ(parked(), 0u);
  EXPECT_THAT(on_disk(), ElementsAre("content a 7"));
}

TEST_F(ParkedRecordsTest, retried_write_is_sent_again_and_the_disk_says_that_too_I1) {
  append_parked(a);
  EXPECT_FALSE(parked_records.retry(id_of("a"), at(4)));
  EXPECT_FALSE(parked_records.retry(id_of("b"), {}));
  EXPECT_TRUE(parked_records.retry(id_of("a"), at(5)));
  EXPECT_TRUE(queue.commit());
  EXPECT_EQ(on_disk().back(), "parked content a 5");
  EXPECT_THAT(taken(), ElementsAre("a"));
  EXPECT_FALSE(parked_records.retry(id_of("a"), {})) << "it is parked no longer";
}

TEST_F(ParkedRecordsTest, retry_without_a_version_is_of_all_that_is_parked_of_the_key) {
  append_parked(a);
  append_parked(clocks("a", 5, {ms(9), {}, {}}));
  ASSERT_EQ(parked(), 2u);
  EXPECT_TRUE(parked_records.retry(id_of("a"), {}));
  EXPECT_EQ(parked(), 0u);
}

TEST_F(ParkedRecordsTest, discarded_write_leaves_the_index_at_once_and_the_disk_when_told) {
  append_parked(a);
  append(b);
  EXPECT_FALSE(parked_records.discard(id_of("a"), at(4)));
  EXPECT_TRUE(parked_records.discard(id_of("a"), {}));
  EXPECT_EQ(parked(), 0u);
  EXPECT_THAT(on_disk(), Contains("content a 5"));
  ASSERT_TRUE(parked_records.forget_discarded().ok());
  EXPECT_THAT(on_disk(), ElementsAre("content b 6")) << "what is live was copied forward";
}

TEST_F(ParkedRecordsTest, other_segments_stay_when_what_was_discarded_is_forgotten) {
  append_parked(a);
  queue.finish_segment();
  append(b);
  const std::uint64_t kept = place_of("b").segment;
  parked_records.discard(id_of("a"), {});
  ASSERT_TRUE(parked_records.forget_discarded().ok());
  EXPECT_EQ(place_of("b").segment, kept);
  EXPECT_EQ(table.current_number(), kept);
}

TEST_F(ParkedRecordsTest, forgetting_that_the_disk_refuses_is_tried_again_I13) {
  append_parked(a);
  append(b);
  parked_records.discard(id_of("a"), {});
  fail("remove_file", EIO);
  EXPECT_FALSE(parked_records.forget_discarded().ok());
  fail("sync_directory", EIO, 100);
  EXPECT_FALSE(parked_records.forget_discarded().ok());
  disk.set_fault({});
  ASSERT_TRUE(compaction.run(Compact::when_due).ok()) << "which tries the deletion again";
  EXPECT_TRUE(parked_records.forget_discarded().ok());
  EXPECT_THAT(on_disk(), Not(Contains("content a 5")));
}

TEST_F(ParkedRecordsTest, nothing_is_forgotten_twice_or_by_a_closed_journal) {
  append_parked(a);
  parked_records.discard(id_of("a"), {});
  ASSERT_TRUE(parked_records.forget_discarded().ok());
  append(b);
  const std::uint64_t current = table.current_number();
  ASSERT_TRUE(parked_records.forget_discarded().ok());
  EXPECT_EQ(table.current_number(), current);
  own_folder.close();
  EXPECT_EQ(parked_records.forget_discarded().error, EBADF);
}

}  // namespace
}  // namespace tiercache::testing
