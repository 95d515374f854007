#include "feed_purging.h"

#include <chrono>

#include "change_feed.h"
#include "tiercache/clock.h"

namespace tiercache::postgres {

namespace {

constexpr std::chrono::hours kPurgeEvery{1};
constexpr std::chrono::seconds kPurgeTimeout{30};

}  // namespace

void FeedPurging::feed_was_read() {
  const std::chrono::hours keep = calls_.options().keep_changes;
  const SteadyTime now = calls_.options().clock->steady_now();
  SteadyTime::rep due = next_.load();
  if (keep.count() == 0 || now.time_since_epoch().count() < due) return;
  const SteadyTime next = now + kPurgeEvery;
  if (!next_.compare_exchange_strong(due, next.time_since_epoch().count())) return;
  calls_.serve_later(
      {.when = system_clock()->steady_now(), .longest = kPurgeTimeout, .effect = Effect::writes},
      [keep](Session& session) { purge_changes(session, keep); });
}

}  // namespace tiercache::postgres
