// A connection that waits for notifications.
//
// By libpq's own calls that do not block: those of libpqxx wait for the server without a bound, and
// a connection on which nothing is expected for long is the one that dies unnoticed.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "failure.h"
#include "server_address.h"
#include "tiercache/time.h"

struct pg_conn;

namespace tiercache::postgres {

// One thread at a time, but for `socket`'s being shut down by another. Deadlines are by the
// machine's clock and hold for all but the resolver.
class ListeningConnection {
 public:
  // Connects and listens. Throws Failure.
  ListeningConnection(const ServerAddress& server, const std::string& channel, SteadyTime deadline);
  ~ListeningConnection();
  ListeningConnection(const ListeningConnection&) = delete;
  ListeningConnection& operator=(const ListeningConnection&) = delete;

  int socket() const;
  // The server's, as far as one is told.
  int process() const;
  // The payload of the next notification; nullopt when none came by the deadline. Throws Failure
  // when the connection broke.
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
