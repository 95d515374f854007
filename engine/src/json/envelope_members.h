// The members that an entry's header consists of, one by one; `envelope.cc` puts the frame around
// them.
#pragma once

#include <cstdint>
#include <string>

#include "json/envelope.h"
#include "json/reader.h"

namespace tiercache {

// Which members were read, one bit each.
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

// Appends `,"kind":…` and all further members, except the identity (project, dataset, key) and the
// size.
void append_entry_members(const Entry& entry, std::string* out);

void append_string_member(std::string_view name, std::string_view value, std::string* out);
void append_number_member(std::string_view name, std::int64_t value, std::string* out);

// Reads `"name":value` pairs until no comma follows. Unknown members are passed over; if a name
// occurs twice the later one counts. Returns false on failure; the reader then tells why.
bool read_members(JsonReader& reader, Envelope* out, std::uint32_t* seen);

}  // namespace tiercache
