// The exact check of one JSON value: slower than simdjson, but it says what is wrong and where, and
// it takes every number that JSON allows.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "json/document.h"
#include "json/reader.h"

namespace tiercache {

// Reads the one value that starts at `reader`'s next token and leaves the reader behind it. False
// when it breaks JSON or `rules` (all but `max_bytes`); the reader then tells why and where.
// Nesting takes heap, never stack.
bool scan_value(JsonReader& reader, const DocumentRules& rules);

// `check_document` by definition: what that accepts by its fast path this accepts too.
std::optional<DocumentFault> scan_document(std::string_view text, const DocumentRules& rules);

// True when Postgres' numeric (and so jsonb) holds `number`, a JSON number: up to 131,072 digits
// before the point and 16,383 after it.
bool fits_numeric(std::string_view number);

// The bytes of `number`, a JSON number, written without an exponent, as numeric is: 7 for 1e6, 6
// for 1.5e-3, all places kept that it has. At most 3 GiB, whatever the exponent.
std::uint64_t bytes_written_out(std::string_view number);

}  // namespace tiercache
