#include "system/timer_queue.h"

#include <chrono>
#include <system_error>

#include "system/worker_pool.h"

namespace tiercache {

TimerQueue::TimerId TimerQueue::schedule(SteadyTime when, Lane lane, Task task) {
  const bool due = when <= std::chrono::steady_clock::now();
  TimerId timer = 0;
  {
    std::lock_guard lock(mutex_);
    timer = ++last_timer_;
    if (closed_) return timer;
    timers_.emplace(timer, Timer{lane, std::move(task), when});
    if (!due) {
      const auto place = not_yet_due_.emplace(when, timer).first;
      start_thread_if_none();
      if (place == not_yet_due_.begin()) changed_.notify_one();
    }
  }
  if (due) hand_over(timer, lane);
  return timer;
}

bool TimerQueue::cancel(TimerId timer) {
  return take(timer) != nullptr;
}

TimerQueue::Task TimerQueue::take(TimerId timer) {
  std::lock_guard lock(mutex_);
  const auto found = timers_.find(timer);
  if (found == timers_.end()) return nullptr;
  Task task = std::move(found->second.task);
  not_yet_due_.erase({found->second.when, timer});
  timers_.erase(found);
  return task;
}

void TimerQueue::hand_over(TimerId timer, Lane lane) {
  post_(lane, [self = shared_from_this(), timer] {
    if (const Task task = self->take(timer)) task();
  });
}

// If the system refuses to start the thread, the next timer tries again.
void TimerQueue::start_thread_if_none() {
  if (thread_.joinable()) return;
  try {
    thread_ = start_thread("tiercache-timer", [this] { run(); });
  } catch (const std::system_error&) {
  }
}

void TimerQueue::run() {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    if (not_yet_due_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto [when, timer] = *not_yet_due_.begin();
    if (when > std::chrono::steady_clock::now()) {
      changed_.wait_until(lock, when);
      continue;
    }
    not_yet_due_.erase(not_yet_due_.begin());
    const Lane lane = timers_.at(timer).lane;
    lock.unlock();
    hand_over(timer, lane);
    lock.lock();
  }
}

void TimerQueue::close() {
  std::unordered_map<TimerId, Timer> dropped;
  std::thread ended;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(timers_);
    not_yet_due_.clear();
    ended = std::move(thread_);
  }
  changed_.notify_all();
  if (ended.joinable()) ended.join();
}

}  // namespace tiercache
