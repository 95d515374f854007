// Glob patterns over keys, as `erase_matching` takes them.
#pragma once

#include <string_view>

namespace tiercache {

// `*` matches any run of bytes (empty too), `?` one byte, `\` takes the next byte literally (at the
// end of the pattern: itself); all else itself. There are no character classes. Every tier and
// every store must agree on this. Time is bounded by pattern length x key length; no recursion.
// Thread-safe.
bool glob_matches(std::string_view pattern, std::string_view key);

}  // namespace tiercache
