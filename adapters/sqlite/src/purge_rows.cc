// Purging: which rows are old enough, and how far a project was purged.
#include <charconv>

#include "rows.h"

namespace tiercache::sqlite {

namespace {

// The name under which `meta` keeps the horizon and the update, with a space between them.
std::string name_of(std::int64_t project) {
  return "purged " + std::to_string(project);
}

OldRow read_old(const Query& query) {
  return {.entry_id = query.integer(0),
          .id = {std::string(query.text(1)), std::string(query.text(2))},
          .updated = query.integer(3),
          .version = {static_cast<std::uint64_t>(query.integer(4)),
                      static_cast<std::uint32_t>(query.integer(5))}};
}

}  // namespace

Purged find_purged(Connection& connection, std::int64_t project) {
  const std::string name = name_of(project);
  Query query(connection, "SELECT value FROM meta WHERE name = ?1");
  query.bind(1, name);
  if (!query.step()) return {};
  const std::string_view value = query.text(0);
  const std::size_t space = value.find(' ');
  const auto horizon = Version::parse(value.substr(0, space));
  if (space == value.npos || !horizon) return {};
  Purged purged{*horizon, 0};
  std::from_chars(value.data() + space + 1, value.data() + value.size(), purged.updated);
  return purged;
}

void set_purged(Connection& connection, std::int64_t project, const Purged& purged) {
  const std::string name = name_of(project);
  const std::string value = purged.horizon.to_string() + ' ' + std::to_string(purged.updated);
  Query query(connection,
              "INSERT INTO meta (name, value) VALUES (?1, ?2)"
              " ON CONFLICT (name) DO UPDATE SET value = excluded.value");
  query.bind(1, name).bind(2, value);
  query.run();
}

std::vector<OldRow> find_old_tombstones(Connection& connection, std::int64_t project, Version below,
                                        std::int64_t limit) {
  Query query(connection,
              "SELECT entry_id, cache_type, cache_key, updated, version_time, version_writer"
              " FROM cache_storage WHERE project_id = ?1 AND deleted = 1"
              " AND (version_time, version_writer) < (?2, ?3) LIMIT ?4");
  query.bind(1, project)
      .bind(2, static_cast<std::int64_t>(below.time))
      .bind(3, std::int64_t{below.writer})
      .bind(4, limit);
  std::vector<OldRow> rows;
  while (query.step()) rows.push_back(read_old(query));
  return rows;
}

std::vector<OldRow> find_expired(Connection& connection, std::int64_t project,
                                 const std::string& dataset, WallTime fetched_before,
                                 std::int64_t limit) {
  Query query(connection,
              "SELECT entry_id, cache_type, cache_key, updated, version_time, version_writer"
              " FROM cache_storage WHERE project_id = ?1 AND cache_type = ?2 AND deleted = 0"
              " AND last_fetch < ?3 LIMIT ?4");
  query.bind(1, project)
      .bind(2, dataset)
      .bind(3, std::int64_t{fetched_before.time_since_epoch().count()})
      .bind(4, limit);
  std::vector<OldRow> rows;
  while (query.step()) rows.push_back(read_old(query));
  return rows;
}

void delete_row(Connection& connection, std::int64_t entry_id) {
  Query query(connection, "DELETE FROM cache_storage WHERE entry_id = ?1");
  query.bind(1, entry_id);
  query.run();
}

}  // namespace tiercache::sqlite
