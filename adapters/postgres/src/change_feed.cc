#include "change_feed.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "rows.h"

namespace tiercache::postgres {

namespace {

// Columns of kChanges.
enum ChangeColumn : int {
  kIncarnation,
  kNothingRunsBelow,  // every transaction before this one has ended
  kBegunBelow,        // no transaction from here on has begun
  kServerTime,
  kPurgedTo,
  kXid,
  kSeq,
  kChangedType,
  kChangedKey,
  kChangedVersion,
  kChangedWriter,
  kChangedInvalidatedAt,
};

// A change is told once every transaction that began before its own has ended, so that the order of
// (xid, seq) is never added to behind a cursor. At least one row comes, without a change in it.
constexpr Statement kChanges = {
    "tiercache_changes",
    "WITH s AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS low, "
    "                  pg_snapshot_xmax(pg_current_snapshot()) AS high) "
    "SELECT v.incarnation, s.low, s.high, tiercache.ms_of_time(clock_timestamp()), "
    "       p.changes_purged_to, c.xid, c.seq, c.cache_type, c.cache_key, c.version, c.writer, "
    "       tiercache.ms_of_time(c.invalidated_at) "
    "FROM s CROSS JOIN tiercache.schema_version v "
    "LEFT JOIN tiercache.projects p ON p.project_name = $1::text "
    "LEFT JOIN LATERAL ("
    "  SELECT f.* FROM tiercache.cache_changes f "
    "  WHERE f.project_id = p.id AND (f.xid, f.seq) > ($2::xid8, $3::bigint) AND f.xid < s.low "
    "  ORDER BY f.xid, f.seq LIMIT $4::bigint) c ON true "
    "ORDER BY c.xid, c.seq"};

constexpr Statement kPurge = {
    "tiercache_purge",
    "SELECT tiercache.purge_changes(make_interval(hours => $1::integer), 100000)"};

// Behind the last change taken. Written as incarnation/xid/seq.
struct Cursor {
  std::string incarnation;
  std::uint64_t xid = 0;
  std::int64_t seq = 0;

  std::string to_string() const {
    return incarnation + '/' + std::to_string(xid) + '/' + std::to_string(seq);
  }
};

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Cursor> parse_cursor(std::string_view text) {
  const std::size_t first = text.find('/');
  const std::size_t second = text.rfind('/');
  if (first == text.npos || first == second) return std::nullopt;
  const auto xid = parse_number<std::uint64_t>(text.substr(first + 1, second - first - 1));
  const auto seq = parse_number<std::int64_t>(text.substr(second + 1));
  if (!xid || !seq) return std::nullopt;
  return Cursor{std::string(text.substr(0, first)), *xid, *seq};
}

std::uint64_t xid_at(const pqxx::result& rows, int row, int column) {
  return parse_number<std::uint64_t>(shim::text(rows, row, column)).value_or(0);
}

// Another database, or this one after a restore from before the cursor; or changes that were
// purged.
bool is_lost(const Cursor& cursor, const pqxx::result& rows) {
  if (cursor.incarnation != shim::text(rows, 0, kIncarnation)) return true;
  if (cursor.xid > xid_at(rows, 0, kBegunBelow)) return true;
  return !shim::is_null(rows, 0, kPurgedTo) && cursor.xid <= xid_at(rows, 0, kPurgedTo);
}

void read_rows(const pqxx::result& rows, std::size_t limit, Cursor* next, ChangesReply* reply) {
  for (int row = 0; row < static_cast<int>(rows.size()); ++row) {
    if (shim::is_null(rows, row, kXid)) return;
    if (reply->changes.size() == limit) {
      reply->more = true;
      const int last = row - 1;
      next->xid = xid_at(rows, last, kXid);
      next->seq = integer(rows, last, kSeq);
      return;
    }
    StoreChange change;
    change.id = {std::string(shim::text(rows, row, kChangedType)),
                 std::string(shim::text(rows, row, kChangedKey))};
    change.version = {static_cast<std::uint64_t>(integer(rows, row, kChangedVersion)),
                      static_cast<std::uint32_t>(integer(rows, row, kChangedWriter))};
    if (const auto at = optional_integer(rows, row, kChangedInvalidatedAt)) {
      change.invalidated_at = WallTime(std::chrono::milliseconds(*at));
    }
    reply->changes.push_back(std::move(change));
  }
}

}  // namespace

void read_changes(Session& session, const std::string& project, const std::string& cursor,
                  std::size_t limit, ChangesReply& reply) {
  limit = std::clamp<std::size_t>(limit, 1, 1'000'000);
  const std::optional<Cursor> from = parse_cursor(cursor);
  // Without a cursor there is nothing to look for, but for where to begin.
  const std::string xid = std::to_string(from ? from->xid : UINT64_MAX);
  const std::string seq = std::to_string(from ? from->seq : 0);
  const pqxx::result rows = session.run(kChanges, {project, xid, seq, std::to_string(limit + 1)});
  if (rows.empty()) {
    throw Failure(Failure::Kind::not_serving, true, "schema tiercache has lost its version");
  }
  reply.store_time = WallTime(std::chrono::milliseconds(integer(rows, 0, kServerTime)));
  reply.incarnation = std::string(shim::text(rows, 0, kIncarnation));
  Cursor next{std::string(shim::text(rows, 0, kIncarnation)), xid_at(rows, 0, kNothingRunsBelow),
              0};
  reply.gap = !cursor.empty() && (!from || is_lost(*from, rows));
  if (!cursor.empty() && !reply.gap) {
    // The snapshot's lower bound never moves back on one server, but a cursor may come from
    // another.
    next.xid = std::max(next.xid, from->xid);
    if (next.xid == from->xid) next.seq = from->seq;
    read_rows(rows, limit, &next, &reply);
  }
  reply.next = next.to_string();
}

void purge_changes(Session& session, std::chrono::hours keep) {
  session.run(kPurge, {std::to_string(keep.count())});
}

}  // namespace tiercache::postgres
