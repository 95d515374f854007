#include "system/worker_pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

namespace tiercache {

namespace {

// Blocks all signals, except those that a thread's own faults and profilers raise. A thread started
// meanwhile inherits that.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t blocked;
    ::sigfillset(&blocked);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
      ::sigdelset(&blocked, own);
    }
    ::pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

std::thread start_thread(const std::string& name, std::function<void()> body) {
  const SignalsBlocked inherited;
  std::thread thread(std::move(body));
  ::pthread_setname_np(thread.native_handle(), name.c_str());
  return thread;
}

WorkerPool::WorkerPool(std::string name, int max_threads)
    : name_(std::move(name)), max_threads_(static_cast<std::size_t>(std::max(max_threads, 1))) {}

void WorkerPool::post(Task task) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    queue_.push_back(std::move(task));
    wake = idle_ > 0;
    if (queue_.size() > idle_ && workers_.size() < max_threads_) start_worker();
  }
  if (wake) work_or_close_.notify_one();
}

// The first thing a new thread does is to take `mutex_`, so it sees its `Worker` complete.
void WorkerPool::start_worker() {
  Worker& worker = workers_.emplace_back();
  try {
    worker.thread =
        start_thread(name_, [self = shared_from_this(), &worker] { self->work(worker); });
    worker.id = worker.thread.get_id();
    ++idle_;
  } catch (const std::system_error&) {
    workers_.pop_back();
  }
}

void WorkerPool::work(Worker& self) {
  std::unique_lock lock(mutex_);
  while (true) {
    work_or_close_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    if (closed_) break;
    --idle_;
    Task task = std::move(queue_.front());
    queue_.pop_front();
    self.state = State::running;
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
    self.state = State::idle;
    ++idle_;
  }
  self.state = State::finished;
  worker_changed_.notify_all();
}

void WorkerPool::close() {
  std::deque<Task> dropped;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(queue_);
  }
  work_or_close_.notify_all();
}

template <class Predicate>
bool WorkerPool::all_workers(Predicate predicate) const {
  return std::all_of(workers_.begin(), workers_.end(), predicate);
}

WorkerPool::Worker* WorkerPool::calling_worker() {
  const auto self = std::find_if(workers_.begin(), workers_.end(), [](const Worker& w) {
    return w.id == std::this_thread::get_id() && w.state != State::finished;
  });
  return self == workers_.end() ? nullptr : &*self;
}

int WorkerPool::wait(SteadyTime deadline) {
  std::vector<std::thread> ended;
  std::unique_lock lock(mutex_);
  Worker* const caller = calling_worker();
  if (caller) {
    caller->state = State::waiting;
    worker_changed_.notify_all();
  }
  worker_changed_.wait_until(lock, deadline, [this] {
    return all_workers(
        [](const Worker& w) { return w.state == State::finished || w.state == State::waiting; });
  });
  // Threads outside a task end at once, so they are waited for whatever the deadline is.
  worker_changed_.wait(
      lock, [this] { return all_workers([](const Worker& w) { return w.state != State::idle; }); });
  int running = 0;
  for (Worker& worker : workers_) {
    const bool finished = worker.state == State::finished;
    if (!finished) ++running;
    if (!worker.thread.joinable()) continue;
    if (finished) {
      ended.push_back(std::move(worker.thread));
    } else {
      worker.thread.detach();
    }
  }
  if (caller) caller->state = State::running;
  lock.unlock();
  for (std::thread& thread : ended) thread.join();
  return running;
}

}  // namespace tiercache
