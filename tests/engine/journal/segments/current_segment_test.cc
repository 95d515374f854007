#include "journal/segments/current_segment.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "engine/journal/segments/segments_fixture.h"

namespace tiercache::testing {
namespace {

class CurrentSegmentTest : public JournalSegmentsTest {
 protected:
  static constexpr std::uint64_t kCapacity = 512;

  CurrentSegmentTest() { open(); }

  IoStatus start(std::uint64_t number, std::uint64_t capacity = kCapacity) {
    auto made = std::make_shared<JournalSegment>();
    made->folder = own_folder.get();
    made->number = number;
    return current.start(std::move(made), capacity);
  }
  // Encodes and writes these, which get the sequences from 10 on.
  IoStatus write_records(std::vector<QueuedRecord>* records, Sync sync) {
    return current.write(current.encode(pointers_to(records), 10), sync);
  }
  IoStatus write_one(const std::string& key, Sync sync) {
    std::vector<QueuedRecord> records;
    records.push_back(make_queued(content(key, 1, document(key))));
    return write_records(&records, sync);
  }
  // The frames that a new life of the disk finds.
  std::vector<FoundFrame> frames() {
    EXPECT_TRUE(disk.read(segment->path, &bytes));
    return read_frames(bytes, segment->salt).frames;
  }

  CurrentSegment current{*files, 7};
  SegmentPtr segment;
  std::string bytes;
};

TEST_F(CurrentSegmentTest, nothing_fits_where_there_is_none) {
  EXPECT_EQ(current.segment(), nullptr);
  EXPECT_FALSE(current.fits(0));
}

TEST_F(CurrentSegmentTest, segment_has_room_for_what_it_was_made_for_and_no_more) {
  ASSERT_TRUE(start(3, kCapacity - 3).ok());
  EXPECT_EQ(current.segment()->number, 3u);
  EXPECT_EQ(current.used_bytes(), 0u);
  EXPECT_TRUE(current.fits(kCapacity)) << "rounded up to whole frames";
  EXPECT_FALSE(current.fits(kCapacity + 1));
  ASSERT_TRUE(write_one("a", Sync::yes).ok());
  EXPECT_TRUE(current.fits(kCapacity - current.used_bytes()));
  EXPECT_FALSE(current.fits(kCapacity - current.used_bytes() + 1));
}

TEST_F(CurrentSegmentTest, records_lie_one_after_the_other_where_they_are_told_to_be) {
  ASSERT_TRUE(start(3).ok());
  segment = current.segment();
  std::vector<QueuedRecord> records;
  for (const char* key : {"a", "b"}) records.push_back(make_queued(content(key, 1, document(key))));
  ASSERT_TRUE(write_records(&records, Sync::yes).ok());
  const std::vector<FoundFrame> found = frames();
  ASSERT_EQ(found.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(found[i].offset, records[i].place.offset);
    EXPECT_EQ(found[i].frame.sequence, 10 + i);
    EXPECT_EQ(records[i].place.segment, 3u);
    EXPECT_EQ(records[i].place.size, records[i].bytes());
  }
  EXPECT_EQ(current.used_bytes(), records[0].bytes() + records[1].bytes());
}

TEST_F(CurrentSegmentTest, frame_says_how_far_the_segment_was_synced_when_it_was_written) {
  ASSERT_TRUE(start(1).ok());
  segment = current.segment();
  ASSERT_TRUE(write_one("a", Sync::no).ok());
  ASSERT_TRUE(write_one("b", Sync::yes).ok());
  ASSERT_TRUE(write_one("c", Sync::no).ok());
  const std::vector<FoundFrame> found = frames();
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].frame.synced_to, kSegmentHeaderBytes);
  EXPECT_EQ(found[1].frame.synced_to, kSegmentHeaderBytes);
  EXPECT_EQ(found[2].frame.synced_to, found[2].offset) << "up to where it begins itself";
}

TEST_F(CurrentSegmentTest, what_is_synced_survives_a_power_loss_and_what_is_not_need_not_I1) {
  ASSERT_TRUE(start(1).ok());
  segment = current.segment();
  ASSERT_TRUE(write_one("a", Sync::yes).ok());
  ASSERT_TRUE(write_one("b", Sync::no).ok());
  disk.power_loss(0);
  EXPECT_EQ(frames().size(), 1u);
}

TEST_F(CurrentSegmentTest, segment_whose_name_leads_nowhere_acknowledges_nothing_I1) {
  ASSERT_TRUE(start(1).ok());
  const std::string path = current.segment()->path;
  ASSERT_TRUE(files->remove_file(path).ok());
  EXPECT_TRUE(write_one("a", Sync::no).ok()) << "nothing was promised";
  EXPECT_EQ(write_one("b", Sync::yes).error, ENOENT);
  disk.write(path, "somebody else's");
  EXPECT_EQ(write_one("c", Sync::yes).error, ENOENT);
}

TEST_F(CurrentSegmentTest, error_of_the_disk_is_handed_on) {
  ASSERT_TRUE(start(1).ok());
  fail("write_at", ENOSPC);
  EXPECT_EQ(write_one("a", Sync::yes).error, ENOSPC);
  fail("sync_data", EIO);
  EXPECT_EQ(write_one("a", Sync::yes).error, EIO);
}

TEST_F(CurrentSegmentTest, segment_that_cannot_be_made_leaves_the_one_before) {
  ASSERT_TRUE(start(1).ok());
  ASSERT_TRUE(write_one("a", Sync::yes).ok());
  const std::uint64_t used = current.used_bytes();
  fail("open", ENOSPC);
  EXPECT_EQ(start(2).error, ENOSPC);
  EXPECT_EQ(current.segment()->number, 1u);
  EXPECT_EQ(current.used_bytes(), used);
  EXPECT_TRUE(write_one("b", Sync::yes).ok());
}

TEST_F(CurrentSegmentTest, salts_differ_from_segment_to_segment_and_from_seed_to_seed) {
  ASSERT_TRUE(start(1).ok());
  const std::uint64_t first = current.segment()->salt;
  ASSERT_TRUE(start(2).ok());
  EXPECT_NE(current.segment()->salt, first);
  ASSERT_TRUE(files->remove_file(current.segment()->folder->path + "/" + segment_name(1)).ok());
  CurrentSegment another{*files, 8};
  auto made = std::make_shared<JournalSegment>();
  made->folder = own_folder.get();
  made->number = 1;
  ASSERT_TRUE(another.start(made, kCapacity).ok());
  EXPECT_NE(made->salt, first);
}

TEST_F(CurrentSegmentTest, file_of_one_that_was_left_is_handed_over) {
  ASSERT_TRUE(start(1).ok());
  segment = current.segment();
  ASSERT_TRUE(write_one("a", Sync::yes).ok());
  const std::unique_ptr<File> file = current.detach();
  EXPECT_EQ(current.segment(), nullptr);
  EXPECT_FALSE(current.fits(0));
  ASSERT_TRUE(files->remove_file(segment->path).ok());
  ASSERT_TRUE(file->read_at(0, segment->file_bytes, &bytes).ok());
  EXPECT_EQ(read_frames(bytes, segment->salt).frames.size(), 1u);
}

}  // namespace
}  // namespace tiercache::testing
