// Glob patterns over keys.
#pragma once

#include <string_view>

namespace tiercache {

// `*` matches any run of bytes (empty too), `?` one byte, `\` takes the next byte literally (at the
// pattern's end it is itself); all else itself. Time is bounded by pattern length x key length; no
// recursion, no allocation.
bool glob_matches(std::string_view pattern, std::string_view key);

}  // namespace tiercache
