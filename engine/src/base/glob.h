// Glob patterns over keys.
#pragma once

#include <string_view>

namespace tiercache {

// `*` matches any run of bytes (empty too), `?` one byte, `\` takes the next byte literally; all else
// itself. Time is bounded by pattern length x key length; no recursion.
bool glob_matches(std::string_view pattern, std::string_view key);

}  // namespace tiercache
