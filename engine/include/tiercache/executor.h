// The port through which the cache runs work and waits. Everything that waits does so for an event
// of an executor, so a whole cache can run in one thread and reproducibly on
// `testing::SeededExecutor`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "tiercache/time.h"

namespace tiercache {

// Where a task runs. Lanes keep work that may block from starving work that may not.
enum class Lane : std::uint8_t {
  compute,   // short, waits for nothing: handlers, timers' work, bookkeeping
  disk,      // local file operations
  store,     // calls into the `Store` port, each bounded by its deadline
  callback,  // the user's refresh callbacks, which may hang, and saving what they return
};

// A flag that is set once and that threads can wait for. Thread-safe.
class Event {
 public:
  virtual ~Event() = default;
  // Sets the flag and wakes all who wait. Nobody waits from then on. Idempotent.
  virtual void set() = 0;
  // Waits for the flag. Returns true once it is set, false if `deadline` passed first.
  virtual bool wait_until(SteadyTime deadline) = 0;
};

// Runs tasks, now or later. Thread-safe. A task never runs inside the call that posts it, and must
// not throw. After `shutdown` tasks are dropped without having run; the cache answers its callers
// from the destructors of what such tasks hold, so a dropped task must be destroyed.
class Executor {
 public:
  // What is run, once or not at all.
  using Task = std::function<void()>;
  // Names a scheduled task; 0 is never used.
  using TimerId = std::uint64_t;

  virtual ~Executor() = default;

  // Runs `task` on `lane` as soon as the lane has room. Tasks of a lane need not keep their order.
  virtual void post(Lane lane, Task task) = 0;
  // Runs `task` on `lane` once `when` has passed, or at once if it has already.
  virtual TimerId schedule(SteadyTime when, Lane lane, Task task) = 0;
  // Takes a scheduled task back. Returns true if it had not started; then it will never run.
  virtual bool cancel(TimerId timer) = 0;
  // Returns an event that is not set yet. It may outlive the executor.
  virtual std::shared_ptr<Event> make_event() = 0;

  // Takes no more work, drops what is queued, and waits until `deadline` for running tasks. Returns
  // how many tasks still run; their threads are left to finish by themselves. Idempotent.
  virtual int shutdown(SteadyTime deadline) = 0;
};

// How many threads the default executor may use for each lane. Threads start when they are first
// needed. Less than 1 counts as 1.
struct ThreadCounts {
  int compute = 1;   // for `Lane::compute`
  int disk = 1;      // for `Lane::disk`
  int store = 3;     // for `Lane::store`: calls into the store that run side by side
  int callback = 8;  // for `Lane::callback`: refresh callbacks that run side by side
};

// Returns the default executor, which has threads of its own, and timers by the machine's monotonic
// clock.
std::shared_ptr<Executor> thread_executor(ThreadCounts counts = {});

}  // namespace tiercache
