// One refresh per key and process (I5): the table of refreshes under way, and how each is run.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/backoff.h"
#include "base/schedule.h"
#include "refresh/source_id.h"
#include "tiercache/clock.h"
#include "tiercache/detail/refresh_result.h"
#include "tiercache/executor.h"

namespace tiercache {

enum class RefreshReason : std::uint8_t { emergency, behind, scheduled, asked };

// How a refresh ended, for those who wait for it.
struct FlightResult {
  enum class Status : std::uint8_t {
    saved,  // the source answered and the answer was applied (or lost to a newer write)
    not_modified,
    not_found,
    failed,     // the callback threw, timed out or gave something unacceptable
    throttled,  // the source was not asked; `why` says when it may be, as `retry_at` does
    stopped,    // the cache is closing
  };
  Status status = Status::failed;
  std::string why;
  // Of `not_found`: for how long readers take the source's word for it, instead of asking again.
  std::chrono::milliseconds hold_for{0};
  // Which of the key's sources the flight asked. A run that joined a flight may get the result of
  // the other one.
  Cadence cadence = Cadence::normal;
};

// What to run for one key; filled by the cache for each flight.
struct Flight {
  RefreshContext context;
  // Runs on the callback lane; throws what the user's function throws. Must own what it uses: a
  // callback that does not return outlives the cache.
  std::function<RefreshResult(RefreshContext&)> call;
  // Applies the answer by the write path, and then calls `finish` with how that ended, from any
  // thread; only the first call counts. Runs on the callback lane, because it may wait for the disk
  // and for other processes, for which no timer and no handler should have to wait. If it throws,
  // the flight has failed.
  std::function<void(RefreshResult result, std::function<void(FlightResult)> finish)> apply;
  // Called once with how the flight has ended, before those who wait are told, on the compute lane;
  // not called once the cache is closing. May be empty.
  std::function<void(const FlightResult&)> ended;
  // Counted from when the callback begins. After it the flight has failed, and a late answer is
  // ignored. It is also how long the flight may wait in line before that. Kept within 1 ms and 24
  // h.
  std::chrono::milliseconds hard_timeout{30'000};
  BackoffOptions backoff;  // between failures of this source
};

// The life of a flight: made, in line, running, applying, ended.
//
// In line: callbacks run on the executor's callback lane, at most `concurrency` at once, first come
// first served. A flight that has not begun within its hard timeout, or that finds the line full,
// is `throttled`.
//
// Hung callbacks: at the hard timeout the callback's context is cancelled, the handlers are
// answered `failed`, and the callback's share of `concurrency` goes to the next in line, so that
// callbacks that never return do not use it up. The key stays taken until the callback does return
// (I5): until then its flights are `throttled`, then its late answer is dropped. The callback's
// thread is the executor's: when every thread of the lane hangs, flights wait in line and are
// throttled, everything else goes on, and the first thread to come back takes up the line. At most
// `concurrency` calls are queued at the executor, besides the answers that are to be applied.
//
// Failures: a source that failed, or was throttled for another reason than its back-off, may be
// asked again at `retry_at`. A success clears that. The table is bounded (RetryTable).
//
// Nothing found: while a source is believed to have nothing of a key (`FlightResult::hold_for`),
// runs for readers are answered `not_found` at once. Scheduled ones have their interval, and ask.
//
// A key has two sources, and one flight. What is remembered of a source's answers is the source's.
//
// Thread-safe. `executor` and `clock` must outlive the tasks of the compute lane, and every `apply`
// that has begun; callbacks still running after `stop` touch none of them.
class SingleFlight {
 public:
  struct Counters {
    std::uint64_t started = 0;    // callbacks begun
    std::uint64_t succeeded = 0;  // answered and applied
    std::uint64_t failed = 0;  // ended without an answer that was applied, `timed_out` among them
    std::uint64_t timed_out = 0;  // the hard timeout passed
    std::uint64_t joined = 0;     // runs that found a flight of their key under way
    std::uint64_t throttled = 0;  // given up before the source was asked
  };
  static constexpr std::size_t kMaxWaiting = 10'000;

  // `concurrency`: refreshes at once over all keys (at least 1); more wait in line, at most
  // `max_waiting`.
  SingleFlight(Executor& executor, const Clock& clock, int concurrency, std::uint64_t seed,
               std::size_t max_waiting = kMaxWaiting);
  // Stops.
  ~SingleFlight();
  SingleFlight(const SingleFlight&) = delete;
  SingleFlight& operator=(const SingleFlight&) = delete;

  using Handler = std::function<void(const FlightResult&)>;
  using Make = std::function<Flight()>;
  // Joins the flight of the key, or begins one made by `make`, which is called before `run` returns
  // and under no lock. `handler` (may be empty) is called exactly once, on the compute lane, or by
  // `stop`. `RefreshReason::asked` ignores the back-off of earlier failures and that nothing was
  // found, but not the source's `RetryAfter`.
  void run(const SourceId& source, RefreshReason reason, const Make& make, Handler handler);
  // Counts a failure of a source that was asked within the flight of the key's other one.
  // `source_delay` is as in `RetryAfter`.
  void note_failure(const SourceId& source, const BackoffOptions& backoff,
                    std::chrono::milliseconds source_delay, std::string why);
  // What the key's sources said of it is believed no longer, because something of the key came from
  // elsewhere.
  void forget_none(const EntryId& id);
  // True if a flight of the key has not ended, or its callback has not returned.
  bool is_running(const EntryId& id) const;
  // True if a run for a reader would begin a flight now: none is under way, and the source is not
  // left alone.
  bool may_be_asked(const SourceId& source) const;
  // True if the key has a flight whose callback has not begun.
  bool is_waiting(const EntryId& id) const;
  // When the source may be asked again after failures; nullopt when now.
  std::optional<SteadyTime> retry_at(const SourceId& source) const;
  // The last failure of the source, if it has not succeeded since, as RetryTable::last_failure.
  std::string last_failure(const SourceId& source) const;
  // That the source has nothing of the key, while that is believed, as NoneTable::said.
  std::optional<std::string> said_none(const SourceId& source) const;
  // Starts nothing more, asks running callbacks to cancel, and answers every handler not yet called
  // before it returns, on this thread: `stopped`, or the result where there is one. Later runs are
  // answered `stopped` inside `run`. Returns the number of callbacks still running. Idempotent.
  int stop();
  // Callbacks that have not returned, timed-out ones included.
  int callbacks_running() const;
  Counters counters() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the tasks
};

}  // namespace tiercache
