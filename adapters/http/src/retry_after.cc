#include "retry_after.h"

#include <curl/curl.h>

#include <algorithm>

namespace tiercache::http {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr seconds kLongest = std::chrono::hours(24);
constexpr std::size_t kLongestDate = 64;

bool all_digits(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// All three forms of an HTTP date have a time of day, so a text without a colon is not one.
std::optional<seconds> parse_date(const std::string& text) {
  if (text.size() > kLongestDate || text.find(':') == std::string::npos) return std::nullopt;
  const time_t time = curl_getdate(text.c_str(), nullptr);
  if (time < 0) return std::nullopt;
  return seconds(time);
}

// Stops reading before the number could overflow.
seconds read_seconds(const std::string& digits) {
  seconds::rep number = 0;
  for (const char digit : digits) {
    number = number * 10 + (digit - '0');
    if (number > kLongest.count()) return kLongest;
  }
  return seconds(number);
}

}  // namespace

std::optional<milliseconds> retry_delay(const std::string& value, const std::string& date,
                                        WallTime now) {
  std::optional<seconds> delay;
  if (all_digits(value)) {
    delay = read_seconds(value);
  } else if (const auto until = parse_date(value)) {
    const auto own = std::chrono::duration_cast<seconds>(now.time_since_epoch());
    delay = *until - parse_date(date).value_or(own);
  }
  if (!delay || delay->count() <= 0) return std::nullopt;
  return std::min(*delay, kLongest);
}

}  // namespace tiercache::http
