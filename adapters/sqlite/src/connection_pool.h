// A bounded number of connections, which are opened when they are first needed, and again after
// they broke.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "connection.h"

namespace tiercache::sqlite {

// Thread-safe. Must outlive its leases.
class ConnectionPool {
 public:
  // The use of one connection. At the end it goes back to the pool, or is closed if it broke: the
  // next use then opens a new one, and so finds a file that was mended, replaced or unlocked
  // meanwhile.
  class Lease {
   public:
    Lease(ConnectionPool& pool, std::unique_ptr<Connection> connection)
        : pool_(pool), connection_(std::move(connection)) {}
    ~Lease() { pool_.put_back(std::move(connection_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    Connection& operator*() { return *connection_; }
    void broke() { connection_.reset(); }

   private:
    ConnectionPool& pool_;
    std::unique_ptr<Connection> connection_;
  };

  ConnectionPool(const Options& options, int size) : options_(options), free_(size) {}

  // Waits for a free connection until `deadline`. Throws SqlError.
  Lease acquire(SteadyTime deadline);

 private:
  void wait_for_turn(SteadyTime deadline);
  std::unique_ptr<Connection> take_idle();
  void put_back(std::unique_ptr<Connection> connection);

  const Options& options_;
  std::mutex mutex_;
  // Everything below is guarded by `mutex_`.
  std::condition_variable freed_;
  int free_;  // how many connections may be taken, open or not
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace tiercache::sqlite
