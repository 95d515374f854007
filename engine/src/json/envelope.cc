#include "json/envelope.h"

#include <cassert>
#include <charconv>
#include <memory>
#include <utility>

#include "base/hash.h"
#include "base/hex.h"
#include "base/spoken.h"
#include "json/document.h"
#include "json/envelope_members.h"

namespace tiercache {
namespace {

constexpr std::string_view kStart = "{\"tiercache\":";
constexpr std::string_view kHeaderChecksum = ",\"header_checksum\":\"";
constexpr std::string_view kData = ",\"data\":";
constexpr std::string_view kEnd = "}\n";

constexpr std::uint32_t kIdentity =
    bits(HeaderMember::project) | bits(HeaderMember::dataset) | bits(HeaderMember::key);
constexpr std::uint32_t kAlways = bits(HeaderMember::kind) | bits(HeaderMember::version) |
                                  bits(HeaderMember::metadata) | bits(HeaderMember::cache_version);

EnvelopeResult corrupt(std::string why) {
  return {EnvelopeFault::corrupt, std::move(why)};
}

EnvelopeResult unreadable(const JsonReader& reader) {
  return corrupt("header: " + reader.why() + " (byte " + std::to_string(reader.fault_offset()) +
                 ")");
}

// Splits the header line off and verifies its checksum. `*members` becomes what the checksum
// covers, `*body` everything behind the line.
EnvelopeResult open_header(std::string_view bytes, std::string_view* members,
                           std::string_view* body) {
  const std::string_view head = bytes.substr(0, kMaxHeaderBytes);
  const auto line_end = head.find('\n');
  if (line_end == std::string_view::npos) return corrupt("the header line has no end");
  const std::string_view line = head.substr(0, line_end);
  constexpr std::size_t kTrailer = kHeaderChecksum.size() + kHex64Digits + 1;
  if (!line.starts_with(kStart) || line.size() < kStart.size() + kTrailer) {
    return corrupt("not an entry of tiercache");
  }
  *members = line.substr(0, line.size() - kTrailer);
  const std::string_view trailer = line.substr(members->size());
  const auto stated = parse_hex64(trailer.substr(kHeaderChecksum.size(), kHex64Digits));
  if (!trailer.starts_with(kHeaderChecksum) || !trailer.ends_with('"') || !stated) {
    return corrupt("the header line does not end in its checksum");
  }
  if (*stated != hash64(*members)) return corrupt("the header does not match its checksum");
  *body = bytes.substr(line_end + 1);
  return {};
}

EnvelopeResult check_format(std::string_view members) {
  std::uint64_t format = 0;
  const char* end = members.data() + members.size();
  const auto [stop, error] = std::from_chars(members.data() + kStart.size(), end, format);
  if (error == std::errc::invalid_argument) return corrupt("the format has no number");
  if (error == std::errc() && format == kEnvelopeFormat) return {};
  return {EnvelopeFault::other_format,
          "format " + std::string(members.data() + kStart.size(), stop) + ", this library reads " +
              std::to_string(kEnvelopeFormat)};
}

// `also` are members needed in every entry, `of_document` those needed in documents only, since a
// tombstone has none of them.
EnvelopeResult check_complete(const Entry& entry, std::uint32_t seen, std::uint32_t also,
                              std::uint32_t of_document) {
  const bool document = entry.kind == EntryKind::document;
  const std::uint32_t needed = kAlways | also | (document ? of_document : 0);
  if ((seen & needed) != needed) return corrupt("header: a member is missing");
  constexpr auto kContent =
      bits(HeaderMember::checksum) | bits(HeaderMember::text_checksum) | bits(HeaderMember::size);
  if (!document && (seen & kContent) != 0) return corrupt("header: a tombstone with content");
  return {};
}

EnvelopeResult read_header(std::string_view bytes, Envelope* out, std::string_view* body) {
  *out = {};
  std::string_view members;
  if (auto opened = open_header(bytes, &members, body); !opened.ok()) return opened;
  if (auto format = check_format(members); !format.ok()) return format;
  JsonReader reader(members);
  std::uint32_t seen = 0;
  reader.take('{');
  if (!read_members(reader, out, &seen)) return unreadable(reader);
  if (!reader.at_end()) return corrupt("header: expected ','");
  return check_complete(out->entry, seen, kIdentity,
                        bits(HeaderMember::checksum) | bits(HeaderMember::size));
}

EnvelopeResult read_document(std::string_view body, Envelope* out) {
  constexpr std::size_t kFrame = kData.size() + kEnd.size();
  if (body.size() < kFrame || body.size() - kFrame != out->size) {
    return corrupt("the document is not of the length its header states");
  }
  if (!body.starts_with(kData) || !body.ends_with(kEnd)) {
    return corrupt("the document is not framed as a member");
  }
  const std::string_view document = body.substr(kData.size(), out->size);
  if (Checksum::of(document) != out->entry.text_checksum.value_or(out->entry.checksum)) {
    return corrupt("the document does not match its checksum");
  }
  out->entry.document = std::make_shared<const std::string>(document);
  return {};
}

[[maybe_unused]] bool is_object(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && text[begin] == '{' && !check_document(text, {});
}

}  // namespace

std::string encode_envelope(const std::string& project, const EntryId& id, const Entry& entry) {
  const bool document = entry.kind == EntryKind::document;
  assert(document == (entry.document != nullptr));
  assert(!document ||
         entry.text_checksum.value_or(entry.checksum) == Checksum::of(*entry.document));
  assert(entry.metadata.empty() || is_object(entry.metadata));
  std::string out;
  out.reserve(512 + id.key.size() + entry.metadata.size() +
              (document ? entry.document->size() : 0));
  out.append(kStart).append(std::to_string(kEnvelopeFormat));
  append_string_member("project", project, &out);
  append_string_member("dataset", id.dataset, &out);
  append_string_member("key", id.key, &out);
  append_entry_members(entry, &out);
  if (document) {
    append_number_member("size", static_cast<std::int64_t>(entry.document->size()), &out);
  }
  const std::uint64_t header_checksum = hash64(out);
  out.append(kHeaderChecksum);
  append_hex64(header_checksum, &out);
  out.append("\"\n");
  if (document) out.append(kData).append(*entry.document);
  out.append(kEnd);
  return out;
}

EnvelopeResult decode_envelope(std::string_view bytes, Envelope* out) {
  std::string_view body;
  if (auto header = read_header(bytes, out, &body); !header.ok()) return header;
  if (out->entry.kind == EntryKind::document) return read_document(body, out);
  return body == kEnd ? EnvelopeResult{} : corrupt("something follows the tombstone's header");
}

EnvelopeResult decode_envelope_header(std::string_view first_bytes, Envelope* out) {
  std::string_view body;
  return read_header(first_bytes, out, &body);
}

std::string encode_header(const Entry& entry) {
  std::string out;
  append_entry_members(entry, &out);
  out.front() = '{';  // in place of the first member's comma
  return out + '}';
}

EnvelopeResult decode_header(std::string_view json, Entry* out) {
  Envelope envelope;
  JsonReader reader(json);
  std::uint32_t seen = 0;
  const bool read = reader.expect('{', "expected an object") &&
                    read_members(reader, &envelope, &seen) &&
                    reader.expect('}', "expected ',' or '}'");
  if (!read) return unreadable(reader);
  reader.skip_space();
  if (!reader.at_end()) return corrupt("header: something follows its end");
  *out = std::move(envelope.entry);
  return check_complete(*out, seen, 0, bits(HeaderMember::checksum));
}

std::optional<std::string> metadata_fault(std::string_view text) {
  if (text.size() > kMaxMetadataBytes) {
    return "has " + counted(text.size(), "byte") + ", more than the limit of " +
           std::to_string(kMaxMetadataBytes);
  }
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "is empty; the object without members is {}";
  const auto fault = check_document(text, {.max_bytes = kMaxMetadataBytes,
                                           .refuse_nul_escape = true,
                                           .refuse_unbounded_numbers = true,
                                           .numbers_written_out = true});
  if (fault) return "is not JSON that every store can hold: " + fault->to_string();
  if (text[begin] != '{') return "is JSON, but not an object";
  return std::nullopt;
}

bool is_metadata(std::string_view text) {
  return !metadata_fault(text);
}

}  // namespace tiercache
