// A segment's bytes at their edges: what just fits, what is just too short, what only looks right.
#include <gtest/gtest.h>

#include <cerrno>

#include "base/hash.h"
#include "engine/journal/format/records.h"
#include "journal/format/bytes.h"
#include "journal/format/segment.h"
#include "tiercache/testing/memory_file_system.h"

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kEdgeSalt = 0x1234'5678'9ABC'DEF0;

std::string frame(const std::string& payload, std::uint64_t sequence = 1,
                  std::uint64_t synced_to = 0, RecordKind kind = RecordKind::content) {
  std::string bytes;
  append_frame(&bytes, kEdgeSalt, {kind, sequence, synced_to, payload});
  return bytes;
}

std::string header(std::uint32_t format = kSegmentFormat) {
  std::string bytes = encode_segment_header({kEdgeSalt, 9});
  std::string number;
  put_number(&number, format);
  bytes.replace(8, 4, number);
  std::string checksum;
  put_number(&checksum, hash64(std::string_view(bytes).substr(0, 32)));
  return bytes.replace(32, 8, checksum);
}

SegmentState state_of(const std::string& bytes) {
  SegmentHeader out;
  std::uint32_t format = 0;
  return read_segment_header(bytes, &out, &format);
}

// --- Frames ---

TEST(SegmentEdges, frame_that_ends_with_the_bytes_is_read_and_one_that_does_not_is_refused) {
  const std::string whole = frame("12345678");
  Frame read;
  ASSERT_EQ(whole.size(), kFrameHeaderBytes + 8);
  EXPECT_TRUE(read_frame(whole, kEdgeSalt, &read));
  EXPECT_EQ(read.payload, "12345678");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string part = whole.substr(0, size);
    EXPECT_FALSE(read_frame(part, kEdgeSalt, &read)) << size;
  }
  const std::string empty = frame("");
  ASSERT_EQ(empty.size(), kFrameHeaderBytes);
  EXPECT_TRUE(read_frame(empty, kEdgeSalt, &read));
}

TEST(SegmentEdges, frame_of_a_kind_that_there_is_not_is_refused_though_its_checksum_holds) {
  Frame read;
  for (const int kind : {0, 6, 255}) {
    EXPECT_FALSE(read_frame(frame("x", 1, 0, static_cast<RecordKind>(kind)), kEdgeSalt, &read))
        << kind;
  }
  for (const int kind : {1, 2, 3, 4, 5}) {
    EXPECT_TRUE(read_frame(frame("x", 1, 0, static_cast<RecordKind>(kind)), kEdgeSalt, &read))
        << kind;
  }
}

TEST(SegmentEdges, frame_that_claims_more_than_is_there_is_refused) {
  std::string bytes = frame("12345678");
  std::string size;
  put_number(&size, std::uint32_t{40});
  bytes.replace(8, 4, size);
  // With the checksum of all that is there.
  std::string checksum;
  put_number(&checksum, hash64(std::string_view(bytes).substr(8), kEdgeSalt));
  bytes.replace(0, 8, checksum);
  Frame read;
  EXPECT_FALSE(read_frame(bytes, kEdgeSalt, &read));
}

