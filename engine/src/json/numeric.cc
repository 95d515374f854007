#include <algorithm>
#include <charconv>
#include <cstdint>

#include "json/scan.h"

namespace tiercache {
namespace {

constexpr std::int64_t kMaxDigitsBefore = 131'072;
constexpr std::int64_t kMaxDigitsAfter = 16'383;
// Postgres refuses an exponent this large even on a zero.
constexpr std::int64_t kExponentEnd = INT32_MAX / 2;

std::int64_t read_exponent(std::string_view digits) {
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t exponent = 0;
  const auto [stop, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  if (error != std::errc()) exponent = kExponentEnd;
  exponent = std::min(exponent, kExponentEnd);
  return negative ? -exponent : exponent;
}

// Where the digits of a number lie once its exponent has moved the point.
struct Layout {
  bool negative = false;
  bool extreme = false;  // the exponent itself is too large
  // Digits from the first significant one to the point, and places after it. Zero or less where
  // there are none.
  std::int64_t before = 0;
  std::int64_t after = 0;
};

Layout layout_of(std::string_view number) {
  Layout layout;
  layout.negative = number.starts_with('-');
  if (layout.negative) number.remove_prefix(1);
  std::int64_t exponent = 0;
  if (const auto e = number.find_first_of("eE"); e != std::string_view::npos) {
    exponent = read_exponent(number.substr(e + 1));
    number = number.substr(0, e);
  }
  layout.extreme = exponent >= kExponentEnd || exponent <= -kExponentEnd;
  const std::size_t point = std::min(number.find('.'), number.size());
  const std::int64_t decimals =
      point == number.size() ? 0 : static_cast<std::int64_t>(number.size() - point - 1);
  layout.after = decimals - exponent;
  const std::size_t first = number.find_first_not_of("0.");
  if (first == std::string_view::npos) return layout;  // zero
  const std::int64_t before = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  layout.before = before + (first > point ? 1 : 0) + exponent;
  return layout;
}

}  // namespace

bool fits_numeric(std::string_view number) {
  const Layout layout = layout_of(number);
  return !layout.extreme && layout.after <= kMaxDigitsAfter && layout.before <= kMaxDigitsBefore;
}

std::uint64_t bytes_written_out(std::string_view number) {
  const Layout layout = layout_of(number);
  const std::int64_t before = std::max<std::int64_t>(layout.before, 1);  // "0.5"
  const std::int64_t after = layout.after > 0 ? 1 + layout.after : 0;
  return static_cast<std::uint64_t>((layout.negative ? 1 : 0) + before + after);
}

}  // namespace tiercache
