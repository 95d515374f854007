// The cheapest reading of a clock that there is, without a virtual call, for the hit path.
#pragma once

#include <ctime>

#include "tiercache/time.h"

namespace tiercache {

// Reads CLOCK_MONOTONIC_COARSE, which takes some 5 ns and is at most one scheduler tick (1 to 10
// ms) behind.
inline SteadyTime system_coarse_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return SteadyTime(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace tiercache
