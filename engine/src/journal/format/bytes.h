// Little-endian numbers and length-prefixed strings, of which the journal's formats are made.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tiercache {

// Appends the number, little-endian.
template <std::unsigned_integral T>
void put_number(std::string* out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out->push_back(static_cast<char>(static_cast<unsigned char>(value >> (8 * i))));
  }
}

// The number at the start of `bytes`, which must have at least sizeof(T) of them.
template <std::unsigned_integral T>
T get_number(std::string_view bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i));
  }
  return value;
}

// Appends the length in four bytes, and then the text.
inline void put_string(std::string* out, std::string_view text) {
  put_number(out, static_cast<std::uint32_t>(text.size()));
  out->append(text);
}

// Takes values off the front of borrowed bytes. Once a value does not fit into what is left, it and
// all later ones read as zero or empty and `ok()` stays false, so that callers need to check only
// once, at the end. Not thread-safe.
class ByteReader {
 public:
  // `bytes` must outlive the reader and the texts that it returns.
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T number() {
    return get_number<T>(take(sizeof(T), std::string_view("\0\0\0\0\0\0\0\0", 8)));
  }
  std::string_view text() { return take(number<std::uint32_t>(), {}); }

  bool ok() const { return ok_; }
  // True if everything has fitted and nothing is left over.
  bool at_end() const { return ok_ && rest_.empty(); }

 private:
  std::string_view take(std::size_t size, std::string_view otherwise) {
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      return otherwise;
    }
    std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace tiercache
