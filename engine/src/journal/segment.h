// A segment file: its header, the frames around records, and how what is left of them is read back.
// `docs/formats/journal.md` describes the bytes; the golden file under tests holds them fixed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "journal/record.h"
#include "tiercache/file_system.h"

namespace tiercache {

// Readers refuse segments of a later format by name instead of taking them for damage.
inline constexpr std::uint32_t kSegmentFormat = 1;
// At the start of the file, and a copy at its end: without the salt nothing in between can be read.
inline constexpr std::uint64_t kSegmentHeaderBytes = 64;
inline constexpr std::uint64_t kFrameHeaderBytes = 32;
inline constexpr std::uint64_t kFrameAlignment = 8;

struct SegmentHeader {
  std::uint64_t salt =
      0;  // seeds every checksum in the segment, so that no foreign bytes pass for ours
  std::uint64_t number = 0;  // counts the segments of one folder
};

// Exactly `kSegmentHeaderBytes`.
std::string encode_segment_header(const SegmentHeader& header);

// One record as it lies in a segment. `payload` is borrowed.
struct Frame {
  RecordKind kind = RecordKind::content;
  std::uint64_t sequence = 0;  // rises over all segments of a folder
  // The segment was known to be synced up to this offset when the frame was written. Damage before
  // the greatest of these is corruption of what was acknowledged; damage after it is a torn write.
  std::uint64_t synced_to = 0;
  std::string_view payload;
};

// Bytes a frame takes with this payload, padding included.
std::uint64_t frame_bytes(std::size_t payload_size);
void append_frame(std::string* out, std::uint64_t salt, const Frame& frame);
// Reads the frame at the start of `bytes`, which may go on after it. False when none is there.
bool read_frame(std::string_view bytes, std::uint64_t salt, Frame* out);

struct FoundFrame {
  std::uint64_t offset = 0;
  Frame frame;
};

// Bytes that were acknowledged once and hold no record now.
struct SegmentDamage {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

struct SegmentContents {
  std::vector<FoundFrame> frames;  // in order; payloads borrow from the bytes read
  std::vector<SegmentDamage> damage;
  std::uint64_t end = kSegmentHeaderBytes;  // after the last good frame
};

// Reads frames until nothing valid follows. What lies between two good frames is skipped.
SegmentContents read_frames(std::string_view segment, std::uint64_t salt);

enum class SegmentState : std::uint8_t {
  good,          // the header holds, in the first or the last place
  empty,         // nothing was ever written to it: a crash while it was made
  newer_format,  // made by a later version of this library
  damaged,       // no header holds, and there are bytes
};

// Finds the header; `*format` gets the format met with `newer_format`.
SegmentState read_segment_header(std::string_view segment, SegmentHeader* out,
                                 std::uint32_t* format);

// Makes the file with room for `capacity` bytes of frames, zeroed, and syncs it and its folder, so
// that syncing an append later changes no metadata. On failure nothing is left behind.
IoStatus create_segment(FileSystem& file_system, const std::string& folder, const std::string& path,
                        const SegmentHeader& header, std::uint64_t capacity,
                        std::unique_ptr<File>* out);

// The file's name in its folder, and back; nullopt for other names.
std::string segment_name(std::uint64_t number);
std::optional<std::uint64_t> parse_segment_name(std::string_view name);

}  // namespace tiercache
