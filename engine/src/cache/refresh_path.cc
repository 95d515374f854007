#include "cache/refresh_path.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "base/spoken.h"
#include "cache/change_feed.h"
#include "cache/core.h"
#include "cache/file_eviction.h"
#include "cache/read_op.h"
#include "cache/write_path.h"
#include "json/document.h"
#include "json/envelope.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

// What a refresh remembers of its start.
struct RefreshPath::Start {
  WallTime at;
  Version begun;  // what is erased from here on is newer than the answer (I4)
  Version base;   // of what was there then: the answer counts only while that still is (I5)
  Version known;  // the same, or of a matching erase that hid it
  Version guard;  // for the store: that, or for a key unknown here, a stamp of the start
  EntryPtr previous;
  bool both = false;  // the rich callback runs too
};

namespace {

constexpr std::size_t kHydratePage = 500;
constexpr double kNoMove = 0.5;  // the spread of a turn that its jitter does not move

bool kept(const ChangeResult& result) {
  return result.status == ChangeResult::Status::durable ||
         result.status == ChangeResult::Status::stored ||
         result.status == ChangeResult::Status::superseded;
}

FlightResult failed(std::string why) {
  return {.status = FlightResult::Status::failed, .why = std::move(why)};
}

// An emergency refresh runs both callbacks: the rich one on what the first one brought.
RefreshResult call_both(const Callback& normal, const Callback& rich, RefreshContext& context,
                        const EntryId& id) {
  RefreshResult first = normal(context);
  auto* document = std::get_if<NewDocument>(&first);
  if (document == nullptr) return first;
  auto brought = std::make_shared<Entry>();
  brought->document = document->document;
  brought->metadata = document->metadata;
  RefreshContext rich_context(id, brought, true, context.soft_deadline(), context.hard_deadline());
  RefreshResult second = rich(rich_context);
  return std::holds_alternative<NewDocument>(second) ? second : first;
}

}  // namespace

// --- Flights ---

bool RefreshPath::has_source(const RefreshRequest& request) const {
  const DatasetPolicy& policy = request.dataset->policy;
  return request.callback ||
         (request.cadence == Cadence::rich ? policy.rich_refresh : policy.refresh);
}

EntryPtr RefreshPath::previous(DatasetState& dataset, const EntryId& id) {
  const EntryPtr here = core_.newest_local(dataset, id);
  const bool document = here && here->kind == EntryKind::document;
  return document && decodes(dataset, *here) ? here : nullptr;
}

