#include "arrays.h"

#include <algorithm>
#include <utility>

#include "text.h"

namespace tiercache::postgres {

void Array::separate() {
  if (text_.size() > 1) text_ += ',';
}

void Array::add_bare(std::string_view text) {
  separate();
  text_ += text;
}

// Documents are most of what is sent, so what has no quote and no backslash is copied in one piece.
void Array::add(std::string_view text) {
  separate();
  text_ += '"';
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find_first_of("\"\\"), text.size());
    text_ += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    text_ += '\\';
    text_ += text.front();
    text.remove_prefix(1);
  }
  text_ += '"';
}

std::string like_pattern(std::string_view glob) {
  std::string pattern;
  for (std::size_t i = 0; i < glob.size(); ++i) {
    if (glob[i] == '*') {
      if (!pattern.ends_with('%') || pattern.ends_with("\\%")) pattern += '%';
      continue;
    }
    if (glob[i] == '?') {
      pattern += '_';
      continue;
    }
    if (glob[i] == '\\' && i + 1 < glob.size()) ++i;
    pattern += '\\';
    pattern += glob[i];
  }
  std::string bytea = "\\x";
  for (const char c : pattern) append_hex(static_cast<unsigned char>(c), &bytea);
  return bytea;
}

KeyRange keys_matched(std::string_view glob) {
  std::string prefix;
  for (std::size_t i = 0; i < glob.size(); ++i) {
    if (glob[i] == '*' || glob[i] == '?') break;
    if (glob[i] == '\\' && i + 1 < glob.size()) ++i;
    if (glob[i] < ' ' || glob[i] > '~') break;
    prefix += glob[i];
  }
  if (prefix.empty()) return {};
  std::string below = prefix;
  ++below.back();
  return {std::move(prefix), std::move(below)};
}

}  // namespace tiercache::postgres
