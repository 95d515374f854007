// A clock of three numbers, for tests of this room alone.
#pragma once

#include <atomic>
#include <chrono>

#include "tiercache/clock.h"

namespace tiercache {

class FakeClock final : public Clock {
 public:
  WallTime wall_now() const override { return WallTime(std::chrono::milliseconds(wall_ms)); }
  SteadyTime steady_now() const override { return coarse_now(); }
  SteadyTime coarse_now() const override {
    return SteadyTime(std::chrono::milliseconds(steady_ms.load()));
  }

  std::atomic<std::int64_t> wall_ms{1'700'000'000'000};
  std::atomic<std::int64_t> steady_ms{0};
};

}  // namespace tiercache
