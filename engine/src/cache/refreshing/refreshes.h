// Refreshes as flights: at most one of a key runs in a process (I5), and whoever asks meanwhile
// waits for its answer.
//
// The room: `Refreshes` runs them, `Answers` applies what the source says, `Turns` keeps the
// schedule. That somebody was served something stale, and that a turn has come, lead to a look into
// the lower tiers before the source is asked; that is the readers' (reading/behind.h).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/annotations.h"
#include "base/mutex.h"
#include "cache/refreshing/answers.h"
#include "cache/refreshing/turns.h"
#include "cache/runtime/runtime.h"
#include "refresh/single_flight.h"
#include "tiercache/entry.h"
#include "tiercache/outcome.h"

namespace tiercache::detail {

// What a passage says of a source that a read did not ask, or did not wait for.
struct SourceWord {
  TierAnswer answer = TierAnswer::not_asked;
  std::string why;
};

// Thread-safe.
class Refreshes {
 public:
  Refreshes(Runtime& runtime, SingleFlight& flights, Answers& answers, Turns& turns)
      : runtime_(runtime), flights_(flights), answers_(answers), turns_(turns) {}

  // There is something to ask for this request.
  static bool has_source(const RefreshRequest& request);
  // Joins or begins the flight; `handler` (may be empty) once, when its answer is applied.
  void run(RefreshRequest request, SingleFlight::Handler handler);

  // Somebody looks for something newer of the key behind its readers: false while somebody does
  // already, or the source is asked or left alone after a failure.
  bool begin_look(const EntryId& id);
  void end_look(const EntryId& id);
  // Why the key is as old as it is: a refresh of it is under way, or is throttled after a failure,
  // or neither; with the last failure where there was one.
  SourceWord why_not_newer(const EntryId& id) const;
  // "; next try in 800 ms", behind what a failure said; empty where nothing is to be waited for.
  std::string next_try(const EntryId& id) const;
  // Callbacks that have not returned yet, timed-out ones too.
  int callbacks_running() const { return flights_.callbacks_running(); }

 private:
  Flight make_flight(const RefreshRequest& request);
  // A flight has ended, told once; a run has, told to each that waited for it or was turned away.
  void flight_ended(const RefreshRequest& request, const FlightResult& result);
  void run_ended(const RefreshRequest& request);

  Runtime& runtime_;
  SingleFlight& flights_;
  Answers& answers_;
  Turns& turns_;
  mutable Mutex mutex_;
  std::set<EntryId> looked_for_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache::detail
