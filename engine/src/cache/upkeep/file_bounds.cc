#include "cache/upkeep/file_bounds.h"

#include <cstdint>

namespace tiercache::detail {

namespace {

// Once a bound is passed, one part in so many is freed, so that eviction does not run for each
// file.
constexpr std::uint64_t kRoom = 20;

std::uint64_t above(std::uint64_t have, std::uint64_t bound) {
  const std::uint64_t wanted = bound - bound / kRoom;
  return bound != 0 && have > wanted ? have - wanted : 0;
}

bool exceeds(std::uint64_t have, std::uint64_t bound) {
  return bound != 0 && have > bound;
}

}  // namespace

bool FileBounds::are_set() const {
  const CacheOptions& options = runtime_.options;
  const bool has_store = options.store && options.flags.store_enabled;
  return has_store && (options.files.max_bytes != 0 || options.files.max_entries != 0);
}

bool FileBounds::are_exceeded() const {
  if (!are_set()) return false;
  const Index::Totals totals = index_.totals();
  return exceeds(totals.bytes, runtime_.options.files.max_bytes) ||
         exceeds(totals.documents, runtime_.options.files.max_entries);
}

Index::Totals FileBounds::excess() const {
  const Index::Totals totals = index_.totals();
  return {.documents = above(totals.documents, runtime_.options.files.max_entries),
          .bytes = above(totals.bytes, runtime_.options.files.max_bytes)};
}

}  // namespace tiercache::detail
