// Arrays as text, as Postgres reads them from a parameter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tiercache::postgres {

// One array that grows by `add`. The elements are data whatever they hold, but for NUL bytes.
class Array {
 public:
  void add(std::string_view text);
  void add(const std::string& text) { add(std::string_view(text)); }
  void add(bool value) { add_bare(value ? "t" : "f"); }
  void add(std::int64_t value) { add_bare(std::to_string(value)); }

  std::string take() && { return std::move(text_ += '}'); }

 private:
  void add_bare(std::string_view text);
  void separate();

  std::string text_ = "{";
};

// A glob (tiercache/glob.h) as a pattern of LIKE over bytes, written as bytea: what has a meaning
// in LIKE and none in a glob is escaped.
std::string like_pattern(std::string_view glob);

// Keys in byte order, from one on and below another; empty `below`: to the end.
struct KeyRange {
  std::string from;
  std::string below;
};
// Holds every key that the glob matches, and no more than have its beginning in common where that
// is plain ASCII.
KeyRange keys_matched(std::string_view glob);

}  // namespace tiercache::postgres
