// The members that an entry's header consists of, one by one. `envelope.cc` frames them.
#pragma once

#include <cstdint>
#include <string>

#include "json/envelope.h"
#include "json/reader.h"

namespace tiercache {

// Which members were read, as bits.
enum class HeaderMember : std::uint32_t {
  project = 1 << 0,
  dataset = 1 << 1,
  key = 1 << 2,
  kind = 1 << 3,
  version = 1 << 4,
  metadata = 1 << 5,
  cache_version = 1 << 6,
  checksum = 1 << 7,
  size = 1 << 8,
  text_checksum = 1 << 9,
};

constexpr std::uint32_t bits(HeaderMember member) {
  return static_cast<std::uint32_t>(member);
}

// Appends `,"kind":…` and the rest but the identity (project, dataset, key) and the size.
void append_entry_members(const Entry& entry, std::string* out);

void append_string_member(std::string_view name, std::string_view value, std::string* out);
void append_number_member(std::string_view name, std::int64_t value, std::string* out);

// Reads `"name":value` pairs up to where no comma follows. Unknown ones are passed over; of two
// with one name the later counts. False: the reader tells why.
bool read_members(JsonReader& reader, Envelope* out, std::uint32_t* seen);

}  // namespace tiercache
