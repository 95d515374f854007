// Starts refreshes when they are due by the persisted clocks: a restart neither skips nor doubles one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/backoff.h"
#include "tiercache/clock.h"
#include "tiercache/entry.h"
#include "tiercache/executor.h"

namespace tiercache {

enum class Cadence : std::uint8_t { normal, rich };

struct Schedule {
  std::chrono::milliseconds every{0};   // 0: never
  std::chrono::milliseconds jitter{0};  // each turn is moved by up to this, either way
};

// When the next turn is due. `last` absent, or more than a minute ahead of `now`: at once. `spread`
// (0 to 1) places the turn within the jitter. Pure.
WallTime due_at(const Schedule& schedule, std::optional<WallTime> last, WallTime now, double spread);

// Thread-safe. Owned by shared_ptr, because its timer holds it.
class Scheduler : public std::enable_shared_from_this<Scheduler> {
 public:
  // Called on the compute lane when a turn is due. `lateness`: how long after the due time.
  using Due = std::function<void(const EntryId& id, Cadence cadence, std::chrono::milliseconds lateness)>;
  Scheduler(Executor& executor, const Clock& clock, Due due, std::uint64_t seed);

  // (Re-)arms the key's next turn by its last fetch. A key has at most one turn per cadence. After `due`
  // was called the key is unarmed until armed again.
  void arm(const EntryId& id, Cadence cadence, const Schedule& schedule, std::optional<WallTime> last);
  // Arms the key for a given time, as after a failure.
  void arm_at(const EntryId& id, Cadence cadence, WallTime when);
  void disarm(const EntryId& id);
  void stop();
  std::size_t armed() const;
  std::optional<WallTime> next(const EntryId& id, Cadence cadence) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tiercache
