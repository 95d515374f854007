// The threads of one lane, and the queue of tasks that they work off.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "tiercache/time.h"

namespace tiercache {

// Starts a thread of the library. It has a name, for `top` and debuggers, and blocks the host's
// signals, so that their handlers keep running on the host's own threads. Throws std::system_error
// when the system has no thread left.
std::thread start_thread(const std::string& name, std::function<void()> body);

// Thread-safe. Both its owner and each of its threads hold it by shared_ptr, so that a thread whose
// task outlasts the shutdown finds everything that it still touches. Threads are started, up to the
// bound, when there is more work than idle threads, and sleep on a condition variable when there is
// none.
class WorkerPool : public std::enable_shared_from_this<WorkerPool> {
 public:
  using Task = std::function<void()>;

  WorkerPool(std::string name, int max_threads);

  // Queues the task, or drops it after `close`. If the system refuses to start a thread, the task
  // waits for one of the running threads or for the next `post`.
  void post(Task task);

  // Accepts no more work and drops the queue. Idle threads end.
  void close();
  // Called after `close`. Waits for running tasks until `deadline`, joins the threads that have
  // ended, and detaches the rest. Returns the number of tasks still running. May be called by one
  // of its own tasks, which is then counted but not waited for, and by several threads at once.
  int wait(SteadyTime deadline);

 private:
  enum class State : std::uint8_t {
    idle,
    running,   // inside a task
    waiting,   // inside a task that is inside `wait`; to wait for it there could last for ever
    finished,  // does not touch the pool any more
  };
  struct Worker {
    std::thread thread;
    std::thread::id id;
    State state = State::idle;
  };

  void start_worker();
  void work(Worker& self);
  Worker* calling_worker();
  template <class Predicate>
  bool all_workers(Predicate predicate) const;

  const std::string name_;
  const std::size_t max_threads_;

  std::mutex mutex_;
  // Everything below is guarded by `mutex_`.
  std::condition_variable work_or_close_;
  std::condition_variable worker_changed_;
  std::deque<Task> queue_;
  std::list<Worker> workers_;  // a list, because each thread holds a reference to its worker
  std::size_t idle_ = 0;       // threads outside a task, including those about to wake or begin
  bool closed_ = false;
};

}  // namespace tiercache
