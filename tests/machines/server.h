// The Postgres that the machines share: what is done to it, and what it holds.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "machines/checker.h"

struct pg_conn;

namespace tiercache::testing {

// Of tests/servers/postgres.sh, whose variables must be set. No threads. Throws when the server
// cannot be used or brought back.
class Server {
 public:
  Server();
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // As a machine reaches it; `pooled`: through pgbouncer in transaction mode.
  std::string url(bool pooled) const;

  enum class Fault : std::uint8_t {
    stopped,     // connections stand, nothing is answered
    crashed,     // every process of the server is gone
    terminated,  // every connection is; nothing to end
    locked,      // another session holds the entries
    held_open,   // another session has a transaction open
    failed,      // of `fail_over`
  };
  static constexpr std::uint64_t kFaults = 5;
  void begin(Fault fault);
  // What began last is over.
  void end();
  bool under_way() const { return under_way_; }

  // The primary dies and its standby takes over; until `end` there is none. Needs
  // `tests/servers/postgres.sh --standby`.
  void fail_over();

  // The rows of all keys, in their order.
  std::vector<Standing> rows();

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };
  using Connection = std::unique_ptr<pg_conn, Close>;
  Connection connect() const;
  static void run(const std::string& command);
  pid_t postmaster() const;

  const std::string url_;
  const std::string pooled_;
  const std::string admin_;
  const std::string pid_file_;
  const std::string control_;
  const std::string failover_;
  bool under_way_ = false;
  Fault fault_ = Fault::stopped;
  Connection session_;
  std::vector<pid_t> stopped_;
};

}  // namespace tiercache::testing
