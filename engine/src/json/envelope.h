// The text form of an entry: the content of an entry file, and of a row's header where a store keeps
// text. `docs/formats/entry-file.md` describes it; the golden files under tests hold it fixed.
//
//   {"tiercache":1,"project":"p","dataset":"d","key":"k","kind":"document","version":"7-1",
//    "last_fetch":1700000000000,"metadata":{},"cache_version":"1.0","checksum":"<32 hex>","size":12,
//    "header_checksum":"<16 hex>"<newline>,"data":<the document, byte for byte>}<newline>
//
// (written on two lines: the header line, then the document's). A tombstone has no "data" member.
#pragma once

#include <cstdint>
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
  corrupt,        // a checksum, the length or the syntax does not hold
  other_format,   // written by a newer format version than this library knows
};

struct EnvelopeResult {
  EnvelopeFault fault = EnvelopeFault::none;
  std::string why;  // for a person
};

std::string encode_envelope(const std::string& project, const EntryId& id, const Entry& entry);

// Reads all of it and verifies every checksum (I2). The document is not parsed again.
EnvelopeResult decode_envelope(std::string_view bytes, Envelope* out);

// Reads the header alone from the file's first bytes: `entry.document` stays null, the document's
// checksum is not verified. For rebuilding the index.
EnvelopeResult decode_envelope_header(std::string_view first_bytes, Envelope* out);
// No header is longer than this.
inline constexpr std::size_t kMaxHeaderBytes = 64 << 10;

// The entry's clocks and other header members as a JSON object, and back: for stores and the journal.
// (Everything but project, dataset, key, checksum of the header, and the document.)
std::string encode_header(const Entry& entry);
EnvelopeResult decode_header(std::string_view json, Entry* out);

// True when `text` is one JSON object: what metadata must be.
bool is_json_object(std::string_view text);

}  // namespace tiercache
