// One connection to the server: its statements, its schema, its socket.
#pragma once

#include <string>

#include "failure.h"
#include "pqxx_shim.h"
#include "server_address.h"

namespace tiercache::postgres {

// Wakes whoever waits on the socket; the socket stays open.
void shut_down_socket(int socket);

// A descriptor of its own of a connection's socket: it stays that until the destructor, even where
// libpq closes its own and the number becomes another file's.
class OwnSocket {
 public:
  // Throws Failure when no descriptor is left.
  explicit OwnSocket(int socket);
  ~OwnSocket();
  OwnSocket(const OwnSocket&) = delete;
  OwnSocket& operator=(const OwnSocket&) = delete;

  int get() const { return socket_; }

 private:
  const int socket_;
};

// SQL with its name where statements are prepared.
struct Statement {
  const char* name;
  const char* sql;
};

// One thread at a time, but for `socket`'s being shut down by another.
class Connection {
 public:
  // Connects; waits by the URL's connect_timeout, and for the resolver without a bound. Throws
  // Failure.
  Connection(const ServerAddress& server, bool with_session_options, bool prepared);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int socket() const { return socket_.get(); }
  // False when the server has said something since, which can only be good-bye, or hung up.
  bool is_quiet() const;

  // Whether `use_schema` has been through.
  bool has_schema() const { return has_schema_; }
  void found_schema() { has_schema_ = true; }

  // One statement, one round trip, no transaction around it. Throws Failure.
  pqxx::result run(const Statement& statement, const shim::Parameters& parameters);
  // For several statements in a transaction.
  pqxx::connection& raw() { return connection_; }
  const ServerAddress& server() const { return server_; }

 private:
  const ServerAddress& server_;
  const bool prepared_;
  pqxx::connection connection_;
  shim::Silence silence_;
  OwnSocket socket_;
  bool has_schema_ = false;
  std::vector<const char*> known_;  // statements that are prepared
};

}  // namespace tiercache::postgres
