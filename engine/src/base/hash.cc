#include "base/hash.h"

#include "base/checksum_stream.h"
#include "base/hex.h"
#include "tiercache/entry.h"

namespace tiercache {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

}  // namespace

void append_hex64(std::uint64_t value, std::string* out) {
  char digits[kHex64Digits];
  for (std::size_t i = kHex64Digits; i-- > 0; value >>= 4) digits[i] = kHexDigits[value & 0xF];
  out->append(digits, kHex64Digits);
}

std::optional<std::uint64_t> parse_hex64(std::string_view text) {
  if (text.size() != kHex64Digits) return std::nullopt;
  std::uint64_t value = 0;
  for (char digit : text) {
    const int nibble = hex_value(digit);
    if (nibble < 0) return std::nullopt;
    value = value << 4 | static_cast<std::uint64_t>(nibble);
  }
  return value;
}

Checksum Checksum::of(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

struct ChecksumStream::State {
  XXH3_state_t xxh3;
};

ChecksumStream::ChecksumStream() : state_(std::make_unique<State>()) {
  XXH3_128bits_reset(&state_->xxh3);
}

ChecksumStream::~ChecksumStream() = default;

void ChecksumStream::add(std::string_view bytes) {
  XXH3_128bits_update(&state_->xxh3, bytes.data(), bytes.size());
}

Checksum ChecksumStream::sum() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh3);
  return {hash.high64, hash.low64};
}

std::string Checksum::to_string() const {
  std::string text;
  text.reserve(2 * kHex64Digits);
  append_hex64(high, &text);
  append_hex64(low, &text);
  return text;
}

std::optional<Checksum> Checksum::parse(std::string_view text) {
  if (text.size() != 2 * kHex64Digits) return std::nullopt;
  const auto high = parse_hex64(text.substr(0, kHex64Digits));
  const auto low = parse_hex64(text.substr(kHex64Digits));
  if (!high || !low) return std::nullopt;
  return Checksum{*high, *low};
}

}  // namespace tiercache