TEST(SegmentEdges, frame_at_the_very_end_of_the_segment_is_found_also_behind_damage) {
  std::string bytes = header() + frame("first", 1) + frame("", 2, 5'000);
  EXPECT_EQ(read_frames(bytes, kEdgeSalt).frames.size(), 2u);
  bytes[kSegmentHeaderBytes + kFrameHeaderBytes] ^= 1;
  const SegmentContents contents = read_frames(bytes, kEdgeSalt);
  ASSERT_EQ(contents.frames.size(), 1u);
  EXPECT_EQ(contents.frames[0].frame.sequence, 2u);
  ASSERT_EQ(contents.damage.size(), 1u);
  EXPECT_EQ(contents.damage[0].offset, kSegmentHeaderBytes);
  EXPECT_EQ(contents.damage[0].size, frame("first").size());
  EXPECT_EQ(contents.end, bytes.size());
}

TEST(SegmentEdges, segment_that_ends_within_a_frames_header_ends_before_it) {
  for (std::size_t rest = 0; rest < kFrameHeaderBytes; ++rest) {
    const std::string bytes = header() + frame("first", 1) + std::string(rest, 'x');
    EXPECT_EQ(read_frames(bytes, kEdgeSalt).frames.size(), 1u) << rest;
  }
}

TEST(SegmentEdges, frames_of_an_earlier_life_behind_damage_are_not_taken_for_later_ones) {
  for (const std::uint64_t old : {4, 5}) {
    const std::string bytes = header() + frame("new", 5) + std::string(64, 'x') +
                              frame("old", old, 5'000) + std::string(64, '\0');
    const SegmentContents contents = read_frames(bytes, kEdgeSalt);
    ASSERT_EQ(contents.frames.size(), 1u) << old;
    EXPECT_EQ(contents.frames[0].frame.payload, "new");
    EXPECT_TRUE(contents.damage.empty());
  }
}

TEST(SegmentEdges, damage_counts_up_to_what_was_known_to_be_synced_and_no_further) {
  const std::uint64_t hole = kSegmentHeaderBytes + frame("first").size();
  for (const std::uint64_t synced_to : {hole, hole + 1}) {
    const std::string bytes = header() + frame("first", 1) + std::string(64, 'x') +
                              frame("third", 3, synced_to) + std::string(64, '\0');
    const SegmentContents contents = read_frames(bytes, kEdgeSalt);
    EXPECT_EQ(contents.frames.size(), 2u);
    EXPECT_EQ(contents.damage.size(), synced_to > hole ? 1u : 0u);
  }
}

// --- Headers ---

TEST(SegmentEdges, header_alone_is_good_and_a_shorter_one_is_damaged) {
  EXPECT_EQ(state_of(header()), SegmentState::good);
  for (std::size_t size = 1; size < kSegmentHeaderBytes; ++size) {
    EXPECT_EQ(state_of(header().substr(0, size)), SegmentState::damaged) << size;
  }
}

TEST(SegmentEdges, later_format_is_told_by_either_header_and_never_read) {
  SegmentHeader out;
  for (const bool first : {true, false}) {
    const std::string later = header(2);
    const std::string lost(kSegmentHeaderBytes, 'x');
    std::uint32_t format = 0;
    EXPECT_EQ(read_segment_header(first ? later + lost : lost + later, &out, &format),
              SegmentState::newer_format);
    EXPECT_EQ(format, 2u);
  }
  EXPECT_EQ(state_of(header(2)), SegmentState::newer_format) << "nothing but a header";
}

TEST(SegmentEdges, later_format_cut_short_is_damaged) {
  for (std::size_t size = 1; size < kSegmentHeaderBytes; ++size) {
    EXPECT_EQ(state_of(header(2).substr(0, size)), SegmentState::damaged) << size;
  }
}

TEST(SegmentEdges, header_of_this_format_that_does_not_hold_is_damaged_not_newer) {
  std::string bytes = header();
  bytes[20] ^= 1;
  EXPECT_EQ(state_of(bytes), SegmentState::damaged);
}

TEST(SegmentEdges, bytes_without_the_magic_are_no_header_though_their_checksum_holds) {
  std::string bytes = header();
  bytes[0] = 'X';
  std::string checksum;
  put_number(&checksum, hash64(std::string_view(bytes).substr(0, 32)));
  bytes.replace(32, 8, checksum);
  EXPECT_EQ(state_of(bytes), SegmentState::damaged);
  std::string later = header(2);
  later[0] = 'X';
  EXPECT_EQ(state_of(later), SegmentState::damaged);
}

// --- Files ---

TEST(SegmentEdges, names_of_ten_digits_and_more_are_segments) {
  EXPECT_EQ(segment_name(1'234'567'890), "1234567890.seg");
  EXPECT_EQ(segment_name(123'456'789), "0123456789.seg");
  EXPECT_EQ(parse_segment_name("1234567890.seg"), 1'234'567'890u);
  EXPECT_EQ(parse_segment_name("12345678901234567890123.seg"), std::nullopt) << "too large";
  EXPECT_EQ(parse_segment_name("18446744073709551616.seg"), std::nullopt) << "by one";
  EXPECT_EQ(parse_segment_name("0000000007seg."), std::nullopt);
  EXPECT_EQ(parse_segment_name("00000000070000"), std::nullopt);
}

TEST(SegmentEdges, segment_that_cannot_be_made_says_why) {
  MemoryDisk disk;
  const auto fs = disk.boot();
  ASSERT_TRUE(fs->make_directories("/j").ok());
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "open" ? EMFILE : 0;
  });
  std::unique_ptr<File> file;
  EXPECT_EQ(create_segment(*fs, "/j", "/j/a.seg", {kEdgeSalt, 1}, 100, &file).error, EMFILE);
  EXPECT_EQ(file, nullptr);
}

// --- Records ---

TEST(RecordEdges, kind_zero_and_those_beyond_the_last_are_refused) {
  Record read;
  for (const std::size_t byte : {0, 1}) {
    for (const char kind : {'\0', '\6'}) {
      std::string bytes = encode_record(content("k", 5, "1"));
      bytes[byte] = kind;
      EXPECT_FALSE(decode_record(bytes, &read)) << byte;
    }
  }
}

TEST(RecordEdges, each_member_may_be_long) {
  const std::string text(1'000, 'x');
  for (const int which : {0, 1, 2, 3, 4}) {
    Record record = clocks("k", 5, {ms(1), {}, {}});
    record.entry.metadata = which == 0 ? text : "";
    record.entry.cache_version = which == 1 ? text : "";
    record.id.key = which == 2 ? text : "";
    record.id.dataset = which == 3 ? text : "";
    record.why = which == 4 ? text : "";
    Record read;
    ASSERT_TRUE(decode_record(encode_record(record), &read));
    EXPECT_EQ(read.id, record.id);
    EXPECT_EQ(read.entry.metadata, record.entry.metadata);
    EXPECT_EQ(read.entry.cache_version, record.entry.cache_version);
    EXPECT_EQ(read.why, record.why);
  }
}

TEST(RecordEdges, lineage_of_a_reused_record_is_not_that_of_the_one_before) {
  Record read;
  Record made = content("k", 9, "1");
  made.not_newer_than = at(3);
  made.made_from.add({7, 4});
  ASSERT_TRUE(decode_record(encode_record(made), &read));
  ASSERT_FALSE(read.made_from.empty());
  ASSERT_TRUE(decode_record(encode_record(clocks("k", 9, {})), &read));
  EXPECT_TRUE(read.made_from.empty());
}

TEST(RecordEdges, writer_that_writes_again_is_named_once) {
  Lineage made_from;
  made_from.add({7, 4});
  made_from.add({8, 5});
  made_from.add({9, 4});
  EXPECT_EQ(made_from.writers, (std::vector<std::uint32_t>{5, 4}));
  EXPECT_EQ(made_from.up_to, (Version{9, 4}));
}

TEST(RecordEdges, clocks_records_merge_into_the_newer_version_whichever_comes_first) {
  Record older = clocks("k", 5, {ms(9), {}, ms(1)});
  older.entry.metadata = "older";
  Record newer = clocks("k", 6, {ms(2), ms(3), {}});
  newer.entry.metadata = "newer";
  for (const bool newer_last : {true, false}) {
    Record merged = newer_last ? newer : older;
    merge_clocks_records(newer_last ? older : newer, &merged);
    EXPECT_EQ(merged.entry.version, at(6));
    EXPECT_EQ(merged.entry.metadata, "newer");
    EXPECT_EQ(merged.entry.clocks, (Clocks{ms(9), ms(3), ms(1)}));
  }
}

TEST(RecordEdges, each_clock_is_covered_by_its_counterpart_alone) {
  const Clocks all{ms(2), ms(2), ms(2)};
  EXPECT_TRUE(covers(all, all));
  for (const Clocks& later :
       {Clocks{ms(3), {}, {}}, Clocks{{}, ms(3), {}}, Clocks{{}, {}, ms(3)}}) {
    EXPECT_FALSE(covers(all, later));
  }
  EXPECT_FALSE(covers({ms(9), {}, {}}, {{}, ms(-1), {}})) << "a clock that is not there is none";
  EXPECT_FALSE(covers({}, {ms(0), {}, {}}));
}

TEST(BytesEdges, nothing_is_read_once_something_did_not_fit) {
  std::string bytes;
  put_number(&bytes, std::uint32_t{100});
  bytes += "ab";
  ByteReader in(bytes);
  EXPECT_EQ(in.text(), "") << "a hundred bytes are not there";
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.number<std::uint8_t>(), 0u);
  EXPECT_FALSE(in.at_end());
}

}  // namespace
}  // namespace tiercache::testing
