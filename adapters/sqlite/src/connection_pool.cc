#include "connection_pool.h"

#include <algorithm>
#include <chrono>

namespace tiercache::sqlite {

namespace {

// The longest wait that can be added to the machine's time without overflow.
constexpr std::chrono::nanoseconds kLongestWait = std::chrono::hours(24 * 365);

}  // namespace

ConnectionPool::Lease ConnectionPool::acquire(SteadyTime deadline) {
  wait_for_turn(deadline);
  try {
    std::unique_ptr<Connection> connection = take_idle();
    if (connection) connection->set_deadline(deadline);
    if (connection && connection->lost_its_file()) connection.reset();
    if (!connection) connection = std::make_unique<Connection>(options_, deadline);
    return Lease(*this, std::move(connection));
  } catch (...) {
    put_back(nullptr);
    throw;
  }
}

// The deadline is a time of the options' clock, but the wait goes by the machine's, so it is given
// what is left until then.
void ConnectionPool::wait_for_turn(SteadyTime deadline) {
  const SteadyTime now = options_.clock->steady_now();
  const auto can_take = [this] { return free_ > 0; };
  std::unique_lock lock(mutex_);
  if (deadline == kNever) {
    freed_.wait(lock, can_take);
  } else if (now >= deadline ||
             !freed_.wait_for(lock, std::min(deadline - now, kLongestWait), can_take)) {
    throw SqlError(SQLITE_BUSY, options_.path + ": the deadline passed");
  }
  --free_;
}

std::unique_ptr<Connection> ConnectionPool::take_idle() {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return nullptr;
  std::unique_ptr<Connection> connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void ConnectionPool::put_back(std::unique_ptr<Connection> connection) {
  if (connection && connection->in_transaction()) connection.reset();
  {
    std::lock_guard lock(mutex_);
    if (connection) idle_.push_back(std::move(connection));
    ++free_;
  }
  freed_.notify_one();
}

}  // namespace tiercache::sqlite
