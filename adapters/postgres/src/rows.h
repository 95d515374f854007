// Rows of cache_storage as entries, checked when read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pqxx_shim.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// The columns of every statement that answers entries: what stands before them differs.
enum Column : int {
  kPlace,    // of the write or the id, from 1; in a scan the time of the update
  kOutcome,  // of the write; in a scan the row's number
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
  kMore,  // of a scan alone
};

#define TIERCACHE_POSTGRES_ENTRY                                                                \
  "c.cache_type, c.cache_key, c.deleted, c.version, c.writer, c.checksum, c.stored_checksum, "  \
  "tiercache.ms_of_time(c.last_fetch), tiercache.ms_of_time(c.last_rich_fetch), "               \
  "tiercache.ms_of_time(c.invalidated_at), c.fresh_for_ms, c.cache_version, c.metadata::text, " \
  "c.data::text"

#define TIERCACHE_POSTGRES_NOW "tiercache.ms_of_time(clock_timestamp())"

std::int64_t integer(const pqxx::result& result, int row, int column);
std::optional<std::int64_t> optional_integer(const pqxx::result& result, int row, int column);

// Null when the row fails its checksum.
EntryPtr read_entry(const pqxx::result& result, int row);
// The document's text as it is, checked or not; null where there is none.
std::shared_ptr<const std::string> read_text(const pqxx::result& result, int row);
EntryId read_id(const pqxx::result& result, int row);

// The server's clock as of the last row, for the reply.
std::optional<WallTime> read_now(const pqxx::result& result);

// What Postgres' sha256() gives, in hexadecimal.
std::string sha256_of(std::string_view bytes);

}  // namespace tiercache::postgres
