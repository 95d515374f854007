// Holds tasks until their time has come.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

#include "tiercache/executor.h"

namespace tiercache {

// Thread-safe. One thread, started by the first timer, hands what is due to the lanes; it never
// runs or destroys a task itself. A timer can be cancelled until its task starts, even when it
// already queues in its lane.
class TimerQueue : public std::enable_shared_from_this<TimerQueue> {
 public:
  using Task = Executor::Task;
  using TimerId = Executor::TimerId;
  using Post = std::function<void(Lane, Task)>;

  explicit TimerQueue(Post post) : post_(std::move(post)) {}

  TimerId schedule(SteadyTime when, Lane lane, Task task);
  bool cancel(TimerId timer);
  // Accepts no more timers, drops those that are there, and ends the thread.
  void close();

 private:
  struct Timer {
    Lane lane = Lane::compute;
    Task task;
    SteadyTime when{};
  };

  void run();
  void start_thread_if_none();
  void hand_over(TimerId timer, Lane lane);
  // Takes the task out of the queue; null if it was taken before.
  Task take(TimerId timer);

  const Post post_;
  std::mutex mutex_;
  // Everything below is guarded by `mutex_`.
  std::condition_variable changed_;
  std::unordered_map<TimerId, Timer> timers_;  // kept until they start or are cancelled
  std::set<std::pair<SteadyTime, TimerId>> not_yet_due_;
  std::thread thread_;
  TimerId last_timer_ = 0;
  bool closed_ = false;
};

}  // namespace tiercache
