// Any bytes as a segment, and as a record whose frame holds: reading neither fails nor invents.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "expect.h"
#include "journal/format/record.h"
#include "journal/format/segment.h"

namespace tiercache {
namespace {

// What was read as a record must be what it is written as again, but for a text that stands where
// content has its lineage and is none: that is dropped.
void check_record(std::string_view payload) {
  Record record;
  Record without_document;
  const bool read = decode_record(payload, &record);
  TIERCACHE_FUZZ_EXPECT(decode_record(payload, &without_document, DocumentBytes::skip) == read);
  if (!read) return;
  const std::string written = encode_record(record);
  if (record.kind != RecordKind::content || !record.made_from.empty()) {
    TIERCACHE_FUZZ_EXPECT(written == payload);
    return;
  }
  TIERCACHE_FUZZ_EXPECT(written.size() <= payload.size());
  TIERCACHE_FUZZ_EXPECT(decode_record(written, &record) && encode_record(record) == written);
}

void check_segment(std::string_view bytes) {
  SegmentHeader header;
  std::uint32_t format = 0;
  if (read_segment_header(bytes, &header, &format) == SegmentState::newer_format) {
    TIERCACHE_FUZZ_EXPECT(format > kSegmentFormat);
  }
  const SegmentContents contents = read_frames(bytes, header.salt);
  std::uint64_t end = kSegmentHeaderBytes;
  for (const FoundFrame& found : contents.frames) {
    TIERCACHE_FUZZ_EXPECT(found.offset >= end);
    end = found.offset + frame_bytes(found.frame.payload.size());
    check_record(found.frame.payload);
  }
  TIERCACHE_FUZZ_EXPECT(contents.end == end);
}

// A segment that a checksum cannot keep the fuzzer out of: good records around the input as bytes.
void check_among_good_frames(std::string_view bytes) {
  constexpr std::uint64_t kSalt = 42;
  std::string segment = encode_segment_header({kSalt, 1});
  append_frame(&segment, kSalt, {RecordKind::content, 1, segment.size(), "first"});
  const std::size_t synced = segment.size();
  segment.append(bytes);
  segment.resize((segment.size() + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment);
  append_frame(&segment, kSalt, {RecordKind::content, 1ull << 40, segment.size(), bytes});
  const SegmentContents contents = read_frames(segment, kSalt);
  TIERCACHE_FUZZ_EXPECT(contents.frames.size() >= 2);
  TIERCACHE_FUZZ_EXPECT(contents.frames.front().frame.payload == "first");
  TIERCACHE_FUZZ_EXPECT(contents.frames.back().frame.payload == bytes);
  TIERCACHE_FUZZ_EXPECT(contents.damage.empty() || contents.damage.front().offset >= synced);
}

}  // namespace
}  // namespace tiercache

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  tiercache::check_segment(bytes);
  tiercache::check_record(bytes);
  tiercache::check_among_good_frames(bytes);
  return 0;
}
