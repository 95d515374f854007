#include "journal/format/segment.h"

#include <gtest/gtest.h>

#include "engine/journal/format/records.h"
#include "tiercache/testing/memory_file_system.h"

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kSalt = 0x1234'5678'9ABC'DEF0;

// A segment with these payloads, each synced before the next unless told otherwise.
std::string segment_with(const std::vector<std::string>& payloads, bool synced_between = true) {
  std::string bytes = encode_segment_header({kSalt, 9});
  std::uint64_t sequence = 0;
  for (const std::string& payload : payloads) {
    const std::uint64_t synced = synced_between ? bytes.size() : kSegmentHeaderBytes;
    append_frame(&bytes, kSalt, {RecordKind::content, ++sequence, synced, payload});
  }
  bytes.resize(bytes.size() + 1024);
  return bytes + encode_segment_header({kSalt, 9});
}

std::vector<std::string> payloads_of(const SegmentContents& contents) {
  std::vector<std::string> payloads;
  for (const FoundFrame& found : contents.frames) payloads.emplace_back(found.frame.payload);
  return payloads;
}

TEST(JournalSegment, frames_come_back_in_order) {
  const std::string bytes = segment_with({"one", "", "three"});
  const SegmentContents contents = read_frames(bytes, kSalt);
  EXPECT_EQ(payloads_of(contents), (std::vector<std::string>{"one", "", "three"}));
  EXPECT_TRUE(contents.damage.empty());
  EXPECT_EQ(contents.frames[2].frame.sequence, 3u);
}

TEST(JournalSegment, frames_are_aligned) {
  for (std::size_t size = 0; size < 40; ++size) {
    std::string bytes;
    append_frame(&bytes, kSalt, {RecordKind::done, 1, 0, std::string(size, 'x')});
    EXPECT_EQ(bytes.size() % kFrameAlignment, 0u);
    EXPECT_EQ(bytes.size(), frame_bytes(size));
  }
}

TEST(JournalSegment, frames_of_another_salt_are_not_read) {
  EXPECT_TRUE(read_frames(segment_with({"one"}), kSalt + 1).frames.empty());
}

TEST(JournalSegment, bad_tail_is_cut_silently) {
  std::string bytes = segment_with({"one", "two", "three"});
  const std::uint64_t last = read_frames(bytes, kSalt).frames[2].offset;
  bytes[last + kFrameHeaderBytes] ^= 1;
  const SegmentContents contents = read_frames(bytes, kSalt);
  EXPECT_EQ(payloads_of(contents), (std::vector<std::string>{"one", "two"}));
  EXPECT_TRUE(contents.damage.empty());
  EXPECT_EQ(contents.end, last);
}

TEST(JournalSegment, bad_record_before_a_later_synced_one_is_damage) {
  std::string bytes = segment_with({"one", "two", "three"});
  const SegmentContents whole = read_frames(bytes, kSalt);
  bytes[whole.frames[1].offset + 8] ^= 1;
  const SegmentContents contents = read_frames(bytes, kSalt);
  EXPECT_EQ(payloads_of(contents), (std::vector<std::string>{"one", "three"}));
  ASSERT_EQ(contents.damage.size(), 1u);
  EXPECT_EQ(contents.damage[0].offset, whole.frames[1].offset);
  EXPECT_EQ(contents.damage[0].size, whole.frames[2].offset - whole.frames[1].offset);
}

TEST(JournalSegment, hole_in_a_batch_that_was_never_synced_is_no_damage) {
  std::string bytes = segment_with({"one", "two", "three"}, false);
  const SegmentContents whole = read_frames(bytes, kSalt);
  bytes.replace(whole.frames[1].offset, frame_bytes(3), frame_bytes(3), '\0');
  const SegmentContents contents = read_frames(bytes, kSalt);
  EXPECT_EQ(payloads_of(contents), (std::vector<std::string>{"one", "three"}));
  EXPECT_TRUE(contents.damage.empty());
}

