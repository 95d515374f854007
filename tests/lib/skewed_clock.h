// The machine's clock with another time of day.
#pragma once

#include <chrono>

#include "tiercache/clock.h"

namespace tiercache::testing {

class SkewedClock final : public Clock {
 public:
  explicit SkewedClock(std::chrono::milliseconds skew) : skew_(skew) {}

  WallTime wall_now() const override { return machine_->wall_now() + skew_; }
  SteadyTime steady_now() const override { return machine_->steady_now(); }
  SteadyTime coarse_now() const override { return machine_->coarse_now(); }

 private:
  const std::shared_ptr<Clock> machine_ = system_clock();
  const std::chrono::milliseconds skew_;
};

}  // namespace tiercache::testing
