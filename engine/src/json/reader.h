// Reads JSON token by token, strictly (RFC 8259), and knows where it is. For entry headers, and for
// documents that must be judged exactly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tiercache {

// ASCII digits only, whatever the locale.
inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Borrows `text`, which must outlive it. The first failure sticks; `why()` and `fault_offset()`
// tell it. Not thread-safe.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  std::size_t size() const { return text_.size(); }
  std::size_t offset() const { return at_; }
  bool at_end() const { return at_ == text_.size(); }
  // The next byte; 0 at the end, which is safe because no token starts with a NUL byte.
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  std::string_view since(std::size_t begin) const { return text_.substr(begin, at_ - begin); }

  void skip_space();
  // Takes the next byte if it is `c`.
  bool take(char c);
  // Skips white space, then takes `c` or fails with `why`.
  bool expect(char c, const char* why);

  // Each of these reads one token that starts at the next byte, and returns false if it failed.

  // Appends the unescaped text to `*out`, unless that is null.
  bool read_string(std::string* out);
  bool read_number(std::string_view* token);
  // Reads a number without fraction and exponent that fits into `*out`.
  bool read_integer(std::int64_t* out);
  // Passes over true, false or null.
  bool skip_literal();

  // Always returns false, for `return fail(…)`.
  bool fail(std::string why) { return fail(std::move(why), at_); }
  bool fail(std::string why, std::size_t offset);
  bool failed() const { return failed_; }
  const std::string& why() const { return why_; }
  std::size_t fault_offset() const { return fault_offset_; }

  // Where the last string that was read has its first \u0000; `kNowhere` if it has none.
  static constexpr std::size_t kNowhere = SIZE_MAX;
  std::size_t nul_escape_at() const { return nul_escape_at_; }

 private:
  // Takes everything as it is, up to a quote, an escape or a byte that is not allowed.
  void read_plain(std::string* out);
  bool read_escape(std::string* out);
  bool read_unicode_escape(std::string* out);
  bool read_hex4(std::uint32_t* out);
  bool read_multibyte(std::string* out);
  bool skip_digits(const char* why);

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t nul_escape_at_ = kNowhere;
  bool failed_ = false;
  std::string why_;
  std::size_t fault_offset_ = 0;
};

// Appends `text`, which must be UTF-8, as a JSON string with its quotes.
void append_json_string(std::string_view text, std::string* out);

}  // namespace tiercache
