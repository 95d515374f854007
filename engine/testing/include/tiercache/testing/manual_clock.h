// A clock that stands still until a test moves it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "tiercache/clock.h"

namespace tiercache::testing {

// Thread-safe. The wall clock and the monotonic clock start at fixed values, and move together
// except by `set_wall`.
class ManualClock final : public Clock {
 public:
  // `start` is the time of day to begin with.
  explicit ManualClock(WallTime start = WallTime(std::chrono::milliseconds(1'700'000'000'000)));

  WallTime wall_now() const override;
  SteadyTime steady_now() const override;
  SteadyTime coarse_now() const override;

  // Moves both clocks on, but runs no timer: `SeededExecutor::run_for` moves time and runs what
  // becomes due.
  void advance(std::chrono::nanoseconds by);
  // Makes the time of day jump; the monotonic clock does not.
  void set_wall(WallTime now);

 private:
  std::atomic<std::int64_t> wall_offset_ns_;
  std::atomic<std::int64_t> steady_ns_;
};

}  // namespace tiercache::testing
