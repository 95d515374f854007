#include "cache/runtime/judge.h"

#include <algorithm>

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kLongest = std::chrono::hours(24 * 365 * 100);

}  // namespace

milliseconds within_a_century(milliseconds lifetime) {
  return std::clamp(lifetime, milliseconds(0), kLongest);
}

milliseconds default_jitter(const BasicDatasetOptions<std::string>& options) {
  return options.refresh_jitter.value_or(options.refresh_every / 20);
}

milliseconds default_fresh_for(const BasicDatasetOptions<std::string>& options) {
  if (options.fresh_for) return *options.fresh_for;
  if (options.refresh_every == milliseconds(0)) return ttl::kMedium;
  return within_a_century(options.refresh_every) + within_a_century(default_jitter(options)) +
         within_a_century(options.hard_timeout);
}

std::optional<milliseconds> lifetime_from(std::optional<milliseconds> given) {
  if (given) return std::max(*given, milliseconds(0));
  return given;
}

std::optional<WallTime> believable(std::optional<WallTime> last_fetch, WallTime now) {
  if (!last_fetch || *last_fetch > now + kMaxClockAhead) return std::nullopt;
  return last_fetch;
}

Clocks believable(const Clocks& clocks, WallTime now) {
  Clocks good = clocks;
  good.last_fetch = believable(clocks.last_fetch, now);
  good.last_rich_fetch = believable(clocks.last_rich_fetch, now);
  if (good.invalidated_at && *good.invalidated_at > now + kMaxClockAhead) {
    good.invalidated_at = std::max(now, good.last_fetch.value_or(now));
  }
  return good;
}

Lifetimes judge(const Entry& entry, const AgePolicy& policy, const Now& now) {
  const milliseconds fresh_for = within_a_century(entry.fresh_for.value_or(policy.fresh_for));
  const milliseconds stale_for = within_a_century(policy.stale_for);
  const auto last_fetch = believable(entry.clocks.last_fetch, now.wall);
  const milliseconds age = last_fetch ? now.wall - *last_fetch : fresh_for;

  Lifetimes lifetimes;
  lifetimes.trusted_until = now.ticks + std::min(policy.trust_for, kLongest).count();
  lifetimes.fetched_at = now.ticks - age.count();
  lifetimes.fresh_until = lifetimes.fetched_at + fresh_for.count();
  lifetimes.stale_until = lifetimes.fresh_until + stale_for.count();
  const auto& invalidated = entry.clocks.invalidated_at;
  if (invalidated && last_fetch && *last_fetch <= *invalidated) {
    const milliseconds since = std::max(milliseconds(0), now.wall - *invalidated);
    lifetimes.fresh_until = std::min(lifetimes.fresh_until, now.ticks - since.count());
  }
  return lifetimes;
}

Freshness freshness_at(const Lifetimes& lifetimes, Ticks ticks) {
  if (ticks < lifetimes.fresh_until) return Freshness::fresh;
  return ticks < lifetimes.stale_until ? Freshness::stale : Freshness::expired;
}

milliseconds age_at(const Lifetimes& lifetimes, Ticks ticks) {
  return milliseconds(std::max<Ticks>(0, ticks - lifetimes.fetched_at));
}

bool is_servable(const Lifetimes& lifetimes, Ticks ticks, std::optional<milliseconds> max_stale) {
  if (ticks < lifetimes.fresh_until) return true;
  if (!max_stale) return ticks < lifetimes.stale_until;
  return ticks - lifetimes.fresh_until < std::min(*max_stale, kLongest).count();
}

}  // namespace tiercache::detail
