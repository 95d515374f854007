#include "call.h"

#include <atomic>
#include <utility>

#include "connection.h"
#include "tiercache/clock.h"

namespace tiercache::postgres {

namespace {

// No more calls than this wait for a thread; others are answered at once.
constexpr int kMaxWaiting = 1'000;

[[noreturn]] void caller_left() {
  throw Failure(Failure::Kind::not_serving, false, "the deadline passed");
}

}  // namespace

void Call::begin(int socket) {
  std::lock_guard lock(mutex_);
  if (left_) caller_left();
  socket_ = socket;
}

void Call::about_to_send() {
  std::lock_guard lock(mutex_);
  if (left_) caller_left();
  sent_ = true;
}

bool Call::end() {
  std::lock_guard lock(mutex_);
  socket_ = -1;
  return !shut_down_;
}

void Call::finish() {
  std::lock_guard lock(mutex_);
  finished_ = true;
}

Call::Left Call::leave() {
  std::lock_guard lock(mutex_);
  if (finished_) return Left::finished;
  left_ = true;
  if (socket_ >= 0) {
    shut_down_ = true;
    shut_down_socket(socket_);
  }
  return sent_ ? Left::in_doubt : Left::unsent;
}

struct Workers::Waiting {
  std::atomic<int> calls{0};
};

Workers::Workers(int threads)
    : executor_(thread_executor({.compute = 1, .disk = 1, .store = threads, .callback = 1})),
      waiting_(std::make_shared<Waiting>()) {}

// Threads whose calls were left are about to end, because their sockets are shut down.
Workers::~Workers() {
  executor_->shutdown(system_clock()->steady_now() + std::chrono::milliseconds(250));
}

Call::Left Workers::run(const std::shared_ptr<Call>& call, std::function<void()> work,
                        SteadyTime deadline) {
  if (waiting_->calls.fetch_add(1) >= kMaxWaiting) {
    waiting_->calls.fetch_sub(1);
    return call->leave();
  }
  // When a caller leaves while its task is still in the queue, it takes `work` with it, and an
  // empty shell stays there.
  struct Task {
    std::mutex mutex;
    std::function<void()> work;
  };
  const auto task = std::make_shared<Task>();
  task->work = std::move(work);
  const auto done = executor_->make_event();
  executor_->post(Lane::store, [task, done, waiting = waiting_] {
    waiting->calls.fetch_sub(1);
    std::function<void()> mine;
    {
      std::lock_guard lock(task->mutex);
      mine = std::move(task->work);
    }
    if (mine) mine();
    done->set();
  });
  if (done->wait_until(deadline)) return Call::Left::finished;
  const Call::Left left = call->leave();
  std::function<void()> dropped;
  {
    std::lock_guard lock(task->mutex);
    dropped = std::move(task->work);
  }
  return left;
}

void Workers::run_later(SteadyTime when, const std::shared_ptr<Call>& call,
                        std::function<void()> work, SteadyTime deadline) {
  executor_->schedule(when, Lane::store, std::move(work));
  executor_->schedule(deadline, Lane::compute, [call] { call->leave(); });
}

}  // namespace tiercache::postgres
