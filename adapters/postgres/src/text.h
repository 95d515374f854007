// Small helpers for texts, such as URLs and cursors.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tiercache::postgres {

// Returns the parts between separators, empty ones included; the whole text if there is no
// separator.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// Whether the text has a NUL byte, which no text of Postgres can have.
inline bool has_nul(std::string_view text) {
  return text.find('\0') != text.npos;
}

// Appends a byte as two lower-case hexadecimal digits.
inline void append_hex(unsigned char byte, std::string* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out->push_back(kDigits[byte >> 4]);
  out->push_back(kDigits[byte & 15]);
}

}  // namespace tiercache::postgres
