#include "tiercache/testing/manual_clock.h"

namespace tiercache::testing {

namespace {

// Far enough from zero that tests can look back, and different from any time of day.
constexpr std::chrono::nanoseconds kSteadyStart = std::chrono::hours(1000);

std::int64_t ns_since_epoch(WallTime time) {
  return std::chrono::nanoseconds(time.time_since_epoch()).count();
}

}  // namespace

ManualClock::ManualClock(WallTime start)
    : wall_offset_ns_(ns_since_epoch(start) - kSteadyStart.count()),
      steady_ns_(kSteadyStart.count()) {}

WallTime ManualClock::wall_now() const {
  const std::chrono::nanoseconds now(steady_ns_.load() + wall_offset_ns_.load());
  return WallTime(std::chrono::floor<std::chrono::milliseconds>(now));
}

SteadyTime ManualClock::steady_now() const {
  return SteadyTime(std::chrono::nanoseconds(steady_ns_.load()));
}

SteadyTime ManualClock::coarse_now() const {
  return steady_now();
}

void ManualClock::advance(std::chrono::nanoseconds by) {
  steady_ns_.fetch_add(by.count());
}

void ManualClock::set_wall(WallTime now) {
  wall_offset_ns_.store(ns_since_epoch(now) - steady_ns_.load());
}

}  // namespace tiercache::testing
