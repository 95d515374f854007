// Parameters of statements as text: arrays, and globs as patterns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tiercache::postgres {

// An array that grows by `add`. The elements may hold anything but NUL bytes.
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

// Turns a glob (tiercache/glob.h) into a pattern of LIKE over bytes, written as bytea. What means
// something to LIKE but not in a glob is escaped.
std::string like_pattern(std::string_view glob);

// A range of keys in byte order: those from `from` on that are below `below`, or all of those if
// `below` is empty.
struct KeyRange {
  std::string from;
  std::string below;
};
// Returns a range that holds every key that the glob matches: those that begin with the glob's
// plain ASCII beginning.
KeyRange keys_matched(std::string_view glob);

}  // namespace tiercache::postgres
