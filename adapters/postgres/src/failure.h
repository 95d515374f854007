// What ended a statement, told apart: a broken connection, a refusal of the data, a server that is
// not serving.
#pragma once

#include <stdexcept>
#include <string>

#include "server_address.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Ends a call of the store, never leaves the adapter. The text holds neither data nor secrets.
class Failure : public std::runtime_error {
 public:
  enum class Kind {
    not_serving,  // the server answered that it did not do it; or it was never asked
    in_doubt,     // the connection broke after the statement went out
    data,         // the server will never take this statement's data
  };
  Failure(Kind kind, bool ends_connection, const std::string& message)
      : std::runtime_error(message), kind_(kind), ends_connection_(ends_connection) {}

  Kind kind() const { return kind_; }
  // The connection is not to be used again.
  bool ends_connection() const { return ends_connection_; }

 private:
  Kind kind_;
  bool ends_connection_;
};

// Of the exception being handled: libpqxx's, while a statement ran on a connection that is (still)
// open or not.
Failure failed_statement(const ServerAddress& server, bool connection_is_open);
// The same while connecting.
Failure failed_connect(const ServerAddress& server);

}  // namespace tiercache::postgres
