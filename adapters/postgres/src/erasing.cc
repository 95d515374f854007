#include "erasing.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "arrays.h"
#include "rows.h"

namespace tiercache::postgres {

namespace {

// Parameters are never NULL, so $6 and $7 count as absent if they are empty: the end of the range
// of keys, and the key to go on after, which has a mark before it because a key may be empty too.
constexpr int kNextAfter = 1;
constexpr Statement kErase = {
    "tiercache_erase",
    "SELECT e.erased, e.next_after, e.now_ms FROM tiercache.erase_matching_piece($1::text, "
    "$2::integer, $3::text, $4::bytea, $5::text, nullif($6::text, ''), "
    "substr(nullif($7::text, ''), 2), $8::bigint, $9::bigint, $10::bigint) e"};

}  // namespace

void erase_rows(Session& session, const std::string& project, const MatchingErase& erase,
                EraseMatchingReply& reply) {
  if (erase.version.time > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    throw Failure(Failure::Kind::not_serving, false,
                  "the version is beyond what the store can hold");
  }
  const KeyRange range = keys_matched(erase.glob);
  const std::size_t limit = std::clamp<std::size_t>(erase.limit, 1, 1'000'000);
  const pqxx::result rows = session.run(
      kErase, {project, session.lock_timeout(), erase.dataset, like_pattern(erase.glob), range.from,
               range.below, erase.after ? '>' + *erase.after : "", std::to_string(limit),
               std::to_string(erase.version.time), std::to_string(erase.version.writer)});
  reply.erased = static_cast<std::uint64_t>(integer(rows, 0, 0));
  if (!shim::is_null(rows, 0, kNextAfter)) reply.next = shim::text(rows, 0, kNextAfter);
  reply.store_time = read_now(rows);
}

}  // namespace tiercache::postgres
