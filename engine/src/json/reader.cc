#include "json/reader.h"

#include <array>
#include <charconv>
#include <utility>

#include "base/hex.h"

namespace tiercache {
namespace {

// The bytes that stand for themselves in a string: ASCII without control characters, quote and
// backslash.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (unsigned c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

bool is_plain(char c) {
  return kPlain[static_cast<unsigned char>(c)];
}

// JSON takes hexadecimal digits of both cases.
int any_hex_digit(char c) {
  const int lower = hex_digit(c, HexCase::lower);
  return lower >= 0 ? lower : hex_digit(c, HexCase::upper);
}

// The length of the sequence of two and more bytes that `text` starts with; 0 if it starts with
// none that is well-formed (Unicode 15, table 3-7).
std::size_t multibyte_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  const std::size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                             : lead >= 0xE0 && lead <= 0xEF ? 3
                             : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                            : 0;
  if (length == 0 || length > text.size()) return 0;
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

void append_utf8(std::uint32_t code, std::string* out) {
  const auto add = [out](std::uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  const auto add_tail = [&](int shift) { add(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    add(0xE0 | code >> 12);
    add_tail(6);
  } else {
    add(0xF0 | code >> 18);
    add_tail(12);
    add_tail(6);
  }
  add_tail(0);
}

bool is_high_surrogate(std::uint32_t code) {
  return code >= 0xD800 && code <= 0xDBFF;
}
bool is_low_surrogate(std::uint32_t code) {
  return code >= 0xDC00 && code <= 0xDFFF;
}

// What the letter after a backslash stands for; 0 if it stands for nothing.
char escaped(char letter) {
  switch (letter) {
    case '"':
    case '\\':
    case '/':
      return letter;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return 0;
  }
}

void append_escaped(char c, std::string* out) {
  constexpr std::string_view kLetters = "\"\\bfnrt";
  for (char letter : kLetters) {
    if (escaped(letter) != c) continue;
    out->push_back('\\');
    out->push_back(letter);
    return;
  }
  out->append("\\u00");
  append_hex8(static_cast<std::uint8_t>(c), out);
}

}  // namespace

bool JsonReader::fail(std::string why, std::size_t offset) {
  if (!failed_) {
    failed_ = true;
    why_ = std::move(why);
    fault_offset_ = offset;
  }
  return false;
}

void JsonReader::skip_space() {
  while (!at_end() &&
         (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
    ++at_;
  }
}

bool JsonReader::take(char c) {
  if (at_end() || text_[at_] != c) return false;
  ++at_;
  return true;
}

bool JsonReader::expect(char c, const char* why) {
  skip_space();
  return take(c) || fail(at_end() ? "the document ends too early" : why);
}

bool JsonReader::read_string(std::string* out) {
  const std::size_t begin = at_;
  nul_escape_at_ = kNowhere;
  if (!take('"')) return fail("expected a string");
  while (true) {
    read_plain(out);
    if (at_end()) return fail("a string has no end", begin);
    if (take('"')) return true;
    if (text_[at_] == '\\') {
      if (!read_escape(out)) return false;
    } else if (static_cast<unsigned char>(text_[at_]) < 0x20) {
      return fail("a control character in a string must be escaped");
    } else if (!read_multibyte(out)) {
      return false;
    }
  }
}

void JsonReader::read_plain(std::string* out) {
  const std::size_t begin = at_;
  while (at_ < text_.size() && is_plain(text_[at_])) ++at_;
  if (out != nullptr) out->append(since(begin));
}

bool JsonReader::read_multibyte(std::string* out) {
  const std::size_t length = multibyte_length(text_.substr(at_));
  if (length == 0) return fail("not UTF-8");
  if (out != nullptr) out->append(text_.substr(at_, length));
  at_ += length;
  return true;
}

bool JsonReader::read_escape(std::string* out) {
  if (at_ + 1 < text_.size() && text_[at_ + 1] == 'u') return read_unicode_escape(out);
  const char meaning = at_ + 1 < text_.size() ? escaped(text_[at_ + 1]) : '\0';
  if (meaning == 0) return fail("an escape that JSON does not know");
  if (out != nullptr) out->push_back(meaning);
  at_ += 2;
  return true;
}

bool JsonReader::read_unicode_escape(std::string* out) {
  const std::size_t begin = at_;
  std::uint32_t code = 0;
  if (!read_hex4(&code)) return false;
  if (is_low_surrogate(code)) return fail("a low surrogate without a high one before it", begin);
  if (is_high_surrogate(code)) {
    std::uint32_t low = 0;
    constexpr const char* kLone = "a high surrogate without a low one after it";
    if (text_.substr(at_, 2) != "\\u") return fail(kLone, begin);
    if (!read_hex4(&low)) return false;
    if (!is_low_surrogate(low)) return fail(kLone, begin);
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  if (code == 0 && nul_escape_at_ == kNowhere) nul_escape_at_ = begin;
  if (out != nullptr) append_utf8(code, out);
  return true;
}

// Called with the reader on the backslash of \uXXXX.
bool JsonReader::read_hex4(std::uint32_t* out) {
  std::uint32_t code = 0;
  for (std::size_t i = at_ + 2; i < at_ + 6; ++i) {
    const int digit = i < text_.size() ? any_hex_digit(text_[i]) : -1;
    if (digit < 0) return fail("\\u needs four hexadecimal digits");
    code = code << 4 | static_cast<std::uint32_t>(digit);
  }
  at_ += 6;
  *out = code;
  return true;
}

bool JsonReader::skip_digits(const char* why) {
  const std::size_t begin = at_;
  while (!at_end() && is_digit(text_[at_])) ++at_;
  return at_ > begin || fail(why);
}

bool JsonReader::read_number(std::string_view* token) {
  const std::size_t begin = at_;
  take('-');
  const bool leading_zero = peek() == '0';
  const std::size_t digits_begin = at_;
  if (!skip_digits("a number needs a digit here")) return false;
  if (leading_zero && at_ > digits_begin + 1) {
    return fail("a number may not start with a zero", digits_begin);
  }
  if (take('.') && !skip_digits("a number needs a digit after its point")) return false;
  if (take('e') || take('E')) {
    if (!take('+')) take('-');
    if (!skip_digits("a number needs a digit in its exponent")) return false;
  }
  *token = since(begin);
  return true;
}

bool JsonReader::read_integer(std::int64_t* out) {
  const std::size_t begin = at_;
  std::string_view token;
  if (!read_number(&token)) return false;
  const char* end = token.data() + token.size();
  const auto [stop, error] = std::from_chars(token.data(), end, *out);
  return (error == std::errc() && stop == end) || fail("not a 64-bit integer", begin);
}

bool JsonReader::skip_literal() {
  for (std::string_view literal : {"true", "false", "null"}) {
    if (text_.substr(at_, literal.size()) == literal) {
      at_ += literal.size();
      return true;
    }
  }
  return fail("expected a value");
}

void append_json_string(std::string_view text, std::string* out) {
  out->push_back('"');
  for (char c : text) {
    if (is_plain(c) || static_cast<unsigned char>(c) >= 0x80) {
      out->push_back(c);
    } else {
      append_escaped(c, out);
    }
  }
  out->push_back('"');
}

}  // namespace tiercache
