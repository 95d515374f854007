// Keeps the connections that are not in use, and makes new ones.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "connection.h"
#include "tiercache/postgres.h"

namespace tiercache::postgres {

// Thread-safe. There are never more connections than threads that use them, whose number is
// bounded. Must outlive its leases.
class ConnectionPool {
 public:
  // The use of one connection, which goes back to the pool at the end, or is closed if it broke.
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

  // Returns an idle connection that still looks alive, or a new one. Throws Failure.
  Lease acquire();
  // Closes the idle connections. When one of them broke, the others are likely to have broken too.
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
  // Whether connections ask for settings of the session. Poolers refuse those; once one did, they
  // are left out.
  std::atomic<bool> session_options_{true};
  std::mutex mutex_;
  std::vector<Idle> idle_;  // guarded by `mutex_`; the one used last is at the end
};

}  // namespace tiercache::postgres
