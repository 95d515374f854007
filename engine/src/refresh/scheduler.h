// Starts refreshes when they are due by the persisted clocks, so that a restart neither skips nor
// repeats one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/schedule.h"
#include "tiercache/clock.h"
#include "tiercache/entry.h"
#include "tiercache/executor.h"

namespace tiercache {

// When the next turn is due; `WallTime::max()` for never. It is due at once if there is no `last`,
// or if `last` is more than a minute ahead of `now`. `spread`, from 0 to 1, places the turn within
// the jitter; 0.5 does not move it. A pure function.
WallTime due_at(const Schedule& schedule, std::optional<WallTime> last, WallTime now,
                double spread);

// Turns are due by the time of day, because that is what is persisted. The time of day may jump, so
// it is looked at at least once a minute. A jump ahead is thus noticed within a minute; after a
// jump back of more than a minute, the turns whose last fetch now lies in the future are due at
// once.
//
// Thread-safe. `executor` and `clock` are used until `stop`; destroying the scheduler stops it.
class Scheduler {
 public:
  // Called on the compute lane when a turn is due, under no lock. What it throws is dropped.
  // `lateness` is how long after its due time the turn starts.
  using Due =
      std::function<void(const EntryId& id, Cadence cadence, std::chrono::milliseconds lateness)>;
  Scheduler(Executor& executor, const Clock& clock, Due due, std::uint64_t seed);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Arms the key's next turn, or arms it anew, by its last fetch. A key has at most one turn per
  // cadence. Once `due` was called the key is unarmed until it is armed again. A schedule of 0
  // disarms the cadence.
  void arm(const EntryId& id, Cadence cadence, const Schedule& schedule,
           std::optional<WallTime> last);
  // Arms the key for a given time, as is done after a failure.
  void arm_at(const EntryId& id, Cadence cadence, WallTime when);
  void disarm(const EntryId& id);
  // Forgets every turn. `due` does not begin after this, but a call that is under way on another
  // thread may still run.
  void stop();
  std::size_t armed() const;
  std::optional<WallTime> next(const EntryId& id, Cadence cadence) const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the timer's task
};

}  // namespace tiercache
