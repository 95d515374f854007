// What HTTP sources read of other people's text: the first line is a URL template, a JSON pointer
// and a Retry-After, the rest a key, a document and a Date.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "expect.h"
#include "retry_after.h"
#include "select.h"
#include "url.h"

namespace tiercache::http {
namespace {

std::size_t segments_of(std::string_view url) {
  const auto path = url.substr(0, url.find('?'));
  std::size_t segments = 0;
  for (const char c : path) segments += c == '/';
  return segments;
}

std::size_t count(std::string_view text, char wanted) {
  std::size_t times = 0;
  for (const char c : text) times += c == wanted;
  return times;
}

// Whatever the key, the URL has the origin, the segments and the parameters of any other key (I12).
void check_template(const std::string& text, const std::string& key) {
  const UrlTemplate url(text);
  const auto plain = url.expand("k");
  const auto odd = url.expand(key);
  if (!plain || !odd || !url.has_key()) return;
  const auto plain_target = parse_target(*plain);
  const auto odd_target = parse_target(*odd);
  TIERCACHE_FUZZ_EXPECT(plain_target && odd_target);
  TIERCACHE_FUZZ_EXPECT(plain_target->origin == url.origin() && odd_target->origin == url.origin());
  TIERCACHE_FUZZ_EXPECT(segments_of(odd_target->url) == segments_of(plain_target->url));
  for (const char c : {'?', '&', '=', '#', ';'}) {
    TIERCACHE_FUZZ_EXPECT(count(*odd, c) == count(*plain, c));
  }
}

// "secret" stands where it must not be seen.
void check_shown(const std::string& text) {
  const std::string shown = shown_url("https://user:se\x01ret@" + text);
  TIERCACHE_FUZZ_EXPECT(shown.find("se\x01ret@") == std::string::npos ||
                        text.find('@') != text.npos);
  const std::string query = shown_url("https://h.example/?v=se\x01ret&" + text);
  TIERCACHE_FUZZ_EXPECT(query.starts_with("https://h.example/?v=…&"));
}

// A part of a document is found in itself by the empty pointer, and lies within the document.
void check_pointer(const std::string& text, const std::string& document) {
  const auto part = JsonPointer(text).find_in(document);
  if (part) TIERCACHE_FUZZ_EXPECT(document.find(*part) != std::string::npos);
}

void check_delay(const std::string& value, const std::string& date) {
  const auto delay = retry_delay(value, date, WallTime{std::chrono::seconds(1'700'000'000)});
  TIERCACHE_FUZZ_EXPECT(!delay || (delay->count() > 0 && *delay <= std::chrono::hours(24)));
}

}  // namespace
}  // namespace tiercache::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tiercache::http;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(bytes.find('\n'), bytes.size());
  const std::string first = bytes.substr(0, line);
  const std::string rest = bytes.substr(std::min(line + 1, bytes.size()));
  try {
    check_template(first, rest);
  } catch (const std::invalid_argument&) {
  }
  try {
    check_template("https://h.example/" + first, rest);
  } catch (const std::invalid_argument&) {
  }
  try {
    check_pointer(first, rest);
  } catch (const std::runtime_error&) {
  } catch (const std::invalid_argument&) {
  }
  check_shown(first);
  check_delay(first, rest);
  return 0;
}
