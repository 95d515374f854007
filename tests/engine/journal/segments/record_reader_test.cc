#include "journal/segments/record_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/journal/segments/segments_fixture.h"

namespace tiercache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RecordReaderTest : public JournalSegmentsTest {
 protected:
  RecordReaderTest() { open(); }

  void append(Record record) {
    ASSERT_EQ(write({std::move(record)}), std::vector{AppendStatus::durable});
  }
  SegmentPtr segment_of(const std::string& key) {
    const std::uint64_t number = place_of(key).segment;
    return table.with_segments(
        [&](LiveIndex&, const SegmentMap& segments) { return segments.at(number); });
  }
  static std::vector<std::string> described_all(const std::vector<QueuedRecord>& records) {
    std::vector<std::string> all;
    for (const QueuedRecord& one : records) all.push_back(described(one.record));
    return all;
  }
  // Nothing is pinned: what is settled goes.
  void expect_nothing_pinned(const std::string& key, std::uint64_t version) {
    writer.finish_segment();
    settle(key, version);
    table.trim();
    EXPECT_THAT(segment_files(disk), IsEmpty());
  }
};

// --- One key ---

TEST_F(RecordReaderTest, live_content_is_the_keys_newest_with_its_document) {
  append(content("a", 1, document("old")));
  append(content("a", 2, document("new")));
  const auto record = reader.live_content(id_of("a"));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->entry.version, at(2));
  EXPECT_EQ(*record->entry.document, document("new"));
  EXPECT_FALSE(reader.live_content(id_of("b")));
  expect_nothing_pinned("a", 2);
}

TEST_F(RecordReaderTest, content_that_cannot_be_read_is_none_and_stays_where_it_is) {
  append(content("a", 1, document("a")));
  damage(place_of("a"));
  EXPECT_FALSE(reader.live_content(id_of("a")));
  EXPECT_EQ(stats().parked, 0u) << "only what is to be sent is judged";
  expect_nothing_pinned("a", 1);
}

TEST_F(RecordReaderTest, closed_journal_has_no_content) {
  append(content("a", 1, document("a")));
  table.close();
  EXPECT_FALSE(reader.live_content(id_of("a")));
}

// --- For the store ---

TEST_F(RecordReaderTest, writes_are_handed_out_as_the_store_gets_them) {
  Record guarded = content("a", 5, document("a"));
  guarded.not_newer_than = at(3);
  guarded.made_from.add({4, 9});
  append(guarded);
  append(clocks("b", 6, {ms(9), {}, {}}));
  const std::vector<UnsettledWrite> writes = take();
  ASSERT_EQ(writes.size(), 2u);
  EXPECT_EQ(writes[0].write.kind, StoreWrite::Kind::content);
  EXPECT_EQ(writes[0].write.id, id_of("a"));
  EXPECT_EQ(*writes[0].write.entry.document, document("a"));
  EXPECT_EQ(writes[0].write.not_newer_than, at(3));
  EXPECT_EQ(writes[0].made_from, guarded.made_from);
  EXPECT_EQ(writes[1].kind, RecordKind::clocks);
  EXPECT_EQ(writes[1].write.kind, StoreWrite::Kind::clocks);
}

TEST_F(RecordReaderTest, clocks_travel_with_the_content_they_belong_to) {
  append(content("a", 5, document("a")));
  Record moved = clocks("a", 5, {ms(9), {}, {}});
  moved.entry.metadata = "\"etag\"";
  append(moved);
  const std::vector<UnsettledWrite> writes = take();
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].write.entry.clocks, moved.entry.clocks);
  EXPECT_EQ(writes[0].write.entry.metadata, "\"etag\"");
}

TEST_F(RecordReaderTest, content_goes_without_clocks_that_cannot_be_read) {
  append(content("a", 5, document("a")));
  append(clocks("a", 5, {ms(9), {}, {}}));
  damage(place_of("a", RecordKind::clocks));
  const std::vector<UnsettledWrite> writes = take();
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].write.entry.clocks, Clocks{});
}

