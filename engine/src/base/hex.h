// Hexadecimal of fixed width: every hash that a file or a store shows, and escaped bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tiercache {

inline constexpr std::size_t kHex64Digits = 16;

// Hashes are written in lower case; percent-encoding takes upper case (RFC 3986).
enum class HexCase : std::uint8_t { lower, upper };

// Appends 16 lower-case digits.
void append_hex64(std::uint64_t value, std::string* out);
// Reads exactly 16 lower-case digits; nullopt for anything else.
std::optional<std::uint64_t> parse_hex64(std::string_view text);

// Appends a byte as two digits.
void append_hex8(std::uint8_t value, std::string* out, HexCase letters = HexCase::lower);
// The value of one digit; -1 for anything else, letters of the other case included.
int hex_digit(char digit, HexCase letters = HexCase::lower);

}  // namespace tiercache
