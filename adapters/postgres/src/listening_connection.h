// A connection that waits for notifications.
//
// It uses libpq's non-blocking calls, because those of libpqxx wait for the server without a bound,
// and a connection that is silent for long may have died without anybody noticing.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "failure.h"
#include "server_address.h"
#include "tiercache/time.h"

struct pg_conn;

namespace tiercache::postgres {

// Used by one thread at a time, though another may shut its socket down. Deadlines are by the
// machine's clock, and hold for everything but the resolver.
class ListeningConnection {
 public:
  // Connects and listens. Throws Failure.
  ListeningConnection(const ServerAddress& server, const std::string& channel, SteadyTime deadline);
  ~ListeningConnection();
  ListeningConnection(const ListeningConnection&) = delete;
  ListeningConnection& operator=(const ListeningConnection&) = delete;

  int socket() const;
  // Returns the number of the server's process for this connection.
  int process() const;
  // Waits for a notification and returns its payload; nullopt if none came by the deadline. Throws
  // Failure if the connection broke.
  std::optional<std::string> next(SteadyTime deadline);

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };

  void connect(SteadyTime deadline);
  void run(const std::string& sql, SteadyTime deadline);
  void read();
  [[noreturn]] void fail(const std::string& what) const;

  const ServerAddress& server_;
  std::unique_ptr<pg_conn, Finish> connection_;
};

}  // namespace tiercache::postgres
