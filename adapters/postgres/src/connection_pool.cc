#include "connection_pool.h"

#include <string_view>

namespace tiercache::postgres {

namespace {

// A firewall or pooler in between may have forgotten a connection that was idle for longer.
constexpr std::chrono::minutes kMaxIdle{5};

// Whether connecting failed because of settings of the session. Postgres says «unrecognized
// configuration parameter» and names the setting; pgbouncer and its like say «unsupported startup
// parameter».
bool refuses_session_options(const Failure& failure) {
  const std::string_view what = failure.what();
  return what.find("startup parameter") != what.npos ||
         what.find("client_connection_check_interval") != what.npos ||
         what.find("unsupported") != what.npos;
}

}  // namespace

ConnectionPool::ConnectionPool(const Options& options) : options_(options), server_(options) {}

ConnectionPool::Lease ConnectionPool::acquire() {
  while (std::unique_ptr<Connection> connection = take_idle()) {
    if (connection->is_quiet()) return Lease(*this, std::move(connection), true);
  }
  return Lease(*this, connect(), false);
}

void ConnectionPool::forget_idle() {
  std::vector<Idle> closed;
  std::lock_guard lock(mutex_);
  closed.swap(idle_);
}

std::unique_ptr<Connection> ConnectionPool::take_idle() {
  const SteadyTime now = options_.clock->steady_now();
  std::vector<Idle> closed;
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return nullptr;
  Idle last = std::move(idle_.back());
  idle_.pop_back();
  if (now - last.since <= kMaxIdle) return std::move(last.connection);
  closed.swap(idle_);
  return nullptr;
}

std::unique_ptr<Connection> ConnectionPool::connect() {
  if (session_options_) {
    try {
      return std::make_unique<Connection>(server_, true, options_.prepared);
    } catch (const Failure& failure) {
      if (!refuses_session_options(failure)) throw;
      session_options_ = false;
    }
  }
  return std::make_unique<Connection>(server_, false, options_.prepared);
}

void ConnectionPool::put_back(std::unique_ptr<Connection> connection) {
  if (!connection) return;
  const SteadyTime now = options_.clock->steady_now();
  std::lock_guard lock(mutex_);
  idle_.push_back({std::move(connection), now});
}

}  // namespace tiercache::postgres
