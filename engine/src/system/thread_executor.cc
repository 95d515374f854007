#include <array>
#include <condition_variable>
#include <mutex>

#include "system/process.h"
#include "system/timer_queue.h"
#include "system/worker_pool.h"
#include "tiercache/executor.h"

namespace tiercache {

namespace {

class ThreadEvent final : public Event {
 public:
  void set() override {
    // Notifies under the lock, because a waiter that wakes may drop the last reference at once.
    std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }

  bool wait_until(SteadyTime deadline) override {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;  // guarded by `mutex_`
};

// Owns nothing that a running task needs: the pools belong to their threads as well, and a timer's
// task brings along the queue that it is taken from. So one of its own tasks may destroy the
// executor.
class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(const ThreadCounts& counts)
      : pools_{std::make_shared<WorkerPool>("tiercache-comp", counts.compute),
               std::make_shared<WorkerPool>("tiercache-disk", counts.disk),
               std::make_shared<WorkerPool>("tiercache-store", counts.store),
               std::make_shared<WorkerPool>("tiercache-call", counts.callback)},
        timers_(std::make_shared<TimerQueue>([pools = pools_](Lane lane, Task task) {
          pools[static_cast<std::size_t>(lane)]->post(std::move(task));
        })) {}

  ~ThreadExecutor() override {
    if (forks_so_far() == forks_at_start_) {
      shutdown(SteadyTime{});
      return;
    }
    for (const auto& pool : pools_) keep_for_ever(pool);
    keep_for_ever(timers_);
  }

  void post(Lane lane, Task task) override {
    pools_[static_cast<std::size_t>(lane)]->post(std::move(task));
  }

  TimerId schedule(SteadyTime when, Lane lane, Task task) override {
    return timers_->schedule(when, lane, std::move(task));
  }

  bool cancel(TimerId timer) override { return timers_->cancel(timer); }

  std::shared_ptr<Event> make_event() override { return std::make_shared<ThreadEvent>(); }

  int shutdown(SteadyTime deadline) override {
    timers_->close();
    for (const auto& pool : pools_) pool->close();
    int running = 0;
    for (const auto& pool : pools_) running += pool->wait(deadline);
    return running;
  }

 private:
  static constexpr std::size_t kLanes = 4;
  const std::uint32_t forks_at_start_ = forks_so_far();
  const std::array<std::shared_ptr<WorkerPool>, kLanes> pools_;
  const std::shared_ptr<TimerQueue> timers_;
};

}  // namespace

std::shared_ptr<Executor> thread_executor(ThreadCounts counts) {
  return std::make_shared<ThreadExecutor>(counts);
}

}  // namespace tiercache
