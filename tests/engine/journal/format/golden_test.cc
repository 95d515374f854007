// A segment file written once and kept: what this library wrote then it reads for ever.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "engine/journal/format/records.h"
#include "journal/format/segment.h"

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kGoldenSalt = 0x0123'4567'89AB'CDEF;

std::vector<Record> golden_records() {
  std::vector<Record> records;
  Record document = content("activity/42", 1000, R"({"km": 12.5, "título": "río"})");
  document.entry.clocks = {ms(1'700'000'000'000), ms(1'700'000'000'001), ms(1'700'000'000'002)};
  document.entry.metadata = R"({"etag":"\"v1\""})";
  document.entry.cache_version = "2.0";
  document.entry.fresh_for = std::chrono::minutes(5);
  document.not_newer_than = Version{999, 7};
  records.push_back(document);
  records.push_back(tombstone("", 1001));
  records.push_back(clocks("activity/42", 1000, {ms(1'700'000'060'000), {}, {}}));
  records.push_back(erase_matching("activity/*", 1002));
  Record done = clocks("activity/42", 1000, {ms(1'700'000'060'000), {}, {}});
  done.kind = RecordKind::done;
  done.subject = RecordKind::clocks;
  records.push_back(done);
  Record parked = tombstone("", 1001);
  parked.kind = RecordKind::parked;
  parked.why = "the table has a trigger";
  records.push_back(parked);
  return records;
}

std::string golden_segment() {
  std::string bytes = encode_segment_header({kGoldenSalt, 3});
  std::uint64_t sequence = 100;
  for (const Record& record : golden_records()) {
    append_frame(&bytes, kGoldenSalt,
                 {record.kind, ++sequence, bytes.size(), encode_record(record)});
  }
  bytes.resize(2048);
  return bytes + encode_segment_header({kGoldenSalt, 3});
}

std::string read_golden() {
  std::ifstream file(TIERCACHE_GOLDEN_DIR "/segment-v1.seg", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(JournalGolden, this_library_still_writes_the_same_bytes) {
  const std::string golden = read_golden();
  ASSERT_FALSE(golden.empty());
  EXPECT_TRUE(golden == golden_segment()) << "format 1 is fixed: a change needs a new number";
}

TEST(JournalGolden, every_record_is_read_back) {
  const std::string golden = read_golden();
  SegmentHeader header;
  std::uint32_t format = 0;
  ASSERT_EQ(read_segment_header(golden, &header, &format), SegmentState::good);
  EXPECT_EQ(header.salt, kGoldenSalt);
  EXPECT_EQ(header.number, 3u);
  const SegmentContents contents = read_frames(golden, header.salt);
  const std::vector<Record> records = golden_records();
  ASSERT_EQ(contents.frames.size(), records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    Record read;
    ASSERT_TRUE(decode_record(contents.frames[i].frame.payload, &read));
    EXPECT_EQ(encode_record(read), encode_record(records[i])) << i;
    EXPECT_EQ(contents.frames[i].frame.kind, records[i].kind);
  }
  Record first;
  ASSERT_TRUE(decode_record(contents.frames[0].frame.payload, &first));
  EXPECT_EQ(*first.entry.document, R"({"km": 12.5, "título": "río"})");
  EXPECT_EQ(first.not_newer_than, (Version{999, 7}));
  EXPECT_EQ(first.entry.checksum, Checksum::of(*first.entry.document));
}

}  // namespace
}  // namespace tiercache::testing
