// How a segment is read back after a crash. Frames follow one another, so a reader goes from frame
// to frame. Where no frame is intact it looks at every eighth byte for the next one whose checksum
// and sequence fit, and what lies between the two is a gap:
//
//     header | frame | frame | gap | frame | zeros ...
//                                     `- "synced up to here when I was written"
//
// A gap before that offset was acknowledged once, so it is damage; one behind it was torn by the
// crash, before anybody was told that it is safe. Where nothing follows, the tail is cut.
#include "journal/format/segment.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/hash.h"
#include "journal/format/bytes.h"

namespace tiercache {
namespace {

constexpr std::string_view kMagic = "TIERCJNL";
constexpr std::string_view kSuffix = ".seg";
constexpr std::size_t kNameDigits = 10;
constexpr std::size_t kHeaderChecked = 32;  // the bytes before the header's checksum
constexpr std::size_t kFrameChecksum = 8;   // the bytes of the frame's checksum, which comes first

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment;
}

// Behind a frame's length come its kind and three zeros. No JSON text has such bytes, so a search
// for the next frame passes over a document without hashing at every step.
bool has_plausible_kind(std::string_view frame) {
  return is_record_kind(get_number<std::uint32_t>(frame.substr(12)));
}

bool read_header_at(std::string_view bytes, SegmentHeader* out) {
  if (bytes.size() < kSegmentHeaderBytes || !bytes.starts_with(kMagic)) return false;
  ByteReader in(bytes.substr(kMagic.size()));
  const auto format = in.number<std::uint32_t>();
  in.number<std::uint32_t>();
  out->salt = in.number<std::uint64_t>();
  out->number = in.number<std::uint64_t>();
  return in.number<std::uint64_t>() == hash64(bytes.substr(0, kHeaderChecked)) &&
         format == kSegmentFormat;
}

bool has_newer_header(std::string_view bytes, std::uint32_t* format) {
  if (bytes.size() < kSegmentHeaderBytes || !bytes.starts_with(kMagic)) return false;
  *format = get_number<std::uint32_t>(bytes.substr(kMagic.size()));
  return *format > kSegmentFormat;
}

std::string_view last_header(std::string_view segment) {
  return segment.size() < kSegmentHeaderBytes
             ? std::string_view()
             : segment.substr(segment.size() - kSegmentHeaderBytes);
}

// The offset of the first frame at or after `offset` that follows `last_sequence`, or npos.
std::size_t find_frame(std::string_view segment, std::size_t offset, std::uint64_t salt,
                       std::uint64_t last_sequence) {
  for (; offset + kFrameHeaderBytes <= segment.size(); offset += kFrameAlignment) {
    const std::string_view rest = segment.substr(offset);
    if (!has_plausible_kind(rest)) continue;
    Frame frame;
    if (read_frame(rest, salt, &frame) && frame.sequence > last_sequence) return offset;
  }
  return std::string_view::npos;
}

// A gap that no later frame knew to be synced is a torn write and no damage.
void keep_corruption(SegmentContents* contents) {
  std::uint64_t synced_to = 0;
  for (const FoundFrame& found : contents->frames) {
    synced_to = std::max(synced_to, found.frame.synced_to);
  }
  std::erase_if(contents->damage,
                [&](const SegmentDamage& damage) { return damage.offset >= synced_to; });
}

}  // namespace

std::string encode_segment_header(const SegmentHeader& header) {
  std::string out(kMagic);
  put_number(&out, kSegmentFormat);
  put_number(&out, std::uint32_t{0});
  put_number(&out, header.salt);
  put_number(&out, header.number);
  put_number(&out, hash64(out));
  out.resize(kSegmentHeaderBytes, '\0');
  return out;
}

std::uint64_t frame_bytes(std::size_t payload_size) {
  return aligned(kFrameHeaderBytes + payload_size);
}

