// What keeps entries young: flights for reads and schedules, applying what the source answered, and
// hydration from the store.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/annotations.h"
#include "base/mutex.h"
#include "refresh/scheduler.h"
#include "refresh/single_flight.h"
#include "tiercache/detail/dataset_core.h"
#include "tiercache/entry.h"
#include "tiercache/outcome.h"
#include "tiercache/store.h"

namespace tiercache::detail {

class Core;
struct DatasetState;

// What a passage says of a source that a read did not ask, or did not wait for.
struct SourceWord {
  TierAnswer answer = TierAnswer::not_asked;
  std::string why;
};

// A refresh to run.
struct RefreshRequest {
  DatasetState* dataset = nullptr;
  EntryId id;
  RefreshReason reason = RefreshReason::emergency;
  Cadence cadence = Cadence::normal;
  Callback callback = {};  // of this call (`get_or_load`); empty: the dataset's
  std::optional<std::chrono::milliseconds> ttl = {};  // of what `callback` returns
};

// Thread-safe.
class RefreshPath {
 public:
  explicit RefreshPath(Core& core) : core_(core) {}

  // There is something to ask for this request.
  bool has_source(const RefreshRequest& request) const;
  // Joins or begins the flight; `handler` (may be empty) once, when its answer is applied.
  void run(RefreshRequest request, SingleFlight::Handler handler);
  // A reader was served something stale: look in file and store, then ask the source, once at a
  // time.
  void revalidate(DatasetState& dataset, const EntryId& id, const Callback& callback = {},
                  std::optional<std::chrono::milliseconds> ttl = {});
  // Why the key is as old as it is: a refresh of it is under way, or is throttled after a failure,
  // or neither; with the last failure where there was one.
  SourceWord why_not_newer(const EntryId& id) const;
  // "; next try in 800 ms", behind what a failure said; empty where nothing is to be waited for.
  std::string next_try(const EntryId& id) const;
  // A scheduled turn has come.
  void due(const EntryId& id, Cadence cadence, std::chrono::milliseconds lateness);
  // Arms the key's turns by its clocks, once its dataset is hydrated.
  void arm(DatasetState& dataset, const EntryId& id);
  // Brings the store's rows into the files in pages, then arms the dataset's schedules.
  void hydrate(DatasetState& dataset);
  bool hydrating() const;

 private:
  struct Start;
  Flight make_flight(const RefreshRequest& request);
  void apply(const RefreshRequest& request, const Start& start, RefreshResult answer,
             std::function<void(FlightResult)> finish);
  void apply_document(const RefreshRequest& request, const Start& start, NewDocument answer,
                      const std::function<void(FlightResult)>& finish);
  void apply_not_modified(const RefreshRequest& request, const Start& start,
                          const NotModified& answer,
                          const std::function<void(FlightResult)>& finish);
  void apply_not_found(const RefreshRequest& request, const Start& start,
                       const std::function<void(FlightResult)>& finish);
  // A flight has ended, told once; a run has, told to each that waited for it or was turned away.
  void flight_ended(const RefreshRequest& request, const FlightResult& result);
  void run_ended(const RefreshRequest& request);
  // What the callback gets as the previous entry.
  EntryPtr previous(DatasetState& dataset, const EntryId& id);
  static bool decodes(DatasetState& dataset, const Entry& entry);
  // What the schedule goes by.
  struct Known {
    EntryKind kind;
    Clocks clocks;
  };
  std::optional<Known> newest_known(DatasetState& dataset, const EntryId& id) const;
  // Until when the key's source is left alone after a failure.
  std::optional<WallTime> retry_time(const EntryId& id) const;
  std::optional<std::chrono::milliseconds> retry_pause(const EntryId& id) const;
  void hydrate_page(DatasetState& dataset, const std::string& cursor, std::size_t left);
  void hydrated(DatasetState& dataset);

  Core& core_;
  mutable Mutex mutex_;
  std::set<EntryId> revalidating_ TIERCACHE_GUARDED_BY(mutex_);
  int hydrating_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace tiercache::detail
