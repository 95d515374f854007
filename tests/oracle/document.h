// Documents that tell which write they come from, so that wrong bytes are noticed whoever serves
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tiercache::testing {

// The document of write `number` of `key`: always the same bytes. Most are some 100 bytes, few as
// much as 24 KiB.
std::string make_document(std::string_view key, std::uint64_t number);

// The number of such a document of this key; nullopt unless every byte is right.
std::optional<std::uint64_t> read_document(std::string_view key, std::string_view document);

}  // namespace tiercache::testing
