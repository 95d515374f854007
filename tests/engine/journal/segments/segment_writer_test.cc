#include "journal/segments/segment_writer.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "engine/journal/segments/segments_fixture.h"

namespace tiercache::testing {
namespace {

using ::testing::Each;
using SegmentWriterTest = JournalSegmentsTest;

TEST_F(SegmentWriterTest, records_fill_one_segment_after_the_other) {
  open();
  EXPECT_THAT(write({content("a", 1, document("a", 600)), content("b", 2, document("b", 600))}),
              Each(AppendStatus::durable));
  EXPECT_EQ(segment_files(disk).size(), 2u);
  EXPECT_EQ(stats().live_records, 2u);
  EXPECT_EQ(table.current_number(), 2u);
}

TEST_F(SegmentWriterTest, a_record_larger_than_a_segment_gets_one_of_its_own) {
  open();
  EXPECT_THAT(write({content("a", 1, document("a", 10 * kSegmentBytes))}),
              Each(AppendStatus::durable));
  EXPECT_GT(stats().disk_bytes, 10 * kSegmentBytes);
}

TEST_F(SegmentWriterTest, notes_alone_are_not_worth_a_segment) {
  open();
  write({make_marker(RecordKind::done, {RecordKind::content, id_of("a")}, at(1))});
  EXPECT_TRUE(segment_files(disk).empty());
}

TEST_F(SegmentWriterTest, a_failed_sync_moves_what_was_live_with_the_records_at_hand) {
  open();
  write({content("a", 1, document("a"))});
  fail("sync_data", EIO);
  EXPECT_THAT(write({content("b", 2, document("b"))}), Each(AppendStatus::durable));
  EXPECT_EQ(counters.segments_abandoned, 1u);
  table.trim();
  EXPECT_EQ(segment_files(disk).size(), 1u) << "the abandoned one is empty now";
  EXPECT_EQ(stats().live_records, 2u);
  ASSERT_TRUE(reader.live_content(id_of("a")));
}

TEST_F(SegmentWriterTest, what_cannot_be_moved_is_left_behind_for_the_next_round) {
  open();
  write({content("a", 1, document("a"))});
  fail("sync_data", EIO, 2);
  EXPECT_THAT(write({content("b", 2, document("b"))}), Each(AppendStatus::unknown));
  std::vector<QueuedRecord> copies;
  writer.collect_left_behind(&copies);
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].record.id, id_of("a"));
  ASSERT_TRUE(copies[0].copy_of);

  EXPECT_TRUE(writer.write(pointers_to(&copies), Sync::yes).ok());
  writer.forget_left_behind();
  copies.clear();
  writer.collect_left_behind(&copies);
  EXPECT_TRUE(copies.empty());
  EXPECT_TRUE(reader.live_content(id_of("a")));
}

TEST_F(SegmentWriterTest, a_segment_that_is_left_behind_can_be_read_without_its_name) {
  open();
  write({content("a", 1, document("a"))});
  SegmentPtr segment = table.pin(table.current_number());
  ASSERT_TRUE(segment);
  table.unpin(segment->number);
  EXPECT_EQ(writer.file_of(segment), nullptr) << "it is still written";
  writer.leave_behind();
  ASSERT_TRUE(files->remove_file(segment->path).ok());
  std::vector<QueuedRecord> copies;
  EXPECT_TRUE(reader.read_live(*segment, writer.file_of(segment), &copies).ok());
  EXPECT_EQ(copies.size(), 1u);
}

TEST_F(SegmentWriterTest, without_a_folder_nothing_is_applied) {
  open();
  own_folder.close();
  EXPECT_THAT(write({content("a", 1, document("a"))}), Each(AppendStatus::not_applied));
}

}  // namespace
}  // namespace tiercache::testing
