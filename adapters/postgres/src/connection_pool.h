// The connections that are not in use, and how new ones are made.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "connection.h"
#include "tiercache/postgres.h"

namespace tiercache::postgres {

// Thread-safe. As many connections as threads ask at once: their number is the bound. Outlives its
// leases.
class ConnectionPool {
 public:
  // Use of one connection. It goes back at the end, or is closed when it broke.
  class Lease {
   public:
    Lease(ConnectionPool& pool, std::unique_ptr<Connection> connection, bool reused)
        : pool_(pool), connection_(std::move(connection)), reused_(reused) {}
    ~Lease() { pool_.put_back(std::move(connection_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    Connection& operator*() { return *connection_; }
    Connection* operator->() { return connection_.get(); }
    bool reused() const { return reused_; }
    void broke() { connection_.reset(); }

   private:
    ConnectionPool& pool_;
    std::unique_ptr<Connection> connection_;
    const bool reused_;
  };

  explicit ConnectionPool(const Options& options);

  // An idle connection that still looks alive, else a new one. Throws Failure.
  Lease acquire();
  // Closes what is idle: after the server went away, its connections go with it.
  void forget_idle();

  const ServerAddress& server() const { return server_; }

 private:
  struct Idle {
    std::unique_ptr<Connection> connection;
    SteadyTime since;
  };

  std::unique_ptr<Connection> take_idle();
  std::unique_ptr<Connection> connect();
  void put_back(std::unique_ptr<Connection> connection);

  const Options& options_;
  const ServerAddress server_;
  // Poolers refuse settings of the session; once one did, they are left out.
  std::atomic<bool> session_options_{true};
  std::mutex mutex_;
  std::vector<Idle> idle_;  // guarded by `mutex_`, the last used behind
};

}  // namespace tiercache::postgres
