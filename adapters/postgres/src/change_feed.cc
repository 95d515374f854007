// Every write of content and every invalidation adds a row to tiercache.cache_changes, with the
// number of its transaction. Transactions are committed in another order than they are numbered in,
// so a plain "all above the last number" would miss what commits late. The cursor is therefore a
// snapshot of the server (feed_cursor.h): the set of transactions whose changes were told. A reader
// asks for what the server's snapshot of now sees and the cursor's did not:
//
//                        ran at the cursor             from the cursor's end on
//     the cursor         101             104           107, 108, ...
//     now                has ended       still runs    all but 108 have ended
//     the page tells     101             -             107, 109, ...
//
// The next cursor sees everything that has ended by now, so 104 and 108 are told once they have.
//
// A page that ends inside a transaction says so in its cursor, and the next page begins there. What
// cannot be told any more (another database or timeline, purged changes) is a gap. Why so:
// docs/decisions/0035-change-feed-by-snapshots.md and 0036-failover.md.
#include "change_feed.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <utility>

#include "feed_cursor.h"
#include "rows.h"

namespace tiercache::postgres {

namespace {

// A row number that is below every row's.
#define TIERCACHE_POSTGRES_BEFORE_ROWS "-9223372036854775808"

// Columns of kChanges. Those up to kPurgedTo are about the whole feed, and are read from the first
// row. The other rows have one change each, in the columns after it.
enum ChangeColumn : int {
  kIncarnation,
  kHistory,
  kSnapshot,
  kStandby,
  kHeldUp,
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

// Selects what the statement's own snapshot sees and the cursor's does not: of the transactions
// that ran at the cursor ($2) those that have ended, and everything from the cursor's end ($3, row
// $4) on. Both are looked up in the index, so a transaction that stays open for days costs one
// descent. If the page before ended inside a transaction, $6 and $7 are that transaction and the
// last row that was told; the rest of it comes first. $5 is the limit. A standby does not know
// which transactions of its primary are running, except for the oldest, so its feed ends there. The
// first row has no change in it and always comes.
constexpr Statement kChanges = {
    "tiercache_changes",
    "WITH s AS MATERIALIZED (SELECT n.now, pg_is_in_recovery() AS standby, "
    "  tiercache.transaction_history() AS history, CASE WHEN pg_is_in_recovery() "
    "  THEN pg_snapshot_xmin(n.now) ELSE pg_snapshot_xmax(n.now) END AS below "
    "  FROM (SELECT pg_current_snapshot() AS now) n) "
    "SELECT v.incarnation, f.history, f.now, f.standby, f.held_up, "
    "       tiercache.ms_of_time(clock_timestamp()), f.changes_purged_to, f.xid, f.seq, "
    "       f.cache_type, f.cache_key, f.version, f.writer, "
    "       tiercache.ms_of_time(f.invalidated_at) "
    "FROM tiercache.schema_version v CROSS JOIN ("
    "  SELECT 0 AS place, s.history, s.now::text, s.standby, "
    "         s.standby AND EXISTS (SELECT FROM tiercache.cache_changes c "
    "                               WHERE c.project_id = p.id AND c.xid >= s.below) AS held_up, "
    "         p.changes_purged_to, NULL::xid8 AS xid, NULL::bigint AS seq, NULL AS cache_type, "
    "         NULL AS cache_key, NULL::bigint AS version, NULL::bigint AS writer, "
    "         NULL::timestamptz AS invalidated_at "
    "  FROM s LEFT JOIN tiercache.projects p ON p.project_name = $1::text "
    "  UNION ALL "
    "  SELECT row_number() OVER (ORDER BY q.xid <> $6::xid8, q.xid, q.seq), NULL, NULL, NULL, "
    "         NULL, NULL, q.xid, q.seq, q.cache_type, q.cache_key, q.version, q.writer, "
    "         q.invalidated_at "
    "  FROM s JOIN tiercache.projects p ON p.project_name = $1::text CROSS JOIN LATERAL ("
    "    SELECT * FROM (("
    "      SELECT c.* FROM unnest($2::xid8[]) AS o (xid) CROSS JOIN LATERAL ("
    "        SELECT * FROM tiercache.cache_changes c WHERE c.project_id = p.id AND c.xid = o.xid "
    "        AND c.seq > CASE WHEN o.xid = $6::xid8 THEN $7::bigint "
    "                    ELSE '" TIERCACHE_POSTGRES_BEFORE_ROWS
    "' END ORDER BY c.seq LIMIT $5::bigint) c "
    "      WHERE o.xid < s.below AND pg_visible_in_snapshot(o.xid, s.now)"
    "    ) UNION ALL ("
    "      SELECT * FROM tiercache.cache_changes c WHERE c.project_id = p.id "
    "      AND (c.xid, c.seq) > ($3::xid8, $4::bigint) AND c.xid < s.below "
    "      ORDER BY c.xid, c.seq LIMIT $5::bigint)) u "
    "    ORDER BY u.xid <> $6::xid8, u.xid, u.seq LIMIT $5::bigint) q"
    ") f ORDER BY f.place"};

constexpr const char* kStandbyWaits =
    "the server is a standby: it tells changes once every older transaction of its primary has "
    "ended";

constexpr Statement kPurge = {
    "tiercache_purge",
    "SELECT tiercache.purge_changes(make_interval(hours => $1::integer), 100000)"};

std::uint64_t transaction_at(const pqxx::result& rows, int row, int column) {
  const std::string_view text = shim::text(rows, row, column);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::runtime_error("the server answered no transaction where one was asked for");
  }
  return number;
}

Snapshot snapshot_of(const pqxx::result& rows) {
  auto snapshot = Snapshot::parse(shim::text(rows, 0, kSnapshot));
  if (!snapshot)
    throw std::runtime_error("the server answered no snapshot where one was asked for");
  return *std::move(snapshot);
}

// Returns what is known to have ended. On a standby the snapshot's list of running transactions is
// always empty, so that is only what is below the oldest one.
Snapshot known_of(const pqxx::result& rows, const Snapshot& now) {
  if (shim::text(rows, 0, kStandby) != "t") return now;
  const std::string_view text = shim::text(rows, 0, kSnapshot);
  auto oldest = Snapshot::parse("0:" + std::string(text.substr(0, text.find(':'))) + ':');
  if (!oldest) throw std::runtime_error("the server answered no snapshot where one was asked for");
  return *std::move(oldest);
}

// Whether the cursor is of this history. One without a history comes from an older program, and is
// taken for one of the first timeline: on a later one nobody knows whether it is from before the
// promotion.
bool is_of(const FeedCursor& cursor, std::string_view history) {
  if (cursor.history) return *cursor.history == history;
  return history.empty() || history.ends_with("-1");
}

// Whether something may have been purged that the cursor has not told: changes of a transaction
// that ran at the cursor and has ended since, or of one that began later.
bool was_purged(const FeedCursor& cursor, const Snapshot& known, std::uint64_t purged_to) {
  if (cursor.told.end <= purged_to) return true;
  return std::any_of(cursor.told.running.begin(), cursor.told.running.end(),
                     [&](std::uint64_t one) { return one <= purged_to && known.sees(one); });
}

// Whether changes since the cursor are lost: this is another database, or the same one restored
// from before the cursor, or a standby that was promoted without everything its primary had; or
// changes were purged.
bool is_lost(const FeedCursor& cursor, const Snapshot& now, const Snapshot& known,
             const pqxx::result& rows) {
  if (cursor.incarnation != shim::text(rows, 0, kIncarnation)) return true;
  if (!is_of(cursor, shim::text(rows, 0, kHistory))) return true;
  if (cursor.told.end > now.end) return true;
  return !shim::is_null(rows, 0, kPurgedTo) &&
         was_purged(cursor, known, transaction_at(rows, 0, kPurgedTo));
}

StoreChange change_at(const pqxx::result& rows, int row) {
  StoreChange change;
  change.id = {std::string(shim::text(rows, row, kChangedType)),
               std::string(shim::text(rows, row, kChangedKey))};
  change.version = {static_cast<std::uint64_t>(integer(rows, row, kChangedVersion)),
                    static_cast<std::uint32_t>(integer(rows, row, kChangedWriter))};
  if (const auto at = optional_integer(rows, row, kChangedInvalidatedAt)) {
    change.invalidated_at = WallTime(std::chrono::milliseconds(*at));
  }
  return change;
}

// Puts the changes into the reply and returns the cursor behind them. The first row has none.
FeedCursor read_page(const pqxx::result& rows, std::size_t limit, const FeedCursor& from,
                     const Snapshot& known, ChangesReply* reply) {
  const int told = static_cast<int>(std::min<std::size_t>(rows.size() - 1, limit));
  for (int row = 1; row <= told; ++row) reply->changes.push_back(change_at(rows, row));
  reply->more = static_cast<std::size_t>(rows.size() - 1) > limit;
  if (!reply->more) return from.behind(known);
  return from.behind(known, {transaction_at(rows, told, kXid), integer(rows, told, kSeq)});
}

// The parameters of kChanges. Without a cursor they select nothing but the first row.
shim::Parameters parameters_of(const std::string& project, const std::optional<FeedCursor>& from,
                               std::size_t limit) {
  const std::string none = std::to_string(UINT64_MAX);
  if (!from) return {project, "{}", none, "0", "1", none, "0"};
  std::string running = "{";
  for (const std::uint64_t one : from->told.running) {
    if (running.size() > 1) running += ',';
    running += std::to_string(one);
  }
  const bool at_end = from->inside && from->inside->transaction == from->told.end;
  return {project,
          running + '}',
          std::to_string(from->told.end),
          at_end ? std::to_string(from->inside->row) : TIERCACHE_POSTGRES_BEFORE_ROWS,
          std::to_string(limit + 1),
          from->inside ? std::to_string(from->inside->transaction) : none,
          from->inside ? std::to_string(from->inside->row) : "0"};
}

}  // namespace

void read_changes(Session& session, const std::string& project, const std::string& cursor,
                  std::size_t limit, ChangesReply& reply) {
  limit = std::clamp<std::size_t>(limit, 1, 1'000'000);
  const std::optional<FeedCursor> from = FeedCursor::parse(cursor);
  const pqxx::result rows = session.run(kChanges, parameters_of(project, from, limit));
  if (rows.empty()) {
    throw Failure(Failure::Kind::not_serving, true, "schema tiercache has lost its version");
  }
  const Snapshot now = snapshot_of(rows);
  const Snapshot known = known_of(rows, now);
  const FeedCursor here{.incarnation = std::string(shim::text(rows, 0, kIncarnation)),
                        .history = std::string(shim::text(rows, 0, kHistory)),
                        .told = known,
                        .inside = std::nullopt};
  reply.store_time = WallTime(std::chrono::milliseconds(integer(rows, 0, kServerTime)));
  reply.incarnation = here.incarnation;
  if (shim::text(rows, 0, kHeldUp) == "t") reply.held_up = kStandbyWaits;
  reply.gap = !cursor.empty() && (!from || is_lost(*from, now, known, rows));
  FeedCursor next = here;
  if (from && !reply.gap) {
    next = read_page(rows, limit, *from, known, &reply);
    next.history = here.history;
  }
  reply.next = next.to_string();
}

void purge_changes(Session& session, std::chrono::hours keep) {
  session.run(kPurge, {std::to_string(keep.count())});
}

}  // namespace tiercache::postgres
