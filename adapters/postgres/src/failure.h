// Why a statement failed, in three kinds: a server that does not serve, a connection that broke in
// the middle, and data that the server refuses.
#pragma once

#include <stdexcept>
#include <string>

#include "server_address.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Ends a call of the store. It never leaves the adapter. Its text holds neither data nor secrets.
class Failure : public std::runtime_error {
 public:
  enum class Kind {
    not_serving,  // the server said that it did not do it, or was never asked
    in_doubt,     // the connection broke after the statement was sent
    data,         // the server will never accept this statement's data
  };
  Failure(Kind kind, bool ends_connection, const std::string& message)
      : std::runtime_error(message), kind_(kind), ends_connection_(ends_connection) {}

  Kind kind() const { return kind_; }
  // Whether the connection must not be used again.
  bool ends_connection() const { return ends_connection_; }

 private:
  Kind kind_;
  bool ends_connection_;
};

// Returns the failure that the exception being handled stands for, which a statement has thrown.
// `connection_is_open`: whether its connection still is.
Failure failed_statement(const ServerAddress& server, bool connection_is_open);
// The same for an exception thrown while connecting.
Failure failed_connect(const ServerAddress& server);

}  // namespace tiercache::postgres
