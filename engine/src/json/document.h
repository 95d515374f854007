// Checks documents before they are accepted. Each is checked once, at `put`.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tiercache {

// What a document may be. The store's own limits are merged in by the cache.
struct DocumentRules {
  std::size_t max_bytes = 16 << 20;
  std::size_t max_depth = 256;            // nested arrays and objects
  bool refuse_nul_escape = false;         // "\u0000" anywhere in a string or member name
  bool refuse_unbounded_numbers = false;  // outside Postgres' numeric
  bool numbers_written_out = false;       // `max_bytes` counts numbers as they are written out
};

// Why a document is not acceptable, and where.
struct DocumentFault {
  std::string why;         // for a person: "duplicate member \"id\"", …
  std::size_t offset = 0;  // in bytes from the start
  std::size_t line = 1;    // from 1
  std::size_t column = 1;  // from 1, in bytes
  // "duplicate member \"id\" at line 3, column 5 (byte 42)"
  std::string to_string() const;
};

// Returns nullopt if `text` is exactly one well-formed UTF-8 JSON value (RFC 8259) within the
// rules, and no object in it has two members of one name, compared after unescaping. Thread-safe.
std::optional<DocumentFault> check_document(std::string_view text, const DocumentRules& rules);

}  // namespace tiercache
