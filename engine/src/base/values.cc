// How versions and clocks are written, read and merged.
#include <algorithm>
#include <charconv>

#include "tiercache/entry.h"
#include "tiercache/version.h"

namespace tiercache {
namespace {

// Decimal without sign or leading zeros, within `Number`.
template <class Number>
std::optional<Number> parse_decimal(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  Number value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

void take_later(std::optional<WallTime>* mine, const std::optional<WallTime>& other) {
  *mine = std::max(*mine, other);  // absent orders before every time
}

}  // namespace

std::string Version::to_string() const {
  return std::to_string(time) + '-' + std::to_string(writer);
}

std::optional<Version> Version::parse(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto time = parse_decimal<std::uint64_t>(text.substr(0, dash));
  const auto writer = parse_decimal<std::uint32_t>(text.substr(dash + 1));
  if (!time || !writer) return std::nullopt;
  return Version{*time, *writer};
}

void Clocks::merge(const Clocks& other) {
  take_later(&last_fetch, other.last_fetch);
  take_later(&last_rich_fetch, other.last_rich_fetch);
  take_later(&invalidated_at, other.invalidated_at);
}

}  // namespace tiercache
