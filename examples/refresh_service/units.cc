#include "refresh_service/units.h"

#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

namespace refresh_service {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kLongest = std::chrono::hours(24 * 365);

// A number followed by one of the units; `units` maps them to their size.
using Units = std::vector<std::pair<std::string_view, std::uint64_t>>;
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const Units& units) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  if (unit.empty() && number == 0) return 0;
  for (const auto& [name, size] : units) {
    if (unit == name && number <= UINT64_MAX / size) return number * size;
  }
  return std::nullopt;
}

}  // namespace

std::optional<milliseconds> parse_duration(std::string_view text) {
  static const Units kUnits = {
      {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  const auto parsed = parse_with_unit(text, kUnits);
  if (!parsed || *parsed > static_cast<std::uint64_t>(kLongest.count())) return std::nullopt;
  return milliseconds(*parsed);
}

std::optional<std::size_t> parse_size(std::string_view text) {
  static const Units kUnits = {{"", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}};
  return parse_with_unit(text, kUnits);
}

}  // namespace refresh_service
