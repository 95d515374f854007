// A SingleFlight on a seeded executor, with callbacks that take as long as a test says.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "refresh/single_flight.h"
#include "tiercache/testing/manual_clock.h"
#include "tiercache/testing/seeded_executor.h"

namespace tiercache::test {

using Status = FlightResult::Status;
using std::chrono::milliseconds;

struct FlightRig {
  explicit FlightRig(int concurrency = 8, std::uint64_t seed = 1, std::size_t max_waiting = 1000)
      : executor(clock, seed),
        flights(std::make_unique<SingleFlight>(executor, *clock, concurrency, seed, max_waiting)) {}

  // Whoever still waits is told of the end, and what he notes is here until then.
  ~FlightRig() { flights.reset(); }

  using Call = std::function<RefreshResult(RefreshContext&)>;

  // A flight whose answer is applied as `saved`.
  Flight flight(Call call, milliseconds hard_timeout = milliseconds(30'000)) {
    Flight made;
    made.call = std::move(call);
    made.apply = [this](const RefreshResult&, const std::function<void(FlightResult)>& finish) {
      ++applied;
      finish({.status = Status::saved, .why = {}});
    };
    made.hard_timeout = hard_timeout;
    return made;
  }
  // Asks for a refresh; its result is added to `results`.
  void run(const std::string& key, Flight made, RefreshReason reason = RefreshReason::behind) {
    flights->run(
        id(key), reason, [&] { return std::move(made); },
        [this](const FlightResult& result) { results.push_back(result); });
  }
  void run(const std::string& key, Call call, RefreshReason reason = RefreshReason::behind) {
    run(key, flight(std::move(call)), reason);
  }
  // A callback that answers after `takes`.
  Call taking(milliseconds takes) {
    return [this, takes](RefreshContext&) -> RefreshResult {
      executor.sleep_for(takes);
      return NotFound{};
    };
  }
  static EntryId id(const std::string& key) { return {"d", key}; }
  static RefreshResult answer(RefreshContext&) { return NotFound{}; }
  static RefreshResult failure(RefreshContext&) { throw std::runtime_error("source down"); }

  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  testing::SeededExecutor executor;
  std::unique_ptr<SingleFlight> flights;
  std::vector<FlightResult> results;
  int applied = 0;
};

}  // namespace tiercache::test
