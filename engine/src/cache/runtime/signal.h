// Waiting for a condition that other tasks bring about: a condition variable made of executor
// events.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "tiercache/executor.h"

namespace tiercache::detail {

// Thread-safe. Blocks: `wait`.
class Signal {
 public:
  explicit Signal(Executor& executor) : executor_(executor) {}

  // Something that a waiter's condition depends on has changed.
  void notify();
  // Returns `condition()` as soon as it is true, at the latest at `deadline`. It is evaluated on
  // the waiting thread, under no lock.
  bool wait(SteadyTime deadline, const std::function<bool()>& condition);

 private:
  Executor& executor_;
  Mutex mutex_;
  std::vector<std::shared_ptr<Event>> waiting_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache::detail