TEST_F(RecordReaderTest, write_whose_bytes_do_not_hold_is_parked_and_stops_no_other_I1_I9) {
  append(content("a", 1, document("a")));
  append(content("b", 2, document("b")));
  damage(place_of("a"));
  EXPECT_THAT(taken(), ElementsAre("b"));
  EXPECT_EQ(counters.corrupt_records, 1u);
  EXPECT_EQ(stats().parked, 1u);
  EXPECT_EQ(stats().unsettled, 1u);
}

TEST_F(RecordReaderTest, write_that_the_disk_does_not_read_now_waits_until_it_is_resumed_I1) {
  append(content("a", 1, document("a")));
  fail("read_at", EIO);
  EXPECT_THAT(taken(), IsEmpty());
  EXPECT_EQ(counters.corrupt_records, 0u);
  EXPECT_EQ(stats().parked, 0u);
  EXPECT_THAT(taken(), IsEmpty()) << "it is held";
  table.with_index([](LiveIndex& index) { index.resume(); });
  EXPECT_THAT(taken(), ElementsAre("a"));
}

TEST_F(RecordReaderTest, nothing_stays_pinned_that_was_handed_out) {
  append(content("a", 1, document("a")));
  take();
  expect_nothing_pinned("a", 1);
}

// --- A whole segment ---

TEST_F(RecordReaderTest, live_records_of_a_segment_are_ready_to_be_written_elsewhere) {
  append(content("a", 1, document("a")));
  append(content("b", 2, document("b")));
  append(content("a", 3, document("a")));
  append(content("other", 4, document("other", 900)));
  const Place place = place_of("b");
  std::vector<QueuedRecord> copies;
  ASSERT_TRUE(reader.read_live(*segment_of("b"), nullptr, &copies).ok());
  EXPECT_THAT(described_all(copies), ElementsAre("content b 2", "content a 3"));
  EXPECT_EQ(copies[0].copy_of, place);
  EXPECT_EQ(copies[0].bytes(), place.size);
}

TEST_F(RecordReaderTest, record_of_a_segment_that_does_not_hold_is_parked_in_it_I9) {
  append(content("a", 1, document("a")));
  append(content("b", 2, document("b")));
  damage(place_of("a"));
  const SegmentPtr segment = segment_of("b");
  std::vector<QueuedRecord> copies;
  std::set<std::uint64_t> intact;
  ASSERT_TRUE(reader.read_intact(*segment, nullptr, &copies, &intact).ok());
  EXPECT_THAT(intact, ElementsAre(place_of("b").offset));
  EXPECT_EQ(stats().parked, 0u) << "nothing was judged";
  copies.clear();
  ASSERT_TRUE(reader.read_live(*segment, nullptr, &copies).ok());
  EXPECT_THAT(described_all(copies), ElementsAre("content b 2"));
  EXPECT_EQ(stats().parked, 1u);
  EXPECT_EQ(counters.corrupt_records, 1u);
  EXPECT_TRUE(segment->unreadable);
}

TEST_F(RecordReaderTest, segment_that_the_disk_does_not_read_is_not_judged) {
  append(content("a", 1, document("a")));
  std::vector<QueuedRecord> copies;
  fail("read_file", EIO);
  EXPECT_EQ(reader.read_live(*segment_of("a"), nullptr, &copies).error, EIO);
  EXPECT_THAT(copies, IsEmpty());
  EXPECT_EQ(stats().parked, 0u);
}

TEST_F(RecordReaderTest, what_is_given_up_is_parked_with_a_reason_that_a_person_can_act_on) {
  append(content("a", 1, document("a")));
  const std::vector<SlotPlaces> lost =
      table.with_index([](LiveIndex& index) { return index.live_in_any({1}); });
  reader.park_unreadable(lost);
  const auto parked = table.with_index([](const LiveIndex& index) { return index.parked(); });
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].version, at(1));
  EXPECT_NE(parked[0].why.find("cannot read this write back"), std::string::npos);
  EXPECT_EQ(counters.corrupt_records, 1u);
}

}  // namespace
}  // namespace tiercache::testing
