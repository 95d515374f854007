// Fixed-width hexadecimal, the form of every hash that a file or a store shows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tiercache {

inline constexpr std::size_t kHex64Digits = 16;

// Appends 16 lower-case digits.
void append_hex64(std::uint64_t value, std::string* out);
// Reads exactly 16 lower-case digits; nullopt for anything else.
std::optional<std::uint64_t> parse_hex64(std::string_view text);

}  // namespace tiercache
