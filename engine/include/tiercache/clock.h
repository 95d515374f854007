// The port through which the cache reads time. Replace it to run a cache on a manual clock.
#pragma once

#include <memory>

#include "tiercache/time.h"

namespace tiercache {

// Where the cache reads the time. Implementations must be thread-safe, and never block or throw.
class Clock {
 public:
  virtual ~Clock() = default;

  // Returns the time of day, which may jump either way.
  virtual WallTime wall_now() const = 0;
  // Returns the exact monotonic time.
  virtual SteadyTime steady_now() const = 0;
  // Returns the monotonic time, at most some milliseconds behind `steady_now()`. This is the
  // cheapest reading there is.
  virtual SteadyTime coarse_now() const = 0;
};

// Returns the machine's clock.
std::shared_ptr<Clock> system_clock();

}  // namespace tiercache
