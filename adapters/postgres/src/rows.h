// Turns rows of cache_storage into entries, and checks them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pqxx_shim.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// The columns of every statement that returns entries. The first two mean something else in each.
enum Column : int {
  kPlace,    // the place of the write or id, from 1; in a scan the time of the update
  kOutcome,  // the outcome of the write; in a scan the row's number
  kNow,      // the server's clock
  kType,
  kKey,
  kDeleted,
  kVersion,
  kWriter,
  kChecksum,
  kStoredChecksum,
  kLastFetch,
  kLastRichFetch,
  kInvalidatedAt,
  kFreshFor,
  kCacheVersion,
  kMetadata,
  kData,
  kMore,  // only in a scan: whether there is another page
};

#define TIERCACHE_POSTGRES_ENTRY                                                                \
  "c.cache_type, c.cache_key, c.deleted, c.version, c.writer, c.checksum, c.stored_checksum, "  \
  "tiercache.ms_of_time(c.last_fetch), tiercache.ms_of_time(c.last_rich_fetch), "               \
  "tiercache.ms_of_time(c.invalidated_at), c.fresh_for_ms, c.cache_version, c.metadata::text, " \
  "c.data::text"

#define TIERCACHE_POSTGRES_NOW "tiercache.ms_of_time(clock_timestamp())"

// Return a column as a number. Throw std::runtime_error if the server has sent something else.
std::int64_t integer(const pqxx::result& result, int row, int column);
std::optional<std::int64_t> optional_integer(const pqxx::result& result, int row, int column);

// Returns the row's entry; null if the row does not match its checksum.
EntryPtr read_entry(const pqxx::result& result, int row);
// Returns the document's text unchecked; null if there is none.
std::shared_ptr<const std::string> read_text(const pqxx::result& result, int row);
EntryId read_id(const pqxx::result& result, int row);

// Returns the server's clock as of the last row, for the reply; nullopt if there are no rows.
std::optional<WallTime> read_now(const pqxx::result& result);

// Returns the same as Postgres' sha256(), in hexadecimal.
std::string sha256_of(std::string_view bytes);

}  // namespace tiercache::postgres
