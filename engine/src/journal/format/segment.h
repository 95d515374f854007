// A segment file: its header, the frames around its records, and how they are read back, whatever a
// crash has left of them. `docs/formats/journal.md` describes the bytes; the golden file under
// tests holds them fixed. These are values and functions without state; nothing here needs a lock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "journal/format/record.h"
#include "tiercache/file_system.h"

namespace tiercache {

// A reader refuses a segment of a later format with an error that names the format, instead of
// taking it for damage.
inline constexpr std::uint32_t kSegmentFormat = 1;
// The header is at the start of the file, and once more at its end, because without the salt
// nothing in between can be read.
inline constexpr std::uint64_t kSegmentHeaderBytes = 64;
inline constexpr std::uint64_t kFrameHeaderBytes = 32;
inline constexpr std::uint64_t kFrameAlignment = 8;

// What a header says.
struct SegmentHeader {
  // Seeds every checksum in the segment, so that bytes of another segment never pass for its own.
  std::uint64_t salt = 0;
  std::uint64_t number = 0;  // as in the file's name
};

// The header's bytes, of which there are exactly `kSegmentHeaderBytes`.
std::string encode_segment_header(const SegmentHeader& header);

// One record as it lies in a segment. `payload` is borrowed.
struct Frame {
  RecordKind kind = RecordKind::content;
  std::uint64_t sequence = 0;  // rises from record to record over all segments of a folder
  // Up to this offset the segment was known to be synced when the frame was written. Damage before
  // the greatest such offset has hit records that were acknowledged; damage behind it is a write
  // that was torn by a crash.
  std::uint64_t synced_to = 0;
  std::string_view payload;
};

// The bytes that a frame with such a payload takes, padding included.
std::uint64_t frame_bytes(std::size_t payload_size);
// Appends the frame with its checksum and padding.
void append_frame(std::string* out, std::uint64_t salt, const Frame& frame);
// Reads the frame at the start of `bytes`, which may be followed by anything. False if no frame
// with a correct checksum starts there.
bool read_frame(std::string_view bytes, std::uint64_t salt, Frame* out);

// A frame that was met in a segment, and where.
struct FoundFrame {
  std::uint64_t offset = 0;
  Frame frame;
};

// Bytes that belonged to acknowledged records and hold none now.
struct SegmentDamage {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// What a segment holds.
struct SegmentContents {
  std::vector<FoundFrame> frames;  // in their order; the payloads borrow from the bytes read
  std::vector<SegmentDamage> damage;
  std::uint64_t end = kSegmentHeaderBytes;  // behind the last good frame
};

// Reads frames until no good one follows. Bytes between two good frames are skipped; they are
// damage if a later frame says that they had been synced.
SegmentContents read_frames(std::string_view segment, std::uint64_t salt);

// What can be said of a segment by its two headers.
enum class SegmentState : std::uint8_t {
  good,          // at least one of them is intact
  empty,         // there are only zeros: a crash while the segment was made
  newer_format,  // it was written by a later version of this library
  damaged,       // none is intact, and there are other bytes than zeros
};

// Reads the header from either end of the segment. `*out` is set with `good`, and `*format` with
// `newer_format`.
SegmentState read_segment_header(std::string_view segment, SegmentHeader* out,
                                 std::uint32_t* format);

// The size of a segment's file with room for `capacity` bytes of frames.
std::uint64_t segment_file_bytes(std::uint64_t capacity);

// Makes the file, zeroed, with room for `capacity` bytes of frames, and syncs it and its folder, so
// that the sync of a later append has no metadata to write. If that fails the file is removed.
IoStatus create_segment(FileSystem& file_system, const std::string& folder, const std::string& path,
                        const SegmentHeader& header, std::uint64_t capacity,
                        std::unique_ptr<File>* out);

// The name of the segment's file in its folder.
std::string segment_name(std::uint64_t number);
// The number in such a name. Nullopt for any other name.
std::optional<std::uint64_t> parse_segment_name(std::string_view name);

}  // namespace tiercache
