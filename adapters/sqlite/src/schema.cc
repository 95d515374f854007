#include "schema.h"

#include <string>

namespace tiercache::sqlite {

namespace {

constexpr const char* kTables = R"sql(
CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
  project_id   INTEGER PRIMARY KEY,
  project_name TEXT NOT NULL UNIQUE,
  updates      INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE cache_storage (
  entry_id        INTEGER PRIMARY KEY,
  project_id      INTEGER NOT NULL REFERENCES projects,
  cache_type      TEXT NOT NULL,
  cache_key       TEXT NOT NULL,
  deleted         INTEGER NOT NULL CHECK (deleted IN (0, 1)),
  updated         INTEGER NOT NULL,
  version_time    INTEGER NOT NULL,
  version_writer  INTEGER NOT NULL,
  checksum        TEXT NOT NULL,
  stored_checksum TEXT NOT NULL,
  last_fetch      INTEGER,
  last_rich_fetch INTEGER,
  invalidated_at  INTEGER,
  fresh_for       INTEGER,
  cache_version   TEXT NOT NULL,
  metadata        TEXT NOT NULL,
  data            TEXT,
  UNIQUE (project_id, cache_type, cache_key)
) STRICT;
CREATE INDEX cache_storage_by_update ON cache_storage (project_id, updated);
CREATE INDEX cache_storage_by_type ON cache_storage (project_id, cache_type, updated)
  WHERE deleted = 0;

CREATE TABLE cache_quarantine (
  quarantine_id INTEGER PRIMARY KEY,
  found_at      INTEGER NOT NULL,
  row           TEXT NOT NULL,
  data          TEXT
) STRICT;

INSERT INTO meta (name, value) VALUES ('incarnation', lower(hex(randomblob(16))));
PRAGMA application_id = 1953064306;
PRAGMA user_version = 1;
)sql";
static_assert(kApplicationId == 1953064306 && kSchemaVersion == 1);

std::int64_t single_integer(Connection& connection, const char* sql) {
  Query query(connection, sql);
  return query.step() ? query.integer(0) : 0;
}

std::int64_t schema_version(Connection& connection) {
  return single_integer(connection, "PRAGMA user_version");
}

bool is_empty(Connection& connection) {
  return single_integer(connection, "SELECT count(*) FROM sqlite_schema") == 0;
}

[[noreturn]] void refuse(const std::string& why) {
  throw SqlError(SQLITE_SCHEMA, why);
}

}  // namespace

void refuse_foreign_file(Connection& connection) {
  // All is read in one snapshot, since another connection may be making the tables just now.
  Transaction snapshot(connection, Transaction::Kind::read);
  const std::int64_t application = single_integer(connection, "PRAGMA application_id");
  const std::int64_t version = schema_version(connection);
  if (application == 0 && version == 0 && is_empty(connection)) return;
  if (application != kApplicationId) {
    refuse("the store's file is another application's SQLite database; name another file");
  }
  if (version > kSchemaVersion) {
    refuse("the store's file has schema " + std::to_string(version) + ", this program knows " +
           std::to_string(kSchemaVersion) + ": update the program");
  }
}

void prepare_schema(Connection& connection) {
  if (schema_version(connection) == kSchemaVersion) return;
  Transaction transaction(connection, Transaction::Kind::write);
  // Another connection may have made the tables before this transaction began.
  if (schema_version(connection) == kSchemaVersion) return;
  connection.execute(kTables);
  transaction.commit();
}

std::string incarnation(Connection& connection) {
  Query query(connection, "SELECT value FROM meta WHERE name = 'incarnation'");
  return query.step() ? std::string(query.text(0)) : std::string();
}

void limit_pages(Connection& connection, std::uint64_t bytes) {
  const auto page_size = static_cast<std::uint64_t>(single_integer(connection, "PRAGMA page_size"));
  const std::uint64_t pages = bytes / page_size + 1;
  const std::string limit = "PRAGMA max_page_count = " + std::to_string(pages);
  connection.execute(limit.c_str());
}

}  // namespace tiercache::sqlite
