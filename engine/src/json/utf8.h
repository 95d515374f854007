// UTF-8 validation of keys and names.
#pragma once

#include <string_view>

namespace tiercache {

// True for well-formed UTF-8 (no surrogates, nothing overlong); the empty text too. Thread-safe.
bool is_utf8(std::string_view text);

}  // namespace tiercache
