// Until when an entry may be served: judge.h works it out, and the memory tier keeps it.
#pragma once

#include <cstdint>

namespace tiercache {

// Monotonic milliseconds, the resolution of memory lifetimes.
using Ticks = std::int64_t;
inline constexpr Ticks kForeverTicks = INT64_MAX;

// Until when a resident may be served, and how.
struct Lifetimes {
  Ticks trusted_until = 0;  // until then without a look at the file (memory.ttl)
  Ticks fresh_until = 0;    // until then it is fresh
  Ticks stale_until = 0;    // until then it is stale, and from then on expired
  Ticks fetched_at = 0;     // tells its age; may be negative
};

}  // namespace tiercache
