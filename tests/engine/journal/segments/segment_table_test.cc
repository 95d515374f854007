#include "journal/segments/segment_table.h"

#include <cerrno>

#include "engine/journal/segments/segments_fixture.h"

namespace tiercache::testing {
namespace {

class SegmentTableTest : public JournalSegmentsTest {
 protected:
  // Two segments: one of `a`, which is not written any more, and the current one, of `b`.
  SegmentTableTest() {
    open();
    write({content("a", 1, document("a", 600)), content("b", 2, document("b", 600))});
  }
};

TEST_F(SegmentTableTest, a_segment_goes_once_nothing_in_it_is_live) {
  table.trim();
  EXPECT_EQ(segment_files(disk).size(), 2u);
  settle("a", 1);
  table.trim();
  EXPECT_EQ(segment_files(disk).size(), 1u);
  EXPECT_EQ(stats().segments, 1u);
}

TEST_F(SegmentTableTest, the_current_segment_stays_until_it_is_left) {
  settle("b", 2);
  table.trim();
  EXPECT_EQ(segment_files(disk).size(), 2u);
  writer.finish_segment();
  table.trim();
  EXPECT_EQ(segment_files(disk).size(), 1u);
}

TEST_F(SegmentTableTest, a_pinned_segment_stays_until_it_is_read) {
  const SegmentPtr pinned = table.pin(1);
  ASSERT_TRUE(pinned);
  settle("a", 1);
  table.trim();
  EXPECT_EQ(segment_files(disk).size(), 2u);
  table.unpin(1);
  table.trim();
  EXPECT_EQ(segment_files(disk).size(), 1u);
  EXPECT_FALSE(table.pin(1));
}

TEST_F(SegmentTableTest, a_deletion_that_fails_is_tried_again_when_told) {
  settle("a", 1);
  fail("remove_file", EIO);
  table.trim();
  EXPECT_EQ(table.check_deleted({1}).error, EIO);
  table.trim();
  EXPECT_EQ(segment_files(disk).size(), 2u);
  table.retry_deletions();
  EXPECT_EQ(table.check_deleted({1}).error, EAGAIN);
  table.trim();
  EXPECT_TRUE(table.check_deleted({1}).ok());
}

TEST_F(SegmentTableTest, the_oldest_is_compacted_when_dead_bytes_outweigh_live_ones) {
  EXPECT_FALSE(table.next_to_compact(Compact::when_due, 0, table.next_number()));
  EXPECT_EQ(table.next_to_compact(Compact::all, 0, table.next_number()), 1u);
  EXPECT_FALSE(table.next_to_compact(Compact::all, 2, table.next_number()))
      << "the current one is left alone";
  for (std::uint64_t version = 3; version < 6; ++version) {
    write({content("b", version, document("b", 600))});
  }
  EXPECT_EQ(table.next_to_compact(Compact::when_due, 0, table.next_number()), 1u);
}

TEST_F(SegmentTableTest, a_closed_table_deletes_nothing_and_hands_nothing_out) {
  settle("a", 1);
  table.close();
  table.trim();
  EXPECT_EQ(segment_files(disk).size(), 2u);
  EXPECT_FALSE(table.pin(2));
  EXPECT_FALSE(table.while_open([](LiveIndex&, const SegmentMap&) { return true; }));
  writer.let_go();
  table.let_go();
  EXPECT_EQ(stats().segments, 0u);
}

}  // namespace
}  // namespace tiercache::testing
