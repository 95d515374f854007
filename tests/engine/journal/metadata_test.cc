// Metadata of clocks records: one that has none to say leaves what another one said.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {
namespace {

const std::string kMetadata = R"({"etag":"2"})";

class ClocksMetadata : public OpenJournalTest {
 protected:
  static Record described(std::uint64_t version, const Clocks& moved) {
    Record record = clocks("k", version, moved);
    record.entry.metadata = kMetadata;
    return record;
  }
  static Record silent(std::uint64_t version, const Clocks& moved) {
    Record record = clocks("k", version, moved);
    record.entry.metadata.clear();
    return record;
  }
  std::string sent() {
    return log.journal->take_unsettled(10, SIZE_MAX).at(0).write.entry.metadata;
  }
};

TEST_F(ClocksMetadata, content_keeps_its_own_where_its_clocks_have_none) {
  Record record = content("k", 6, "1");
  record.entry.metadata = kMetadata;
  log.put(record);
  log.put(silent(6, {ms(9), {}, ms(8)}));
  EXPECT_EQ(sent(), kMetadata);
}

TEST_F(ClocksMetadata, record_without_any_keeps_that_of_the_one_before) {
  log.put(described(6, {ms(9), {}, {}}));
  log.put(silent(6, {ms(9), {}, ms(10)}));
  EXPECT_EQ(log.journal->stats().live_records, 1u);
  EXPECT_EQ(sent(), kMetadata);
}

TEST_F(ClocksMetadata, records_of_one_commit_and_of_a_later_life_agree_I1) {
  log.journal->append(described(6, {ms(9), {}, {}}), nullptr);
  log.journal->append(silent(6, {ms(9), {}, ms(10)}), nullptr);
  ASSERT_TRUE(log.journal->commit());
  log.kill();
  ASSERT_TRUE(log.open().ok());
  ASSERT_EQ(log.recovered.size(), 1u);
  EXPECT_EQ(log.recovered[0].entry.metadata, kMetadata);
  EXPECT_EQ(log.recovered[0].entry.clocks.invalidated_at, ms(10));
}

TEST_F(ClocksMetadata, record_of_newer_content_does_not_take_over_that_of_older) {
  log.put(described(6, {ms(9), {}, {}}));
  log.put(silent(7, {ms(9), {}, ms(10)}));
  EXPECT_EQ(sent(), "");
}

// Two processes on one directory died; each had moved the clocks without knowing of the other.
class ClocksMetadataAdoption : public ClocksMetadata, public ::testing::WithParamInterface<bool> {};

TEST_P(ClocksMetadataAdoption, whichever_journal_is_met_first_it_is_kept_I1) {
  JournalOnDisk other(disk);
  other.options.name = "other";
  std::unique_ptr<Journal> second;
  ASSERT_TRUE(Journal::open(
                  disk.boot(), other.options, [](const Record&) {}, &second)
                  .ok());
  const Record one = described(6, {ms(9), {}, {}});
  const Record two = silent(6, {ms(9), {}, ms(10)});
  log.put(GetParam() ? one : two);
  second->append(GetParam() ? two : one, nullptr);
  ASSERT_TRUE(second->commit());
  disk.kill();
  second.reset();
  log.journal.reset();
  ASSERT_TRUE(log.open().ok());
  const auto writes = log.journal->take_unsettled(10, SIZE_MAX);
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].write.entry.metadata, kMetadata);
  EXPECT_EQ(writes[0].write.entry.clocks.invalidated_at, ms(10));
}

INSTANTIATE_TEST_SUITE_P(Order, ClocksMetadataAdoption, ::testing::Bool());

}  // namespace
}  // namespace tiercache::testing
