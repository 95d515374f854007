// Starts refreshes when they are due by the persisted clocks: a restart neither skips nor doubles
// one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "tiercache/clock.h"
#include "tiercache/entry.h"
#include "tiercache/executor.h"

namespace tiercache {

enum class Cadence : std::uint8_t { normal, rich };

struct Schedule {
  std::chrono::milliseconds every{0};  // 0: never
  std::chrono::milliseconds jitter{
      0};  // each turn is moved by up to this, either way, not before `last`
};

// When the next turn is due; `WallTime::max()` for never. `last` absent, or more than a minute
// ahead of `now`: at once. `spread` (0 to 1, the middle is no move) places the turn within the
// jitter. Pure.
WallTime due_at(const Schedule& schedule, std::optional<WallTime> last, WallTime now,
                double spread);

// Turns are due by the time of day, because that is what is persisted. It may jump: it is looked at
// again at least once a minute, so a jump ahead is noticed within that time, and after a jump back
// of more than a minute the turns whose last fetch now lies in the future are due at once.
//
// Thread-safe. `executor` and `clock` are used until `stop`; destroying the scheduler stops it.
class Scheduler {
 public:
  // Called on the compute lane when a turn is due, under no lock; what it throws is dropped.
  // `lateness`: how long after the due time.
  using Due =
      std::function<void(const EntryId& id, Cadence cadence, std::chrono::milliseconds lateness)>;
  Scheduler(Executor& executor, const Clock& clock, Due due, std::uint64_t seed);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // (Re-)arms the key's next turn by its last fetch. A key has at most one turn per cadence. After
  // `due` was called the key is unarmed until armed again. A schedule of 0 disarms the cadence.
  void arm(const EntryId& id, Cadence cadence, const Schedule& schedule,
           std::optional<WallTime> last);
  // Arms the key for a given time, as after a failure.
  void arm_at(const EntryId& id, Cadence cadence, WallTime when);
  void disarm(const EntryId& id);
  // Forgets every turn. `due` does not begin after this; a call under way on another thread may
  // still run.
  void stop();
  std::size_t armed() const;
  std::optional<WallTime> next(const EntryId& id, Cadence cadence) const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the timer's task
};

}  // namespace tiercache
