// The port through which the cache reads time. Replace it to run a cache on a manual clock.
#pragma once

#include <memory>

#include "tiercache/time.h"

namespace tiercache {

// Thread-safe. Implementations never block and never throw.
class Clock {
 public:
  virtual ~Clock() = default;

  // Time of day. May jump either way.
  virtual WallTime wall_now() const = 0;
  // Monotonic time, exact.
  virtual SteadyTime steady_now() const = 0;
  // Monotonic time, at most some milliseconds behind `steady_now()`; the cheapest reading there is.
  virtual SteadyTime coarse_now() const = 0;
};

// The machine's clock.
std::shared_ptr<Clock> system_clock();

}  // namespace tiercache
