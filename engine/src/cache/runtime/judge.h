// How old an entry is and what that means: pure functions of clocks and policy.
#pragma once

#include <chrono>
#include <optional>

#include "base/lifetimes.h"
#include "tiercache/entry.h"
#include "tiercache/options.h"
#include "tiercache/outcome.h"

namespace tiercache::detail {

// A `last_fetch` further ahead than this is not believed.
inline constexpr std::chrono::minutes kMaxClockAhead{1};

// One instant by both clocks.
struct Now {
  WallTime wall;
  Ticks ticks = 0;
};

// The lifetimes of a dataset with all defaults worked out.
struct AgePolicy {
  std::chrono::milliseconds fresh_for{0};
  std::chrono::milliseconds stale_for{0};
  std::chrono::milliseconds trust_for{0};  // memory.ttl
};

// Lifetimes are added to each other and to times near now. At most a century each, the sums stay in
// range.
std::chrono::milliseconds within_a_century(std::chrono::milliseconds lifetime);

std::chrono::milliseconds default_jitter(const BasicDatasetOptions<std::string>& options);
std::chrono::milliseconds default_fresh_for(const BasicDatasetOptions<std::string>& options);

// A lifetime as an entry keeps it: what was computed as over already is zero.
std::optional<std::chrono::milliseconds> lifetime_from(
    std::optional<std::chrono::milliseconds> given);

// `last_fetch`, unless it is absent or not believable.
std::optional<WallTime> believable(std::optional<WallTime> last_fetch, WallTime now);

// Clocks as they may be taken over from a file or a row: what is not believable is dropped, an
// invalidation in the future counts as one of now, and of what was fetched until now. So a clock
// that was once wrong does not stay wrong by merging.
Clocks believable(const Clocks& clocks, WallTime now);

// Absolute lifetimes for memory. An entry whose `last_fetch` is not believable is stale from now
// on; one fetched at or before its invalidation is stale since that.
Lifetimes judge(const Entry& entry, const AgePolicy& policy, const Now& now);

Freshness freshness_at(const Lifetimes& lifetimes, Ticks ticks);
std::chrono::milliseconds age_at(const Lifetimes& lifetimes, Ticks ticks);

// Whether a call that accepts `max_stale` (absent: the dataset's `stale_for`) may be served.
bool is_servable(const Lifetimes& lifetimes, Ticks ticks,
                 std::optional<std::chrono::milliseconds> max_stale);

}  // namespace tiercache::detail
