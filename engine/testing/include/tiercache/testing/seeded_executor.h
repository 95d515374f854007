// Runs a whole cache on one thread, in an order and at times that a seed decides.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "tiercache/executor.h"
#include "tiercache/testing/manual_clock.h"

namespace tiercache::testing {

// Tasks wait in a bag; each step runs one that the seed picks. Time moves only when nothing is
// ready: to the next timer, at most to the limit asked for. `Event::wait_until` runs steps (nested)
// until the event is set or time has reached the deadline, so blocking code runs in one thread too.
// One thread only.
class SeededExecutor final : public Executor {
 public:
  // Of one clock and one seed everything happens in one order.
  SeededExecutor(std::shared_ptr<ManualClock> clock, std::uint64_t seed);
  ~SeededExecutor() override;

  void post(Lane lane, Task task) override;
  TimerId schedule(SteadyTime when, Lane lane, Task task) override;
  bool cancel(TimerId timer) override;
  std::shared_ptr<Event> make_event() override;
  // Drops everything queued. Returns 0: nothing can be running.
  int shutdown(SteadyTime deadline) override;

  // Runs one ready task; false when none is ready.
  bool step();
  // Runs ready tasks until none is; timers whose time has not come stay.
  void run_ready();
  // Moves time on by `by`, running what becomes due in order.
  void run_for(std::chrono::nanoseconds by);
  // Runs, moving time as needed, until `done` or until `limit` of time has passed; returns
  // `done()`.
  bool run_until(const std::function<bool()>& done,
                 std::chrono::nanoseconds limit = std::chrono::hours(1));
  // As a task that takes time: others run meanwhile.
  void sleep_for(std::chrono::nanoseconds by);

  // The clock that it moves.
  ManualClock& clock() { return *clock_; }
  // Ready tasks and timers.
  std::size_t pending() const;

 private:
  struct State;
  std::shared_ptr<ManualClock> clock_;
  std::shared_ptr<State> state_;
};

}  // namespace tiercache::testing
