// Glob patterns over keys, as `erase_matching` takes them.
#pragma once

#include <string_view>

namespace tiercache {

// Returns whether the pattern matches the whole key. `*` matches any run of bytes, even an empty
// one, `?` matches one byte, `\` takes the next byte literally (and stands for itself at the end of
// the pattern), and every other byte matches itself. There are no character classes. Every tier and
// every store must agree on this. Takes time proportional to pattern length times key length at
// most. Thread-safe.
bool glob_matches(std::string_view pattern, std::string_view key);

}  // namespace tiercache
