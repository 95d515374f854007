#include "cache/refreshing/refreshes.h"

#include <utility>

#include "base/spoken.h"

namespace tiercache::detail {

namespace {

constexpr std::chrono::minutes kLongestPause{5};

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

bool Refreshes::has_source(const RefreshRequest& request) {
  const DatasetPolicy& policy = request.dataset->policy;
  return request.callback ||
         (request.cadence == Cadence::rich ? policy.rich_refresh : policy.refresh);
}

void Refreshes::run(RefreshRequest request, SingleFlight::Handler handler) {
  const EntryId id = request.id;
  const RefreshReason reason = request.reason;
  flights_.run(
      id, reason, [this, &request] { return make_flight(request); },
      runtime_.tasks.kept(
          [this, request, handler = std::move(handler)](const FlightResult& result) {
            run_ended(request);
            if (handler) handler(result);
          }));
}

Flight Refreshes::make_flight(const RefreshRequest& request) {
  DatasetState& dataset = *request.dataset;
  const DatasetPolicy& policy = dataset.policy;
  const RefreshStart start = answers_.start(request);
  Flight flight;
  flight.hard_timeout = policy.options.hard_timeout;
  flight.backoff = {.first = policy.options.retry_first, .cap = kLongestPause};
  const SteadyTime now = runtime_.clock->steady_now();
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
  flight.apply = runtime_.tasks.kept(
      [this, request, start](RefreshResult answer, const Answers::Finish& finish) {
        answers_.apply(request, start, std::move(answer), finish);
      });
  flight.ended = runtime_.tasks.kept(
      [this, request](const FlightResult& result) { flight_ended(request, result); });
  dataset.counters.refreshes.add();
  return flight;
}

void Refreshes::flight_ended(const RefreshRequest& request, const FlightResult& result) {
  DatasetState& dataset = *request.dataset;
  if (result.status == FlightResult::Status::throttled) {
    runtime_.log.warn(LogTopic::refresh, LogSubject{dataset.name},
                      "dataset {}: a refresh was put off: {}", dataset.name, result.why);
    return;
  }
  if (result.status == FlightResult::Status::not_found) {
    turns_.source_had_none(dataset, request.id, request.cadence);
  } else if (result.status != FlightResult::Status::failed) {
    turns_.source_had_it(request.id, request.cadence);
  }
  if (result.status != FlightResult::Status::failed) return dataset.source.worked();
  dataset.counters.refresh_failures.add();
  dataset.source.failed(result.why, turns_.retry_pause(request.id));
}

void Refreshes::run_ended(const RefreshRequest& request) {
  turns_.arm(*request.dataset, request.id);
  runtime_.changed.notify();
}

bool Refreshes::begin_look(const EntryId& id) {
  if (flights_.is_running(id) || flights_.retry_at(id)) return false;
  Lock lock(mutex_);
  return looked_for_.insert(id).second;
}

void Refreshes::end_look(const EntryId& id) {
  Lock lock(mutex_);
  looked_for_.erase(id);
}

// --- What is said of it ---

std::string Refreshes::next_try(const EntryId& id) const {
  const auto pause = turns_.retry_pause(id);
  return pause ? "; next try in " + spoken(*pause) : std::string();
}

SourceWord Refreshes::why_not_newer(const EntryId& id) const {
  SourceWord word{.answer = TierAnswer::not_asked, .why = flights_.last_failure(id)};
  bool looking = false;
  {
    Lock lock(mutex_);
    looking = looked_for_.contains(id);
  }
  if (looking || flights_.is_running(id)) {
    word.answer = TierAnswer::refreshing;
  } else if (flights_.retry_at(id)) {
    word.answer = TierAnswer::throttled;
  }
  return word;
}

}  // namespace tiercache::detail
