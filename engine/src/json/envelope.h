// The text form of an entry: the content of an entry file, and of a row's header in a store that
// keeps text. `docs/formats/entry-file.md` describes it; the golden files under tests hold it
// fixed. It has two lines, the header's and the document's; here the first one is broken up:
//
//   {"tiercache":1,"project":"p","dataset":"d","key":"k","kind":"document","version":"7-1",
//     "last_fetch":1700000000000,"metadata":{},"cache_version":"1.0","checksum":"<32 hex>",
//     "size":12,"header_checksum":"<16 hex>"<newline>
//   ,"data":<the document, byte for byte>}<newline>
//
// A tombstone has no members "checksum", "size" and "data"; a clock or lifetime that is absent has
// none either. Members that this library does not know are passed over, so that a later one may add
// some.
//
// All functions are thread-safe and keep nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tiercache/entry.h"

namespace tiercache {

struct Envelope {
  std::string project;
  EntryId id;
  Entry entry;
  std::uint64_t size = 0;  // bytes of the document
};

enum class EnvelopeFault : std::uint8_t {
  none,
  corrupt,       // a checksum, the length or the syntax does not hold
  other_format,  // written by a newer format version than this library knows
};

struct EnvelopeResult {
  EnvelopeFault fault = EnvelopeFault::none;
  std::string why;  // for a person; never shows the document or the metadata

  bool ok() const { return fault == EnvelopeFault::none; }
};

// The format number written, and the only one read.
inline constexpr std::uint64_t kEnvelopeFormat = 1;
// The largest size of a header line, its newline included.
inline constexpr std::size_t kMaxHeaderBytes = 64 << 10;
// The largest size of metadata whose numbers are written out, as a store may return them. Names and
// keys have up to 5 KiB together, six times that when escaped, so every header stays within its own
// limit.
inline constexpr std::size_t kMaxMetadataBytes = 32 << 10;

// Names, key and cache version must be UTF-8, the metadata something that `is_metadata` accepts
// (empty counts as {}), and the checksum that of the document. Line breaks in the metadata become
// spaces.
std::string encode_envelope(const std::string& project, const EntryId& id, const Entry& entry);

// Reads everything and verifies every checksum (I2). The document is not parsed again. `*out` is
// meaningless unless the result is ok.
EnvelopeResult decode_envelope(std::string_view bytes, Envelope* out);

// Reads only the header, from the file's first bytes, of which `kMaxHeaderBytes` are always enough.
// `entry.document` stays null, and the document's checksum is not verified. Used for rebuilding the
// index.
EnvelopeResult decode_envelope_header(std::string_view first_bytes, Envelope* out);

// The entry's clocks and other header members as a JSON object, and back, for stores and the
// journal: everything but project, dataset, key, size, the header's checksum, and the document. The
// object has no checksum of its own; whoever holds it vouches for the bytes. Reading accepts
// members in any order and with white space between them, as jsonb returns them.
std::string encode_header(const Entry& entry);
EnvelopeResult decode_header(std::string_view json, Entry* out);

// Why `text` cannot be metadata, worded to follow "its metadata ": "is JSON, but not an object".
// Nullopt if it is one JSON object of at most `kMaxMetadataBytes` that every store can hold.
std::optional<std::string> metadata_fault(std::string_view text);
bool is_metadata(std::string_view text);

}  // namespace tiercache
