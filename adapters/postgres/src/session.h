// A connection while one call has it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

#include "call.h"
#include "connection.h"
#include "tiercache/clock.h"

namespace tiercache::postgres {

// Used by one thread at a time.
class Session {
 public:
  Session(Connection& connection, Call& call, const Clock& clock, SteadyTime deadline)
      : connection_(connection), call_(call), clock_(clock), deadline_(deadline) {}

  // Runs a statement. Throws Failure, and sends nothing, once the caller has left.
  pqxx::result run(const Statement& statement, const shim::Parameters& parameters) {
    call_.about_to_send();
    return connection_.run(statement, parameters);
  }

  // Returns how long the server shall wait for rows that others have locked, in ms; 0: without
  // bound.
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
