// The threads of one lane and the queue they work off.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "tiercache/time.h"

namespace tiercache {

// Starts a thread of the library: named for `top` and debuggers, with the host's signals blocked,
// so that its handlers keep running on its own threads. Throws std::system_error when the system
// has none left.
std::thread start_thread(const std::string& name, std::function<void()> body);

// Thread-safe. Held by shared_ptr by its owner and by each of its threads, so that a thread whose
// task outlasts the shutdown finds everything it still touches. Threads start when there is more
// work than idle threads, up to the bound, and sleep on a condition variable when there is none.
class WorkerPool : public std::enable_shared_from_this<WorkerPool> {
 public:
  using Task = std::function<void()>;

  WorkerPool(std::string name, int max_threads);

  // Queues the task; drops it after `close`. When the system refuses a thread, the task waits for
  // one of the running threads or for the next `post`.
  void post(Task task);

  // Takes no more work and drops the queue. Idle threads end.
  void close();
  // After `close`: waits until `deadline` for running tasks, joins the threads that ended, detaches
  // the rest. Returns the number of tasks still running. May be called by one of its own tasks,
  // which is then counted and not waited for, and by several threads at once.
  int wait(SteadyTime deadline);

 private:
  struct Worker {
    std::thread thread;
    std::thread::id id;
    bool running = false;   // inside a task
    bool waiting = false;   // inside `wait`, called by its task: waiting for it could last for ever
    bool finished = false;  // touches the pool no more
  };

  void start_worker();
  void work(Worker& self);
  Worker* calling_worker();
  template <class Predicate>
  bool all_workers(Predicate predicate) const;

  const std::string name_;
  const std::size_t max_threads_;

  std::mutex mutex_;
  // All below are guarded by `mutex_`.
  std::condition_variable work_or_close_;
  std::condition_variable worker_changed_;
  std::deque<Task> queue_;
  std::list<Worker> workers_;  // a list: workers hold references to theirs
  std::size_t idle_ = 0;       // threads outside a task, those about to wake or begin included
  bool closed_ = false;
};

}  // namespace tiercache
