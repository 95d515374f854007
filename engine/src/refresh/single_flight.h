// One refresh per key and process (I5): the table of refreshes under way, and how each is run.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/log.h"
#include "tiercache/clock.h"
#include "tiercache/executor.h"
#include "tiercache/refresh.h"

namespace tiercache {

enum class RefreshReason : std::uint8_t { emergency, behind, scheduled, asked };

// How a refresh ended, for those who wait for it.
struct FlightResult {
  enum class Status : std::uint8_t {
    saved,         // the source answered and the answer was applied (or lost to a newer write)
    not_modified,
    not_found,
    failed,        // the callback threw, timed out or gave something unacceptable
    throttled,     // not begun: failures lately, `retry_at` says when again
    stopped,       // the cache is closing
  };
  Status status = Status::failed;
  std::string why;
};

// What to run for one key; filled by the cache for each flight.
struct Flight {
  std::string name;  // for logs: dataset and key
  RefreshContext context;
  // Runs on the callback lane; throws what the user's function throws.
  std::function<RefreshResult(RefreshContext&)> call;
  // Applies the answer by the write path, then `finish` with how that ended. On the compute lane.
  std::function<void(RefreshResult result, std::function<void(FlightResult)> finish)> apply;
  std::chrono::milliseconds hard_timeout{30'000};  // after it the flight has failed; a late answer is ignored
  BackoffOptions backoff;                          // between failures of this key
};

// Thread-safe. Owned by shared_ptr, because tasks hold it.
class SingleFlight : public std::enable_shared_from_this<SingleFlight> {
 public:
  struct Counters {
    std::uint64_t started = 0, succeeded = 0, failed = 0, timed_out = 0, joined = 0, throttled = 0;
  };
  // `concurrency`: refreshes at once over all keys; more wait in line, at most `max_waiting`.
  SingleFlight(Executor& executor, const Clock& clock, Log& log, int concurrency, std::uint64_t seed);

  using Handler = std::function<void(const FlightResult&)>;
  using Make = std::function<Flight()>;
  // Joins the flight of `id`, or begins one made by `make`. `handler` (may be empty) is called exactly
  // once on the compute lane. `RefreshReason::asked` ignores the back-off of earlier failures.
  void run(const EntryId& id, RefreshReason reason, const Make& make, Handler handler);
  bool running(const EntryId& id) const;
  // When `id` may be tried again after failures; nullopt when now.
  std::optional<SteadyTime> retry_at(const EntryId& id) const;
  // Starts nothing more, asks running callbacks to cancel, answers every waiting handler `stopped`.
  // Returns the number of callbacks still running.
  int stop();
  int callbacks_running() const;
  Counters counters() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tiercache
