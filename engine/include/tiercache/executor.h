// The port through which the cache runs work and waits. Everything that waits is an event on an
// executor, so a whole cache runs single-threaded and reproducibly on `testing::SeededExecutor`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "tiercache/time.h"

namespace tiercache {

// Where a task runs. Lanes keep work that may block from starving work that may not.
enum class Lane : std::uint8_t {
  compute,   // short, never blocks: handlers, timers' work, bookkeeping
  disk,      // local file operations
  store,     // calls into the `Store` port, each bounded by its deadline
  callback,  // the user's refresh callbacks; may hang
};

// A one-shot flag that a thread can wait for.
class Event {
 public:
  virtual ~Event() = default;
  // Wakes all waiters, now and later. Idempotent.
  virtual void set() = 0;
  // Returns true once set, false when `deadline` passed first.
  virtual bool wait_until(SteadyTime deadline) = 0;
};

// Runs tasks, now or later. Thread-safe. A task never runs inside the call that posts it. Tasks
// must not throw. After `shutdown` tasks are dropped without having run: what must be answered in
// any case is answered by the destructor of what the task holds.
class Executor {
 public:
  // What is run, once or not at all.
  using Task = std::function<void()>;
  // Names a scheduled task; 0 is never used.
  using TimerId = std::uint64_t;

  virtual ~Executor() = default;

  // Runs `task` on `lane` as soon as the lane has room. Tasks of a lane need not keep their order.
  virtual void post(Lane lane, Task task) = 0;
  // Runs `task` on `lane` once `when` has passed (at once if it has).
  virtual TimerId schedule(SteadyTime when, Lane lane, Task task) = 0;
  // True when the task was taken back before it started; it will never run then.
  virtual bool cancel(TimerId timer) = 0;
  // An event that is not set yet; it may outlive the executor.
  virtual std::shared_ptr<Event> make_event() = 0;

  // Stops taking work, drops what is queued, waits until `deadline` for running tasks. Returns the
  // number of tasks still running, whose threads are left to finish by themselves. Idempotent.
  virtual int shutdown(SteadyTime deadline) = 0;
};

// How many threads the default executor may use per lane; threads start when first needed.
// Less than 1 counts as 1.
struct ThreadCounts {
  int compute = 1;   // for `Lane::compute`
  int disk = 1;      // for `Lane::disk`
  int store = 3;     // for `Lane::store`: calls into the store that run side by side
  int callback = 8;  // for `Lane::callback`: refresh callbacks that run side by side
};

// The default: threads of its own, timers by the machine's monotonic clock.
std::shared_ptr<Executor> thread_executor(ThreadCounts counts = {});

}  // namespace tiercache
