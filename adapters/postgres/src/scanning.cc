#include "scanning.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "rows.h"

namespace tiercache::postgres {

namespace {

// A page ends early once its documents have this many bytes together.
#define TIERCACHE_POSTGRES_PAGE_BYTES "33554432"

#define TIERCACHE_POSTGRES_SCAN(condition)                                                        \
  "WITH page AS (SELECT q.id, q.updated_at, row_number() OVER w AS place, "                       \
  "sum(q.data_size) OVER w - q.data_size AS before FROM ("                                        \
  "SELECT c.id, c.updated_at, c.data_size FROM tiercache.cache_storage c "                        \
  "WHERE c.project_id = (SELECT p.id FROM tiercache.projects p WHERE p.project_name = $1::text) " \
  "AND NOT c.deleted AND " condition                                                              \
  " AND (c.updated_at, c.id) < (coalesce(timestamptz 'epoch' + nullif($3::text, '')::bigint "     \
  "* interval '1 microsecond', 'infinity'), $4::bigint) "                                         \
  "ORDER BY c.updated_at DESC, c.id DESC LIMIT $5::bigint + 1) q "                                \
  "WINDOW w AS (ORDER BY q.updated_at DESC, q.id DESC)), "                                        \
  "taken AS (SELECT * FROM page WHERE place <= $5::bigint "                                       \
  "AND before < " TIERCACHE_POSTGRES_PAGE_BYTES                                                   \
  ") "                                                                                            \
  "SELECT (extract(epoch FROM t.updated_at) * 1000000)::bigint, c.id, " TIERCACHE_POSTGRES_NOW    \
  ", " TIERCACHE_POSTGRES_ENTRY                                                                   \
  ", (SELECT count(*) FROM page) > (SELECT count(*) FROM taken) "                                 \
  "FROM taken t JOIN tiercache.cache_storage c ON c.id = t.id "                                   \
  "ORDER BY t.updated_at DESC, t.id DESC"

constexpr Statement kScan = {"tiercache_scan",
                             TIERCACHE_POSTGRES_SCAN("c.cache_type = $2::text COLLATE \"C\"")};
constexpr Statement kScanAll = {"tiercache_scan_all",
                                TIERCACHE_POSTGRES_SCAN("$2::text IS NOT NULL")};

// Reads a cursor, which is written as microseconds/number, into the parameters $3 and $4. Anything
// else means the start.
std::pair<std::string, std::string> parse_scan_cursor(const std::string& cursor) {
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  const std::pair<std::string, std::string> start{
      "", std::to_string(std::numeric_limits<std::int64_t>::max())};
  std::int64_t updated = 0;
  std::int64_t number = 0;
  const char* const end = cursor.data() + cursor.size();
  const auto first = std::from_chars(cursor.data(), end, updated);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '/') return start;
  const auto second = std::from_chars(first.ptr + 1, end, number);
  if (second.ec != std::errc() || second.ptr != end) return start;
  if (updated > kExact || updated < -kExact) return start;
  return {std::to_string(updated), std::to_string(number)};
}

}  // namespace

void scan_rows(Session& session, const std::string& project, const std::string& dataset,
               const std::string& cursor, std::size_t limit, ScanReply& reply) {
  limit = std::clamp<std::size_t>(limit, 1, 1'000'000);
  const auto [updated, number] = parse_scan_cursor(cursor);
  const pqxx::result rows = session.run(dataset.empty() ? kScanAll : kScan,
                                        {project, dataset, updated, number, std::to_string(limit)});
  for (int row = 0; row < static_cast<int>(rows.size()); ++row) {
    if (EntryPtr entry = read_entry(rows, row)) {
      reply.entries.push_back({read_id(rows, row), std::move(entry)});
    }
  }
  reply.store_time = read_now(rows);
  if (rows.empty()) {
    reply.store_time = std::nullopt;
    return;
  }
  const int last = static_cast<int>(rows.size()) - 1;
  if (shim::text(rows, last, kMore) != "t") return;
  reply.next = std::string(shim::text(rows, last, kPlace)) + '/' +
               std::string(shim::text(rows, last, kOutcome));
}

}  // namespace tiercache::postgres
