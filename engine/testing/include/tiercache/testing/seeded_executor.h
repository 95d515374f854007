// Runs a whole cache in one thread, in an order and at times that a seed decides.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "tiercache/executor.h"
#include "tiercache/testing/manual_clock.h"

namespace tiercache::testing {

// Tasks wait in a bag, and each step runs one that the seed picks. Time moves only when nothing is
// ready: to the next timer, but not beyond the limit asked for. `Event::wait_until` runs steps
// itself, nested, until the event is set or time has reached the deadline, so that blocking code
// runs in one thread too. To be used by one thread only.
class SeededExecutor final : public Executor {
 public:
  // With the same clock and the same seed everything happens in the same order.
  SeededExecutor(std::shared_ptr<ManualClock> clock, std::uint64_t seed);
  ~SeededExecutor() override;

  void post(Lane lane, Task task) override;
  TimerId schedule(SteadyTime when, Lane lane, Task task) override;
  bool cancel(TimerId timer) override;
  std::shared_ptr<Event> make_event() override;
  // Drops everything that is queued. Returns 0, because nothing can be running.
  int shutdown(SteadyTime deadline) override;

  // Runs one ready task. Returns false if there is none.
  bool step();
  // Runs ready tasks until there is none. Timers whose time has not come stay.
  void run_ready();
  // Moves time on by `by`, and runs in order what becomes due.
  void run_for(std::chrono::nanoseconds by);
  // Runs tasks and moves time as needed, until `done` or until `limit` of time has passed. Returns
  // `done()`.
  bool run_until(const std::function<bool()>& done,
                 std::chrono::nanoseconds limit = std::chrono::hours(1));
  // Behaves like a task that takes time; others run meanwhile.
  void sleep_for(std::chrono::nanoseconds by);

  // The clock that this executor moves.
  ManualClock& clock() { return *clock_; }
  // Returns how many ready tasks and timers there are.
  std::size_t pending() const;

 private:
  struct State;
  std::shared_ptr<ManualClock> clock_;
  std::shared_ptr<State> state_;
};

}  // namespace tiercache::testing
