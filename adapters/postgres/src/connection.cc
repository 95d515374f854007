#include "connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace tiercache::postgres {

void shut_down_socket(int socket) {
  ::shutdown(socket, SHUT_RDWR);
}

OwnSocket::OwnSocket(int socket) : socket_(::dup(socket)) {
  if (socket_ < 0) {
    throw Failure(Failure::Kind::not_serving, true, "no descriptor is left for a connection");
  }
}

OwnSocket::~OwnSocket() {
  ::close(socket_);
}

Connection::Connection(const ServerAddress& server, bool with_session_options, bool prepared) try
    : server_(server),
      prepared_(prepared),
      connection_(server.connection_string(with_session_options)),
      silence_(connection_),
      socket_(connection_.sock()) {
} catch (...) {
  throw failed_connect(server);
}

bool Connection::is_quiet() const {
  char byte = 0;
  return connection_.is_open() && ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

pqxx::result Connection::run(const Statement& statement, const shim::Parameters& parameters) {
  try {
    if (!prepared_) {
      pqxx::nontransaction transaction(connection_);
      return shim::run(transaction, statement.sql, parameters);
    }
    if (std::find(known_.begin(), known_.end(), statement.name) == known_.end()) {
      connection_.prepare(statement.name, statement.sql);
      known_.push_back(statement.name);
    }
    pqxx::nontransaction transaction(connection_);
    return shim::run_prepared(transaction, statement.name, parameters);
  } catch (...) {
    throw failed_statement(server_, connection_.is_open());
  }
}

}  // namespace tiercache::postgres
