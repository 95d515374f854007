#include "loading.h"

#include <cstddef>
#include <utility>

#include "arrays.h"
#include "rows.h"
#include "text.h"

namespace tiercache::postgres {

namespace {

constexpr Statement kLoad = {
    "tiercache_load",
    "SELECT a.place, NULL, " TIERCACHE_POSTGRES_NOW ", " TIERCACHE_POSTGRES_ENTRY
    " FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS a (type, key, place) "
    "LEFT JOIN tiercache.cache_storage c ON c.cache_type = a.type COLLATE \"C\" "
    "AND c.cache_key = a.key COLLATE \"C\" AND c.project_id = "
    "(SELECT p.id FROM tiercache.projects p WHERE p.project_name = $1::text)"};

}  // namespace

void load_rows(Session& session, const std::string& project, const std::vector<EntryId>& ids,
               LoadReply& reply) {
  reply.entries.resize(ids.size());
  reply.corrupt.resize(ids.size());
  reply.corrupt_text.resize(ids.size());
  std::vector<std::size_t> places;
  Array types, keys;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    // No row can have such a name.
    if (has_nul(ids[i].dataset) || has_nul(ids[i].key)) continue;
    places.push_back(i);
    types.add(ids[i].dataset);
    keys.add(ids[i].key);
  }
  if (places.empty()) return;
  const pqxx::result rows =
      session.run(kLoad, {project, std::move(types).take(), std::move(keys).take()});
  for (int row = 0; row < static_cast<int>(rows.size()); ++row) {
    if (shim::is_null(rows, row, kVersion)) continue;
    const std::size_t i = places.at(static_cast<std::size_t>(integer(rows, row, kPlace)) - 1);
    reply.entries[i] = read_entry(rows, row);
    reply.corrupt[i] = !reply.entries[i];
    if (!reply.entries[i]) reply.corrupt_text[i] = read_text(rows, row);
  }
  reply.store_time = read_now(rows);
}

}  // namespace tiercache::postgres
