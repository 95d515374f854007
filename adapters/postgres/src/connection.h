// One connection to the server: its statements, its schema, its socket.
#pragma once

#include <string>

#include "failure.h"
#include "pqxx_shim.h"
#include "server_address.h"

namespace tiercache::postgres {

// Wakes whoever waits on the socket; the socket stays open.
void shut_down_socket(int socket);

// A descriptor of our own for a connection's socket. It stays valid until the destructor, even if
// libpq closes its own and that number becomes another file's.
class OwnSocket {
 public:
  // Throws Failure if no descriptor is left.
  explicit OwnSocket(int socket);
  ~OwnSocket();
  OwnSocket(const OwnSocket&) = delete;
  OwnSocket& operator=(const OwnSocket&) = delete;

  int get() const { return socket_; }

 private:
  const int socket_;
};

// SQL, and the name under which it is prepared if statements are.
struct Statement {
  const char* name;
  const char* sql;
};

// Used by one thread at a time, though another may shut its socket down.
class Connection {
 public:
  // Connects. That takes no longer than the URL's connect_timeout, except for the resolver, which
  // has no bound. Throws Failure.
  Connection(const ServerAddress& server, bool with_session_options, bool prepared);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int socket() const { return socket_.get(); }
  // Whether the connection still looks alive. It does not if the server has hung up or said
  // something while nothing was asked, which can only be good-bye.
  bool is_quiet() const;

  // Whether `use_schema` has found the schema to fit.
  bool has_schema() const { return has_schema_; }
  void found_schema() { has_schema_ = true; }

  // Runs a statement in one round trip, without a transaction around it. Throws Failure.
  pqxx::result run(const Statement& statement, const shim::Parameters& parameters);
  // The connection itself, for several statements in one transaction.
  pqxx::connection& raw() { return connection_; }
  const ServerAddress& server() const { return server_; }

 private:
  const ServerAddress& server_;
  const bool prepared_;
  pqxx::connection connection_;
  shim::Silence silence_;
  OwnSocket socket_;
  bool has_schema_ = false;
  std::vector<const char*> known_;  // names of the statements that are prepared
};

}  // namespace tiercache::postgres
