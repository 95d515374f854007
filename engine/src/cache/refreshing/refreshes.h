// Refreshes as flights: at most one of a key runs in a process (I5), and whoever asks meanwhile
// waits for its answer.
//
// The room: `Refreshes` runs them, `Answers` applies what the source says, `Turns` keeps the
// schedule. When somebody was served something stale, or a turn has come, the file and the store
// are asked before the source; that is the work of reading/background_reads.h.
//
// Why a refresh is asked for is its `RefreshReason` (refresh/single_flight.h):
//
//     emergency   a read found nothing that it may serve. This is the ordinary miss, and the
//                 default of every read; the rich callback runs too, unless the call has its own
//     behind      a read served something stale, and the look behind it found nothing newer
//     scheduled   a turn of the dataset's schedule has come
//     asked       `Dataset::refresh`: the pause after a failure is ignored, but not `RetryAfter`
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

  // True if there is a callback to ask for this request.
  static bool has_source(const RefreshRequest& request);
  // Joins or begins the key's flight. `handler`, which may be empty, is called once, when the
  // answer is applied or turns out to have failed, or when no flight is begun. Blocks: beginning a
  // flight reads the entry's file on this thread.
  void run(RefreshRequest request, SingleFlight::Handler handler);

  // Begins a look for something newer behind the key's readers, which `end_look` must end. False,
  // and none is begun, while there is one already, or a refresh is under way, or the source is left
  // alone after a failure or because it had nothing.
  bool begin_look(const EntryId& id);
  void end_look(const EntryId& id);
  // Why the key is as old as it is: the source had nothing, a refresh is under way, or is throttled
  // after a failure, or none of these. With the last failure, if there was one. This is about the
  // dataset's plain source, as is `next_try`.
  SourceWord why_not_newer(const EntryId& id) const;
  // Of a key whose refresh has not answered by a deadline: what is going on.
  std::string no_answer_yet(const EntryId& id) const;
  // The end of a sentence about a failure, such as "; next try in 800 ms". Empty if the source may
  // be asked now.
  std::string next_try(const EntryId& id) const;
  // Callbacks that have not returned yet, timed-out ones too.
  int callbacks_running() const { return flights_.callbacks_running(); }

 private:
  static bool went_without(const RefreshRequest& request, const FlightResult& result);
  void run_on_disk_lane(const RefreshRequest& request, const SingleFlight::Handler& then);
  Flight make_flight(const RefreshRequest& request);
  // Has the flight ask both of the key's sources.
  void call_both_in(Flight* flight, const RefreshRequest& request, const RefreshStart& start);
  // How the rich source answered in such a flight; an empty `why` is no failure.
  void rich_ended(const RefreshRequest& request, const std::string& why,
                  std::chrono::milliseconds source_delay);
  // Called once per flight.
  void flight_ended(const RefreshRequest& request, const FlightResult& result);
  // Called once per call of `run`, also if that was turned away.
  void run_ended(const RefreshRequest& request);

  Runtime& runtime_;
  SingleFlight& flights_;
  Answers& answers_;
  Turns& turns_;
  mutable Mutex mutex_;
  // Those between `begin_look` and `end_look`.
  std::set<EntryId> looked_for_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache::detail