void append_frame(std::string* out, std::uint64_t salt, const Frame& frame) {
  const std::size_t start = out->size();
  out->resize(start + kFrameChecksum);
  put_number(out, static_cast<std::uint32_t>(frame.payload.size()));
  put_number(out, static_cast<std::uint32_t>(frame.kind));
  put_number(out, frame.sequence);
  put_number(out, frame.synced_to);
  out->append(frame.payload);
  std::string checksum;
  put_number(&checksum, hash64(std::string_view(*out).substr(start + kFrameChecksum), salt));
  out->replace(start, kFrameChecksum, checksum);
  out->resize(start + frame_bytes(frame.payload.size()), '\0');
}

bool read_frame(std::string_view bytes, std::uint64_t salt, Frame* out) {
  if (bytes.size() < kFrameHeaderBytes || !has_plausible_kind(bytes)) return false;
  ByteReader in(bytes);
  const auto checksum = in.number<std::uint64_t>();
  const auto size = in.number<std::uint32_t>();
  if (size > bytes.size() - kFrameHeaderBytes) return false;
  const auto checked = bytes.substr(kFrameChecksum, kFrameHeaderBytes - kFrameChecksum + size);
  if (hash64(checked, salt) != checksum) return false;
  out->kind = static_cast<RecordKind>(in.number<std::uint32_t>());
  out->sequence = in.number<std::uint64_t>();
  out->synced_to = in.number<std::uint64_t>();
  out->payload = bytes.substr(kFrameHeaderBytes, size);
  return true;
}

SegmentContents read_frames(std::string_view segment, std::uint64_t salt) {
  SegmentContents contents;
  std::uint64_t last_sequence = 0;
  std::uint64_t offset = kSegmentHeaderBytes;
  while (offset + kFrameHeaderBytes <= segment.size()) {
    Frame frame;
    if (!read_frame(segment.substr(offset), salt, &frame)) {
      const std::size_t next = find_frame(segment, offset + kFrameAlignment, salt, last_sequence);
      if (next == std::string_view::npos) break;
      contents.damage.push_back({offset, next - offset});
      offset = next;
      continue;
    }
    contents.frames.push_back({offset, frame});
    last_sequence = frame.sequence;
    offset += frame_bytes(frame.payload.size());
    contents.end = offset;
  }
  keep_corruption(&contents);
  return contents;
}

SegmentState read_segment_header(std::string_view segment, SegmentHeader* out,
                                 std::uint32_t* format) {
  const std::string_view last = last_header(segment);
  if (read_header_at(segment, out) || read_header_at(last, out)) return SegmentState::good;
  if (has_newer_header(segment, format) || has_newer_header(last, format)) {
    return SegmentState::newer_format;
  }
  return segment.find_first_not_of('\0') == std::string_view::npos ? SegmentState::empty
                                                                   : SegmentState::damaged;
}

std::uint64_t segment_file_bytes(std::uint64_t capacity) {
  return 2 * kSegmentHeaderBytes + aligned(capacity);
}

IoStatus create_segment(FileSystem& file_system, const std::string& folder, const std::string& path,
                        const SegmentHeader& header, std::uint64_t capacity,
                        std::unique_ptr<File>* out) {
  const std::string head = encode_segment_header(header);
  std::string bytes = head;
  bytes.resize(segment_file_bytes(capacity) - kSegmentHeaderBytes, '\0');
  bytes += head;
  std::unique_ptr<File> file;
  IoStatus status = file_system.open(path, OpenMode::create, &file);
  if (!status.ok()) return status;
  status = file->write_at(0, bytes);
  if (status.ok()) status = file->sync_data();
  if (status.ok()) status = file_system.sync_directory(folder);
  if (!status.ok()) {
    file.reset();
    file_system.remove_file(path);
    return status;
  }
  *out = std::move(file);
  return {};
}

std::string segment_name(std::uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < kNameDigits) digits.insert(0, kNameDigits - digits.size(), '0');
  return digits.append(kSuffix);
}

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return segment_name(number).size() == name.size() + kSuffix.size() ? std::optional(number)
                                                                     : std::nullopt;
}

}  // namespace tiercache
