// The exact check of one JSON value. It is slower than simdjson, but it says what is wrong and
// where, and it accepts every number that JSON allows.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "json/document.h"
#include "json/reader.h"

namespace tiercache {

// Reads the value that starts at the reader's next token, and leaves the reader behind it. Returns
// false when the value breaks JSON or `rules` (except `max_bytes`); the reader then tells why and
// where. Nesting takes memory on the heap, never on the stack.
bool scan_value(JsonReader& reader, const DocumentRules& rules);

// Defines what `check_document` accepts: whatever its fast path accepts, this accepts too.
std::optional<DocumentFault> scan_document(std::string_view text, const DocumentRules& rules);

// True if Postgres' numeric, and so jsonb, can hold `number`, a JSON number: it takes up to 131,072
// digits before the point and 16,383 after it.
bool fits_numeric(std::string_view number);

// How many bytes `number`, a JSON number, takes without an exponent, as numeric is written: 7 for
// 1e6, 6 for 1.5e-3, with all the places that it has. At most 3 GiB, whatever the exponent.
std::uint64_t bytes_written_out(std::string_view number);

}  // namespace tiercache
