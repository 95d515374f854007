#include "base/hash.h"

#include "base/checksum_stream.h"
#include "base/hex.h"
#include "tiercache/entry.h"

namespace tiercache {
namespace {

constexpr std::string_view kLowerDigits = "0123456789abcdef";
constexpr std::string_view kUpperDigits = "0123456789ABCDEF";

}  // namespace

void append_hex64(std::uint64_t value, std::string* out) {
  char digits[kHex64Digits];
  for (std::size_t i = kHex64Digits; i-- > 0; value >>= 4) digits[i] = kLowerDigits[value & 0xF];
  out->append(digits, kHex64Digits);
}

std::optional<std::uint64_t> parse_hex64(std::string_view text) {
  if (text.size() != kHex64Digits) return std::nullopt;
  std::uint64_t value = 0;
  for (char digit : text) {
    const int nibble = hex_digit(digit);
    if (nibble < 0) return std::nullopt;
    value = value << 4 | static_cast<std::uint64_t>(nibble);
  }
  return value;
}

void append_hex8(std::uint8_t value, std::string* out, HexCase letters) {
  const std::string_view digits = letters == HexCase::lower ? kLowerDigits : kUpperDigits;
  out->push_back(digits[value >> 4]);
  out->push_back(digits[value & 0xF]);
}

int hex_digit(char digit, HexCase letters) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const char first = letters == HexCase::lower ? 'a' : 'A';
  return digit >= first && digit <= first + 5 ? digit - first + 10 : -1;
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
