// The server does the purging, in the function purge_entries (see schema/): expired documents
// become tombstones one tick above their version, and then the oldest tombstones are deleted, no
// more than the limit in all. The project remembers the highest version that was deleted, its
// horizon, and a trigger refuses inserted documents that are not above it. Rows that others have
// locked are passed over until the next purge.
#include "purging.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "arrays.h"
#include "rows.h"

namespace tiercache::postgres {

namespace {

enum PurgeColumn : int {
  kDocuments,
  kTombstones,
  kPurgeTime,
  kHorizonVersion,
  kHorizonWriter,
  kPurgeIncarnation,
  kProjectSince,
};

constexpr Statement kPurgeEntries = {
    "tiercache_purge_entries",
    "SELECT e.*, (SELECT tiercache.ms_of_time(p.created_at) FROM tiercache.projects p "
    "WHERE p.project_name = $1::text) "
    "FROM tiercache.purge_entries($1::text, $2::integer, $3::text[], $4::bigint[], "
    "$5::bigint, $6::bigint, $7::bigint) e"};

// As text, at most what a bigint holds.
std::string limited(std::uint64_t number) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  return std::to_string(std::min(number, kMost));
}

}  // namespace

void purge_rows(Session& session, const std::string& project, const PurgeRequest& request,
                PurgeReply& reply) {
  constexpr std::size_t kMostRows = 1'000'000;
  Array types, before;
  for (const PurgeRequest::Expiry& one : request.expired) {
    types.add(one.dataset);
    before.add(std::int64_t{one.fetched_before.time_since_epoch().count()});
  }
  const std::size_t limit = std::min(request.limit, kMostRows);
  const Version& below = request.tombstones_below;
  const pqxx::result rows =
      session.run(kPurgeEntries, {project, session.lock_timeout(), std::move(types).take(),
                                  std::move(before).take(), limited(below.time),
                                  std::to_string(below.writer), std::to_string(limit)});
  if (rows.empty()) {
    throw Failure(Failure::Kind::not_serving, true, "schema tiercache has lost its version");
  }
  reply.documents = static_cast<std::uint64_t>(integer(rows, 0, kDocuments));
  reply.tombstones = static_cast<std::uint64_t>(integer(rows, 0, kTombstones));
  reply.more = limit > 0 && reply.documents + reply.tombstones >= limit;
  reply.store_time = WallTime(std::chrono::milliseconds(integer(rows, 0, kPurgeTime)));
  reply.incarnation = std::string(shim::text(rows, 0, kPurgeIncarnation));
  if (!shim::is_null(rows, 0, kProjectSince)) {
    reply.project_since = WallTime(std::chrono::milliseconds(integer(rows, 0, kProjectSince)));
  }
  if (shim::is_null(rows, 0, kHorizonVersion)) return;
  reply.horizon = {static_cast<std::uint64_t>(integer(rows, 0, kHorizonVersion)),
                   static_cast<std::uint32_t>(integer(rows, 0, kHorizonWriter))};
}

}  // namespace tiercache::postgres
