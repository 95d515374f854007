// Little-endian numbers and length-prefixed strings: what the journal's formats are made of.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tiercache {

template <std::unsigned_integral T>
void put_number(std::string* out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out->push_back(static_cast<char>(static_cast<unsigned char>(value >> (8 * i))));
  }
}

// `bytes` holds at least sizeof(T) bytes.
template <std::unsigned_integral T>
T get_number(std::string_view bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i));
  }
  return value;
}

inline void put_string(std::string* out, std::string_view text) {
  put_number(out, static_cast<std::uint32_t>(text.size()));
  out->append(text);
}

// Takes values off the front of borrowed bytes. Once something did not fit, it and all that follows
// reads as zero or empty and `ok()` is false, so that callers check once at the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T number() {
    return get_number<T>(take(sizeof(T), std::string_view("\0\0\0\0\0\0\0\0", 8)));
  }
  std::string_view text() { return take(number<std::uint32_t>(), {}); }

  bool ok() const { return ok_; }
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