// An answer of «not modified» would leave what does not decode as it is, for ever.
bool RefreshPath::decodes(DatasetState& dataset, const Entry& entry) {
  if (entry.cache_version != dataset.policy.options.cache_version) return false;
  try {
    (void)dataset.decode(*entry.document);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

void RefreshPath::run(RefreshRequest request, SingleFlight::Handler handler) {
  const EntryId id = request.id;
  const RefreshReason reason = request.reason;
  core_.flights->run(
      id, reason, [this, &request] { return make_flight(request); },
      [core = core_.shared_from_this(), request,
       handler = std::move(handler)](const FlightResult& r) {
        core->refresh_path->run_ended(request);
        if (handler) handler(r);
      });
}

Flight RefreshPath::make_flight(const RefreshRequest& request) {
  DatasetState& dataset = *request.dataset;
  const DatasetPolicy& policy = dataset.policy;
  Start start;
  start.begun = core_.versions->next();
  start.base = core_.write_path->version_there(dataset, request.id);
  start.known = core_.write_path->visible_version(dataset, request.id);
  start.at = core_.fetch_time(request.id);
  start.previous = previous(dataset, request.id);
  // What the callback is given is what its answer stands for, and nothing that came since.
  if (start.previous) start.base = start.known = start.previous->version;
  start.guard = start.known.is_zero() ? core_.versions->next() : start.known;
  start.both = !request.callback && request.cadence == Cadence::normal && policy.rich_refresh &&
               (request.reason == RefreshReason::emergency || !start.previous);

  Flight flight;
  flight.hard_timeout = policy.options.hard_timeout;
  flight.backoff = {.first = policy.options.retry_first, .cap = std::chrono::minutes(5)};
  const SteadyTime now = core_.clock->steady_now();
  const auto soft = policy.options.soft_timeout;
  flight.context =
      RefreshContext(request.id, start.previous, request.cadence == Cadence::rich,
                     soft.count() > 0 ? now + soft : kNever, now + policy.options.hard_timeout);
  if (request.callback) {
    flight.call = request.callback;
  } else if (start.both) {
    flight.call = [normal = policy.refresh, rich = policy.rich_refresh, id = request.id](
                      RefreshContext& context) { return call_both(normal, rich, context, id); };
  } else {
    flight.call = request.cadence == Cadence::rich ? policy.rich_refresh : policy.refresh;
  }
  flight.apply = [core = core_.shared_from_this(), request, start](
                     RefreshResult answer, std::function<void(FlightResult)> finish) {
    core->refresh_path->apply(request, start, std::move(answer), std::move(finish));
  };
  flight.ended = [core = core_.shared_from_this(), request](const FlightResult& result) {
    core->refresh_path->flight_ended(request, result);
  };
  dataset.counters.refreshes.add();
  return flight;
}

void RefreshPath::flight_ended(const RefreshRequest& request, const FlightResult& result) {
  DatasetState& dataset = *request.dataset;
  if (result.status == FlightResult::Status::throttled) {
    core_.log->warn(LogTopic::refresh, LogSubject{dataset.name},
                    "dataset {}: a refresh was put off: {}", dataset.name, result.why);
    return;
  }
  if (result.status != FlightResult::Status::failed) return dataset.source.worked();
  dataset.counters.refresh_failures.add();
  dataset.source.failed(result.why, retry_pause(request.id));
}

std::optional<milliseconds> RefreshPath::retry_pause(const EntryId& id) const {
  const auto retry_at = core_.flights->retry_at(id);
  if (!retry_at) return std::nullopt;
  return std::chrono::ceil<milliseconds>(*retry_at - core_.clock->steady_now());
}

std::string RefreshPath::next_try(const EntryId& id) const {
  const auto pause = retry_pause(id);
  return pause ? "; next try in " + spoken(*pause) : std::string();
}

void RefreshPath::run_ended(const RefreshRequest& request) {
  arm(*request.dataset, request.id);
  core_.changed->notify();
}

SourceWord RefreshPath::why_not_newer(const EntryId& id) const {
  SourceWord word{.answer = TierAnswer::not_asked, .why = core_.flights->last_failure(id)};
  bool looking = false;
  {
    Lock lock(mutex_);
    looking = revalidating_.contains(id);
  }
  if (looking || core_.flights->running(id)) {
    word.answer = TierAnswer::refreshing;
  } else if (core_.flights->retry_at(id)) {
    word.answer = TierAnswer::throttled;
  }
  return word;
}

// --- Applying answers ---

void RefreshPath::apply(const RefreshRequest& request, const Start& start, RefreshResult answer,
                        std::function<void(FlightResult)> finish) {
  if (auto* document = std::get_if<NewDocument>(&answer)) {
    return apply_document(request, start, std::move(*document), finish);
  }
  if (const auto* not_modified = std::get_if<NotModified>(&answer)) {
    return apply_not_modified(request, start, *not_modified, finish);
  }
  apply_not_found(request, start, finish);
}

void RefreshPath::apply_document(const RefreshRequest& request, const Start& start,
                                 NewDocument answer,
                                 const std::function<void(FlightResult)>& finish) {
  DatasetState& dataset = *request.dataset;
  if (!answer.document) return finish(failed("the callback returned no document"));
  if (const auto fault = check_document(*answer.document, core_.rules)) {
    return finish(failed("the source's document is not acceptable: " + fault->to_string()));
  }
  if (const auto fault = metadata_fault(answer.metadata)) {
    return finish(failed("the metadata of the source's document " + *fault));
  }

  Change change;
  change.dataset = &dataset;
  change.key = request.id.key;
  try {
    Decoded decoded = dataset.decode(*answer.document);
    change.value = std::move(decoded.value);
    change.value_bytes = decoded.bytes;
  } catch (const std::exception& error) {
    return finish(failed(std::string("the source's document was refused: ") + error.what()));
  } catch (...) {
    return finish(failed("the source's document was refused"));
  }
  change.entry.checksum = Checksum::of(*answer.document);
  change.entry.document = std::move(answer.document);
  change.entry.metadata = std::move(answer.metadata);
  change.entry.cache_version = dataset.policy.options.cache_version;
  change.entry.fresh_for = lifetime_from(request.ttl ? request.ttl : answer.fresh_for);
  if (request.cadence == Cadence::normal) change.entry.clocks.last_fetch = start.at;
  if (request.cadence == Cadence::rich || start.both)
    change.entry.clocks.last_rich_fetch = start.at;
  change.base = start.base;
  change.begun = start.begun;
  change.guard = start.guard;
  std::vector<Change> changes;
  changes.push_back(std::move(change));
  core_.write_path->write(
      std::move(changes), core_.options.store_calls.call_timeout,
      [finish](const std::vector<ChangeResult>& results) {
        const ChangeResult& result = results.front();
        finish(kept(result) ? FlightResult{.status = FlightResult::Status::saved, .why = {}}
                            : failed("its document could not be saved: " + result.why));
      });
}

void RefreshPath::apply_not_modified(const RefreshRequest& request, const Start& start,
                                     const NotModified& answer,
                                     const std::function<void(FlightResult)>& finish) {
  if (!start.previous) {
    return finish(failed("the source says «not modified», but nothing is cached"));
  }
  const auto fault = answer.metadata.empty() ? std::nullopt : metadata_fault(answer.metadata);
  if (fault) return finish(failed("the metadata that came with «not modified» " + *fault));
  request.dataset->counters.not_modified.add();
  Change change;
  change.dataset = request.dataset;
  change.kind = RecordKind::clocks;
  change.key = request.id.key;
  change.entry.metadata = answer.metadata;
  change.base = start.base;
  change.begun = start.begun;
  change.guard = start.guard;
  if (request.cadence == Cadence::normal) change.entry.clocks.last_fetch = start.at;
  if (request.cadence == Cadence::rich) change.entry.clocks.last_rich_fetch = start.at;
  std::vector<Change> changes;
  changes.push_back(std::move(change));
  core_.write_path->write(
      std::move(changes), core_.options.store_calls.call_timeout,
      [finish](const std::vector<ChangeResult>& results) {
        const ChangeResult& result = results.front();
        finish(kept(result)
                   ? FlightResult{.status = FlightResult::Status::not_modified, .why = {}}
                   : failed("that nothing was modified could not be saved: " + result.why));
      });
}

void RefreshPath::apply_not_found(const RefreshRequest& request, const Start& start,
                                  const std::function<void(FlightResult)>& finish) {
  DatasetState& dataset = *request.dataset;
  dataset.counters.not_found.add();
  const FlightResult not_found{.status = FlightResult::Status::not_found, .why = {}};
  if (start.previous && dataset.policy.options.not_found_erases) {
    Change change;
    change.dataset = &dataset;
    change.key = request.id.key;
    change.entry.kind = EntryKind::tombstone;
    change.base = start.base;
    change.begun = start.begun;
    change.guard = start.guard;
    std::vector<Change> changes;
    changes.push_back(std::move(change));
    return core_.write_path->write(
        std::move(changes), core_.options.store_calls.call_timeout,
        [finish, not_found](const std::vector<ChangeResult>& results) {
          const ChangeResult& result = results.front();
          finish(kept(result) ? not_found
                              : failed("that there is none could not be saved: " + result.why));
        });
  }
  const auto remember_for = dataset.policy.options.not_found_for;
  if (!start.previous && remember_for.count() > 0) {
    auto resident = std::make_shared<Resident>();
    resident->kind = ResidentKind::not_found;
    resident->entry.version = start.known;
    const Ticks now = core_.now().ticks;
    const Ticks until = now + remember_for.count();
    const KeyRef ref = dataset.ref(request.id.key);
    const auto stamp = core_.memory->stamp(ref);
    // A write since the start may be in its file alone by now: memory would not know of it. A
    // tombstone on its way to its file must not lose its place in memory.
    const bool pinned = core_.memory->peek(ref).pinned;
    if (!pinned && core_.write_path->known_version(dataset, request.id) == start.known) {
      core_.memory->promote(ref, std::move(resident), {until, until, until, now}, stamp);
    }
  }
  finish(not_found);
}

// --- Behind and on schedule ---

void RefreshPath::revalidate(DatasetState& dataset, const EntryId& id, const Callback& callback,
                             std::optional<milliseconds> ttl) {
  const RefreshRequest request{.dataset = &dataset, .id = id, .callback = callback, .ttl = ttl};
  if (!core_.is_open() || (!core_.store && !has_source(request))) return;
  if (core_.flights->running(id) || core_.flights->retry_at(id)) return;
  {
    Lock lock(mutex_);
    if (!revalidating_.insert(id).second) return;
  }
  const auto deadline =
      core_.options.store_calls.call_timeout + 2 * dataset.policy.options.hard_timeout;
  auto op = std::make_shared<ReadOp>(core_.shared_from_this(),
                                     ReadRequest{.dataset = &dataset,
                                                 .key = id.key,
                                                 .deadline = core_.after(deadline),
                                                 .callback = callback,
                                                 .ttl = ttl,
                                                 .reason = RefreshReason::behind,
                                                 .behind = true});
  core_.executor->post(Lane::disk, [core = core_.shared_from_this(), op, id] {
    const auto done = [core, id](const ReadResult&) {
      Lock lock(core->refresh_path->mutex_);
      core->refresh_path->revalidating_.erase(id);
    };
    if (const auto result = op->local()) {
      done(*result);
    } else {
      op->remote(done);
    }
  });
}

// Where the disk refuses, memory is ahead of the index. And the index, like the files, keeps a
// clock that was once wrong, because it merges by maximum; memory's were judged when they came in.
std::optional<RefreshPath::Known> RefreshPath::newest_known(DatasetState& dataset,
                                                            const EntryId& id) const {
  const auto item = core_.files->index().find(id);
  const ResidentPtr resident = core_.memory->peek(dataset.ref(id.key)).resident;
  if (resident && resident->kind != ResidentKind::not_found &&
      (!item || resident->entry.version >= item->version)) {
    const bool gone = resident->kind == ResidentKind::tombstone;
    return Known{gone ? EntryKind::tombstone : EntryKind::document, resident->entry.clocks};
  }
  if (!item) return std::nullopt;
  return Known{item->kind, item->clocks};
}

void RefreshPath::due(const EntryId& id, Cadence cadence, milliseconds lateness) {
  DatasetState* dataset = core_.find_dataset(id.dataset);
  if (dataset == nullptr || !core_.is_open()) return;
  dataset->counters.refresh_lateness.add(lateness);
  const auto known = newest_known(*dataset, id);
  // With nothing to enrich yet, the turn brings the document first.
  if (cadence == Cadence::rich && (!dataset->policy.refresh || known)) {
    return run(
        {.dataset = dataset, .id = id, .reason = RefreshReason::scheduled, .cadence = cadence}, {});
  }
  const auto last_fetch =
      known ? believable(known->clocks.last_fetch, core_.now().wall) : std::nullopt;
  const auto deadline =
      core_.options.store_calls.call_timeout + 2 * dataset->policy.options.hard_timeout;
  auto op = std::make_shared<ReadOp>(core_.shared_from_this(),
                                     ReadRequest{.dataset = dataset,
                                                 .key = id.key,
                                                 .deadline = core_.after(deadline),
                                                 .reason = RefreshReason::scheduled,
                                                 .behind = true,
                                                 .fetched_after = last_fetch.value_or(WallTime{})});
  core_.executor->post(Lane::disk, [core = core_.shared_from_this(), op, id, dataset] {
    const auto done = [core, id, dataset](const ReadResult&) {
      core->refresh_path->arm(*dataset, id);
      core->changed->notify();
    };
    if (const auto result = op->local()) {
      done(*result);
    } else {
      op->remote(done);
    }
  });
}

void RefreshPath::arm(DatasetState& dataset, const EntryId& id) {
  if (!dataset.hydrated.load() || !core_.is_open()) return;
  const auto& options = dataset.policy.options;
  if (options.refresh_every.count() == 0 && options.rich_refresh_every.count() == 0) return;
  const auto known = newest_known(dataset, id);
  const bool wanted = known ? known->kind == EntryKind::document : !options.keyed;
  if (!wanted) return core_.scheduler->disarm(id);
  const Clocks clocks = known ? known->clocks : Clocks{};
  const WallTime now = core_.now().wall;
  const auto retry_at = retry_time(id);
  for (const Cadence cadence : {Cadence::normal, Cadence::rich}) {
    const Schedule schedule = dataset.schedule(cadence);
    if (schedule.every.count() == 0) continue;
    const auto last = cadence == Cadence::rich ? clocks.last_rich_fetch : clocks.last_fetch;
    // After a failure what is due waits; what is not is no sooner due for it.
    if (retry_at && due_at(schedule, last, now, kNoMove) <= *retry_at) {
      core_.scheduler->arm_at(id, cadence, *retry_at);
    } else {
      core_.scheduler->arm(id, cadence, schedule, last);
    }
  }
}

// By the time of day.
std::optional<WallTime> RefreshPath::retry_time(const EntryId& id) const {
  const auto pause = retry_pause(id);
  if (!pause) return std::nullopt;
  return core_.now().wall + *pause + milliseconds(1);
}

// --- Hydration ---

void RefreshPath::hydrate(DatasetState& dataset) {
  {
    Lock lock(mutex_);
    ++hydrating_;
  }
  const std::size_t wanted = dataset.policy.options.hydrate.most_recent;
  if (!core_.store || wanted == 0) return hydrated(dataset);
  core_.change_feed->when_placed([core = core_.shared_from_this(), &dataset, wanted] {
    core->refresh_path->hydrate_page(dataset, {}, wanted);
  });
}

void RefreshPath::hydrate_page(DatasetState& dataset, const std::string& cursor, std::size_t left) {
  core_.executor->post(Lane::store, [core = core_.shared_from_this(), &dataset, cursor, left] {
    RefreshPath& self = *core->refresh_path;
    if (!core->is_open()) return self.hydrated(dataset);
    const ScanReply page = core->ask_store(Breaker::Urgency::reader, core->store_loads, [&] {
      return core->store->scan(core->options.project, dataset.name, cursor,
                               std::min(left, kHydratePage),
                               core->after(core->options.store_calls.call_timeout));
    });
    if (page.status != StoreStatus::ok) {
      core->log->warn(LogTopic::store, LogSubject{dataset.name},
                      "dataset {} is not hydrated from the store: {}", dataset.name, page.message);
      return self.hydrated(dataset);
    }
    core->take_rows(page.entries);
    const std::size_t taken = page.entries.size();
    const bool enough = taken >= left || core->file_eviction->is_full();
    if (page.next.empty() || taken == 0 || enough) return self.hydrated(dataset);
    self.hydrate_page(dataset, page.next, left - taken);
  });
}

void RefreshPath::hydrated(DatasetState& dataset) {
  dataset.hydrated.store(true);
  if (!dataset.policy.options.keyed) {
    arm(dataset, dataset.id({}));
  } else {
    core_.files->index().for_each(dataset.name, [&](const std::string& key, const IndexItem&) {
      arm(dataset, dataset.id(key));
    });
  }
  {
    Lock lock(mutex_);
    --hydrating_;
  }
  core_.changed->notify();
}

bool RefreshPath::hydrating() const {
  Lock lock(mutex_);
  return hydrating_ > 0;
}

}  // namespace tiercache::detail
