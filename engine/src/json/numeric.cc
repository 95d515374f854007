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

}  // namespace

bool fits_numeric(std::string_view number) {
  if (number.starts_with('-')) number.remove_prefix(1);
  std::int64_t exponent = 0;
  if (const auto e = number.find_first_of("eE"); e != std::string_view::npos) {
    exponent = read_exponent(number.substr(e + 1));
    number = number.substr(0, e);
  }
  if (exponent >= kExponentEnd || exponent <= -kExponentEnd) return false;
  const std::size_t point = std::min(number.find('.'), number.size());
  const std::int64_t decimals =
      point == number.size() ? 0 : static_cast<std::int64_t>(number.size() - point - 1);
  if (decimals - exponent > kMaxDigitsAfter) return false;
  const std::size_t first = number.find_first_not_of("0.");
  if (first == std::string_view::npos) return true;
  // Digits from the first that counts to the point, negative when that lies behind the point.
  const std::int64_t before = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  return before + (first > point ? 1 : 0) + exponent <= kMaxDigitsBefore;
}

}  // namespace tiercache
