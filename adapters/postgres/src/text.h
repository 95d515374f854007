// Texts cut and looked at: URLs, cursors, what Postgres cannot hold.
#pragma once

#include <string_view>
#include <vector>

namespace tiercache::postgres {

// The parts between separators, empty ones included; one part where there is no separator.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// A text of Postgres cannot.
inline bool has_nul(std::string_view text) {
  return text.find('\0') != text.npos;
}

}  // namespace tiercache::postgres