TEST(JournalSegment, header_is_found_in_either_place) {
  const std::string whole = segment_with({"one"});
  SegmentHeader header;
  std::uint32_t format = 0;
  for (std::size_t byte = 0; byte < 40; ++byte) {
    std::string bytes = whole;
    bytes[byte] ^= 0x40;
    ASSERT_EQ(read_segment_header(bytes, &header, &format), SegmentState::good) << byte;
    EXPECT_EQ(header.salt, kSalt);
    EXPECT_EQ(header.number, 9u);
  }
  EXPECT_EQ(read_segment_header(whole.substr(0, 100), &header, &format), SegmentState::good);
}

TEST(JournalSegment, lost_headers_are_told_apart_from_an_unfinished_file) {
  SegmentHeader header;
  std::uint32_t format = 0;
  EXPECT_EQ(read_segment_header("", &header, &format), SegmentState::empty);
  EXPECT_EQ(read_segment_header(std::string(4096, '\0'), &header, &format), SegmentState::empty);
  std::string bytes = segment_with({"one"});
  bytes[0] = 'x';
  bytes[bytes.size() - kSegmentHeaderBytes] = 'x';
  EXPECT_EQ(read_segment_header(bytes, &header, &format), SegmentState::damaged);
}

TEST(JournalSegment, later_format_is_told_by_number) {
  std::string bytes = segment_with({});
  SegmentHeader header;
  std::uint32_t format = 0;
  for (const std::size_t start : {std::size_t{0}, bytes.size() - kSegmentHeaderBytes}) {
    bytes[start + 8] = 2;
  }
  EXPECT_EQ(read_segment_header(bytes, &header, &format), SegmentState::newer_format);
  EXPECT_EQ(format, 2u);
}

TEST(JournalSegment, only_canonical_names_are_segments) {
  EXPECT_EQ(segment_name(7), "0000000007.seg");
  EXPECT_EQ(parse_segment_name(segment_name(7)), 7u);
  EXPECT_EQ(parse_segment_name(segment_name(123456789012)), 123456789012u);
  for (const char* name : {"7.seg", "", ".seg", "owner", "000000000x.seg", "0000000007.seg~",
                           "+000000007.seg", "00000000007.seg"}) {
    EXPECT_EQ(parse_segment_name(name), std::nullopt) << name;
  }
}

TEST(JournalSegment, made_segment_survives_power_loss_with_its_name) {
  MemoryDisk disk;
  const auto fs = disk.boot();
  ASSERT_TRUE(fs->make_directories("/j").ok());
  ASSERT_TRUE(fs->sync_directory("/").ok());
  std::unique_ptr<File> file;
  ASSERT_TRUE(create_segment(*fs, "/j", "/j/a.seg", {kSalt, 1}, 8000, &file).ok());
  disk.power_loss(0);
  std::string bytes;
  ASSERT_TRUE(disk.read("/j/a.seg", &bytes));
  EXPECT_EQ(bytes.size(), 8000 + 2 * kSegmentHeaderBytes);
  SegmentHeader header;
  std::uint32_t format = 0;
  EXPECT_EQ(read_segment_header(bytes, &header, &format), SegmentState::good);
}

TEST(JournalSegment, failed_making_leaves_no_file) {
  for (const char* broken : {"write_at", "sync_data", "sync_directory"}) {
    MemoryDisk disk;
    const auto fs = disk.boot();
    ASSERT_TRUE(fs->make_directories("/j").ok());
    disk.set_fault([&](const std::string& operation, const std::string&) {
      return operation == broken ? ENOSPC : 0;
    });
    std::unique_ptr<File> file;
    EXPECT_EQ(create_segment(*fs, "/j", "/j/a.seg", {kSalt, 1}, 100, &file).error, ENOSPC);
    EXPECT_TRUE(disk.files().empty()) << broken;
  }
}

}  // namespace
}  // namespace tiercache::testing
