#include "rows.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "tiercache/glob.h"

namespace tiercache::sqlite {

namespace {

#define TIERCACHE_ROW_COLUMNS                                                                   \
  "entry_id, cache_type, cache_key, deleted, updated, version_time, version_writer, checksum, " \
  "stored_checksum, last_fetch, last_rich_fetch, invalidated_at, fresh_for, cache_version, "    \
  "metadata, data"

enum Column : int {
  kEntryId,
  kType,
  kKey,
  kDeleted,
  kUpdated,
  kVersionTime,
  kVersionWriter,
  kChecksum,
  kStoredChecksum,
  kLastFetch,
  kLastRichFetch,
  kInvalidatedAt,
  kFreshFor,
  kCacheVersion,
  kMetadata,
  kData,
};

// Keeps the last 1,000 of the rows that were set aside.
constexpr const char* kTrimQuarantine =
    "DELETE FROM cache_quarantine WHERE quarantine_id <= "
    "(SELECT max(quarantine_id) - 1000 FROM cache_quarantine)";

std::optional<std::int64_t> to_ms(const std::optional<WallTime>& time) {
  if (!time) return std::nullopt;
  return time->time_since_epoch().count();
}

std::optional<WallTime> to_time(const std::optional<std::int64_t>& ms) {
  if (!ms) return std::nullopt;
  return WallTime(std::chrono::milliseconds(*ms));
}

// Puts the fields into one frame, so that no two rows give the same bytes.
class Frame {
 public:
  void add(std::string_view text) {
    add(static_cast<std::int64_t>(text.size()));
    bytes_.append(text);
  }
  void add(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    for (int shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<char>(bits >> shift));
  }
  void add(const std::optional<std::int64_t>& value) {
    add(std::int64_t{value.has_value()});
    add(value.value_or(0));
  }
  Checksum checksum() const { return Checksum::of(bytes_); }

