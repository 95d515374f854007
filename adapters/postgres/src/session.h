// A connection in the hands of one call.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

#include "call.h"
#include "connection.h"
#include "tiercache/clock.h"

namespace tiercache::postgres {

// One thread at a time.
class Session {
 public:
  Session(Connection& connection, Call& call, const Clock& clock, SteadyTime deadline)
      : connection_(connection), call_(call), clock_(clock), deadline_(deadline) {}

  // Throws Failure; nothing goes out once the caller has left.
  pqxx::result run(const Statement& statement, const shim::Parameters& parameters) {
    call_.about_to_send();
    return connection_.run(statement, parameters);
  }

  // For the server: how long to wait for rows that others have locked, in ms; 0 is without a bound.
  std::string lock_timeout() const {
    if (deadline_ == kNever) return "0";
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline_ - clock_.steady_now()).count();
    return std::to_string(std::clamp<std::int64_t>(left, 1, INT32_MAX));
  }

 private:
  Connection& connection_;
  Call& call_;
  const Clock& clock_;
  const SteadyTime deadline_;
};

}  // namespace tiercache::postgres