 private:
  std::string bytes_;
};

std::optional<std::int64_t> fresh_for_ms(const Entry& entry) {
  if (!entry.fresh_for) return std::nullopt;
  return entry.fresh_for->count();
}

// The checksum of every column except the numbers that the database itself has given. The document
// enters by its own hash, so that a large one is not copied.
std::string stored_checksum(const EntryId& id, const Entry& entry) {
  Frame frame;
  frame.add(id.dataset);
  frame.add(id.key);
  frame.add(std::int64_t{entry.kind == EntryKind::tombstone});
  frame.add(static_cast<std::int64_t>(entry.version.time));
  frame.add(std::int64_t{entry.version.writer});
  frame.add(entry.checksum.to_string());
  frame.add(to_ms(entry.clocks.last_fetch));
  frame.add(to_ms(entry.clocks.last_rich_fetch));
  frame.add(to_ms(entry.clocks.invalidated_at));
  frame.add(fresh_for_ms(entry));
  frame.add(entry.cache_version);
  frame.add(entry.metadata);
  frame.add(std::int64_t{entry.document != nullptr});
  if (entry.document) frame.add(Checksum::of(*entry.document).to_string());
  return frame.checksum().to_string();
}

Entry read_entry(const Query& query) {
  Entry entry;
  entry.kind = query.integer(kDeleted) == 0 ? EntryKind::document : EntryKind::tombstone;
  entry.version = {static_cast<std::uint64_t>(query.integer(kVersionTime)),
                   static_cast<std::uint32_t>(query.integer(kVersionWriter))};
  entry.checksum = Checksum::parse(query.text(kChecksum)).value_or(Checksum{});
  if (!query.is_null(kData)) {
    entry.document = std::make_shared<const std::string>(query.text(kData));
  }
  entry.clocks = {to_time(query.optional_integer(kLastFetch)),
                  to_time(query.optional_integer(kLastRichFetch)),
                  to_time(query.optional_integer(kInvalidatedAt))};
  entry.metadata = query.text(kMetadata);
  entry.cache_version = query.text(kCacheVersion);
  if (const auto fresh_for = query.optional_integer(kFreshFor)) {
    entry.fresh_for = std::chrono::milliseconds(*fresh_for);
  }
  return entry;
}

StoredRow read_row(const Query& query) {
  StoredRow row;
  row.entry_id = query.integer(kEntryId);
  row.id = {std::string(query.text(kType)), std::string(query.text(kKey))};
  row.updated = query.integer(kUpdated);
  Entry entry = read_entry(query);
  row.claimed_version = entry.version;
  const bool whole = (entry.kind == EntryKind::document) == (entry.document != nullptr);
  if (whole && stored_checksum(row.id, entry) == query.text(kStoredChecksum)) {
    row.entry = std::make_shared<const Entry>(std::move(entry));
  } else {
    row.corrupt_text = entry.document;
  }
  return row;
}

}  // namespace

std::optional<std::int64_t> find_project(Connection& connection, const std::string& name) {
  Query query(connection, "SELECT project_id FROM projects WHERE project_name = ?1");
  query.bind(1, name);
  if (!query.step()) return std::nullopt;
  return query.integer(0);
}

std::int64_t find_or_add_project(Connection& connection, const std::string& name) {
  if (const auto found = find_project(connection, name)) return *found;
  Query query(connection, "INSERT INTO projects (project_name) VALUES (?1) RETURNING project_id");
  query.bind(1, name);
  query.step();
  const std::int64_t project = query.integer(0);
  query.run();
  return project;
}

std::optional<StoredRow> find_row(Connection& connection, std::int64_t project, const EntryId& id) {
  Query query(connection, "SELECT " TIERCACHE_ROW_COLUMNS
                          " FROM cache_storage"
                          " WHERE project_id = ?1 AND cache_type = ?2 AND cache_key = ?3");
  query.bind(1, project).bind(2, id.dataset).bind(3, id.key);
  if (!query.step()) return std::nullopt;
  StoredRow row = read_row(query);
  // The row is sound, but the index that led to it is not, so nothing may be read or written by way
  // of it.
  if (row.id != id) throw SqlError(SQLITE_CORRUPT, "an index leads to the row of another key");
  return row;
}

RowScan::RowScan(Connection& connection, std::int64_t project, const std::string& dataset,
                 std::int64_t before, std::int64_t limit)
    : query_(connection,
             dataset.empty()
                 ? "SELECT " TIERCACHE_ROW_COLUMNS
                   " FROM cache_storage WHERE project_id = ?1 AND deleted = 0 AND updated < ?2"
                   " AND ?4 IS NOT NULL ORDER BY updated DESC LIMIT ?3"
                 : "SELECT " TIERCACHE_ROW_COLUMNS
                   " FROM cache_storage WHERE project_id = ?1 AND deleted = 0 AND updated < ?2"
                   " AND cache_type = ?4 ORDER BY updated DESC LIMIT ?3") {
  query_.bind(1, project).bind(2, before).bind(3, limit).bind(4, dataset);
}

std::optional<StoredRow> RowScan::next() {
  if (!query_.step()) return std::nullopt;
  return read_row(query_);
}

std::vector<ChangedRow> find_changed(Connection& connection, std::int64_t project,
                                     std::int64_t after, std::int64_t limit) {
  Query query(
      connection,
      "SELECT updated, cache_type, cache_key, version_time, version_writer, invalidated_at"
      " FROM cache_storage WHERE project_id = ?1 AND updated > ?2 ORDER BY updated LIMIT ?3");
  query.bind(1, project).bind(2, after).bind(3, limit);
  std::vector<ChangedRow> rows;
  while (query.step()) {
    ChangedRow& row = rows.emplace_back();
    row.updated = query.integer(0);
    row.change.id = {std::string(query.text(1)), std::string(query.text(2))};
    row.change.version = {static_cast<std::uint64_t>(query.integer(3)),
                          static_cast<std::uint32_t>(query.integer(4))};
    if (!query.is_null(5)) {
      row.change.invalidated_at = WallTime(std::chrono::milliseconds(query.integer(5)));
    }
  }
  return rows;
}

std::int64_t last_update(Connection& connection, std::int64_t project) {
  Query query(connection, "SELECT updates FROM projects WHERE project_id = ?1");
  query.bind(1, project);
  return query.step() ? query.integer(0) : 0;
}

// Keys are matched here and not by SQL, because its GLOB has other rules than the other tiers.
std::vector<MatchingRow> find_matching(Connection& connection, std::int64_t project,
                                       const MatchingErase& erase,
                                       std::optional<std::string>* next) {
  Query query(connection,
              "SELECT entry_id, cache_key,"
              " (version_time, version_writer) < (?3, ?4) FROM cache_storage"
              " WHERE project_id = ?1 AND cache_type = ?2 AND (?5 IS NULL OR cache_key > ?5)"
              " ORDER BY cache_key LIMIT ?6");
  const std::size_t limit = std::clamp<std::size_t>(erase.limit, 1, 1'000'000);
  query.bind(1, project)
      .bind(2, erase.dataset)
      .bind(3, static_cast<std::int64_t>(erase.version.time))
      .bind(4, std::int64_t{erase.version.writer})
      .bind(6, static_cast<std::int64_t>(limit));
  erase.after ? query.bind(5, *erase.after) : query.bind_null(5);
  std::vector<MatchingRow> rows;
  std::string last;
  std::size_t looked_at = 0;
  while (query.step()) {
    last = query.text(1);
    ++looked_at;
    if (query.integer(2) == 0 || !glob_matches(erase.glob, last)) continue;
    rows.push_back({query.integer(0), {erase.dataset, last}});
  }
  if (looked_at == limit) *next = std::move(last);
  return rows;
}

RowWriter::RowWriter(Connection& connection, std::int64_t project)
    : connection_(connection), project_(project) {
  updates_ = last_update(connection_, project_);
}

void RowWriter::put(const EntryId& id, const Entry& entry) {
  Query query(connection_,
              "INSERT INTO cache_storage (project_id, cache_type, cache_key, deleted, updated,"
              " version_time, version_writer, checksum, stored_checksum, last_fetch,"
              " last_rich_fetch, invalidated_at, fresh_for, cache_version, metadata, data)"
              " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
              " ON CONFLICT (project_id, cache_type, cache_key) DO UPDATE SET"
              " deleted = excluded.deleted, updated = excluded.updated,"
              " version_time = excluded.version_time, version_writer = excluded.version_writer,"
              " checksum = excluded.checksum, stored_checksum = excluded.stored_checksum,"
              " last_fetch = excluded.last_fetch, last_rich_fetch = excluded.last_rich_fetch,"
              " invalidated_at = excluded.invalidated_at, fresh_for = excluded.fresh_for,"
              " cache_version = excluded.cache_version, metadata = excluded.metadata,"
              " data = excluded.data");
  const std::string checksum = entry.checksum.to_string();
  const std::string stored = stored_checksum(id, entry);
  query.bind(1, project_)
      .bind(2, id.dataset)
      .bind(3, id.key)
      .bind(4, std::int64_t{entry.kind == EntryKind::tombstone})
      .bind(5, updates_ + 1)
      .bind(6, static_cast<std::int64_t>(entry.version.time))
      .bind(7, std::int64_t{entry.version.writer})
      .bind(8, checksum)
      .bind(9, stored)
      .bind(10, to_ms(entry.clocks.last_fetch))
      .bind(11, to_ms(entry.clocks.last_rich_fetch))
      .bind(12, to_ms(entry.clocks.invalidated_at))
      .bind(13, fresh_for_ms(entry))
      .bind(14, entry.cache_version)
      .bind(15, entry.metadata);
  entry.document ? query.bind(16, *entry.document) : query.bind_null(16);
  query.run();
  ++updates_;
}

void RowWriter::keep_aside(const StoredRow& row, std::int64_t now_ms) {
  Query copy(connection_,
             "INSERT INTO cache_quarantine (found_at, row, data)"
             " SELECT ?2, json_object('project_id', project_id, 'cache_type', cache_type,"
             " 'cache_key', cache_key, 'deleted', deleted, 'updated', updated,"
             " 'version_time', version_time, 'version_writer', version_writer,"
             " 'checksum', checksum, 'stored_checksum', stored_checksum,"
             " 'last_fetch', last_fetch, 'last_rich_fetch', last_rich_fetch,"
             " 'invalidated_at', invalidated_at, 'fresh_for', fresh_for,"
             " 'cache_version', cache_version, 'metadata', metadata), data"
             " FROM cache_storage WHERE entry_id = ?1");
  copy.bind(1, row.entry_id).bind(2, now_ms);
  copy.run();
  Query(connection_, kTrimQuarantine).run();
}

void RowWriter::finish() {
  Query query(connection_, "UPDATE projects SET updates = ?2 WHERE project_id = ?1");
  query.bind(1, project_).bind(2, updates_);
  query.run();
}

}  // namespace tiercache::sqlite
