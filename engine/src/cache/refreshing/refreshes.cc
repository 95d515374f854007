#include "cache/refreshing/refreshes.h"

#include <utility>

#include "base/spoken.h"
#include "refresh/ask_source.h"

namespace tiercache::detail {

namespace {

using std::chrono::milliseconds;
using Status = FlightResult::Status;

constexpr std::chrono::minutes kLongestPause{5};

BackoffOptions backoff_of(const DatasetState& dataset) {
  return {.first = dataset.policy.options.retry_first, .cap = kLongestPause};
}

// How the rich callback of a refresh went that ran both.
struct RichCall {
  std::optional<NewDocument> plain;  // what the plain callback brought, if the rich one added to it
  std::string why;                   // why the rich one failed; empty if it did not
  milliseconds source_delay{0};
};

// Runs both callbacks: the rich one on what the plain one brought. If the rich one fails, the plain
// document is the answer.
RefreshResult call_both(const Callback& plain, const Callback& rich_callback,
                        RefreshContext& context, RichCall* rich) {
  RefreshResult first = plain(context);
  auto* document = std::get_if<NewDocument>(&first);
  if (document == nullptr) return first;
  auto brought = std::make_shared<Entry>();
  brought->document = document->document;
  brought->metadata = document->metadata;
  RefreshContext rich_context = context.rich_after(std::move(brought));
  Answer second = ask_source(rich_callback, rich_context);
  if (!second.result) {
    rich->why = std::move(second.why);
    rich->source_delay = second.source_delay;
    return first;
  }
  if (!std::holds_alternative<NewDocument>(*second.result)) return first;
  rich->plain = std::move(*document);
  return std::move(*second.result);
}

}  // namespace

bool Refreshes::has_source(const RefreshRequest& request) {
  const DatasetPolicy& policy = request.dataset->policy;
  return request.callback ||
         (request.cadence == Cadence::rich ? policy.rich_refresh : policy.refresh);
}

void Refreshes::run(RefreshRequest request, SingleFlight::Handler handler) {
  const SourceId source(request.id, request.cadence);
  const RefreshReason reason = request.reason;
  flights_.run(
      source, reason, [this, &request] { return make_flight(request); },
      runtime_.tasks.kept(
          [this, request, handler = std::move(handler)](const FlightResult& result) {
            run_ended(request);
            if (went_without(request, result)) return run_on_disk_lane(request, handler);
            if (handler) handler(result);
          }));
}

// A rich flight that was joined brought nothing, which says nothing of the plain source.
bool Refreshes::went_without(const RefreshRequest& request, const FlightResult& result) {
  const bool nothing = result.status == Status::failed || result.status == Status::not_found;
  return nothing && result.cadence == Cadence::rich && request.cadence == Cadence::normal;
}

void Refreshes::run_on_disk_lane(const RefreshRequest& request, const SingleFlight::Handler& then) {
  runtime_.tasks.post(Lane::disk, [this, request, then] { run(request, then); });
}

Flight Refreshes::make_flight(const RefreshRequest& request) {
  DatasetState& dataset = *request.dataset;
  const DatasetPolicy& policy = dataset.policy;
  const RefreshStart start = answers_.start(request);
  Flight flight;
  flight.hard_timeout = policy.options.hard_timeout;
  flight.backoff = backoff_of(dataset);
  const SteadyTime now = runtime_.clock->steady_now();
  const auto soft = policy.options.soft_timeout;
  flight.context =
      RefreshContext(request.id, start.previous, request.cadence == Cadence::rich,
                     soft.count() > 0 ? now + soft : kNever, now + policy.options.hard_timeout);
  flight.ended = runtime_.tasks.kept(
      [this, request](const FlightResult& result) { flight_ended(request, result); });
  dataset.counters.refreshes.add();
  if (start.both) {
    call_both_in(&flight, request, start);
    return flight;
  }
  flight.call = request.callback                   ? request.callback
                : request.cadence == Cadence::rich ? policy.rich_refresh
                                                   : policy.refresh;
  flight.apply = runtime_.tasks.kept(
      [this, request, start](RefreshResult answer, const Answers::Finish& finish) {
        answers_.apply(request, start, std::move(answer), finish);
      });
  return flight;
}

void Refreshes::call_both_in(Flight* flight, const RefreshRequest& request,
                             const RefreshStart& start) {
  const auto rich = std::make_shared<RichCall>();
  const DatasetPolicy& policy = request.dataset->policy;
  flight->call = [plain = policy.refresh, rich_callback = policy.rich_refresh,
                  rich](RefreshContext& context) {
    return call_both(plain, rich_callback, context, rich.get());
  };
  flight->apply = runtime_.tasks.kept(
      [this, request, start, rich](RefreshResult answer, const Answers::Finish& finish) {
        if (rich->plain) {
          const auto fault = answers_.fault_of(request, std::get<NewDocument>(answer));
          rich->why = fault.value_or("");
          if (fault) answer = std::move(*rich->plain);
        }
        RefreshStart applied = start;
        applied.both = rich->why.empty();
        if (std::holds_alternative<NewDocument>(answer))
          rich_ended(request, rich->why, rich->source_delay);
        answers_.apply(request, applied, std::move(answer), finish);
      });
}

void Refreshes::rich_ended(const RefreshRequest& request, const std::string& why,
                           milliseconds source_delay) {
  DatasetState& dataset = *request.dataset;
  if (why.empty()) return dataset.rich_source.worked();
  const SourceId source(request.id, Cadence::rich);
  flights_.note_failure(source, backoff_of(dataset), source_delay, why);
  dataset.counters.refresh_failures.add();
  dataset.rich_source.failed(why, turns_.retry_pause(source));
}

void Refreshes::flight_ended(const RefreshRequest& request, const FlightResult& result) {
  DatasetState& dataset = *request.dataset;
  if (result.status == Status::throttled) {
    runtime_.log.warn(LogTopic::refresh, LogSubject{dataset.name},
                      "dataset {}: a refresh was put off: {}", dataset.name, result.why);
    return;
  }
  const SourceId source(request.id, request.cadence);
  if (result.status == Status::not_found) {
    turns_.source_had_none(dataset, source);
  } else if (result.status != Status::failed) {
    turns_.source_answered(dataset, source);
  }
  HealthMark& mark = request.cadence == Cadence::rich ? dataset.rich_source : dataset.source;
  if (result.status != Status::failed) return mark.worked();
  dataset.counters.refresh_failures.add();
  mark.failed(result.why, turns_.retry_pause(source));
}

void Refreshes::run_ended(const RefreshRequest& request) {
  turns_.arm(*request.dataset, request.id);
  runtime_.changed.notify();
}

bool Refreshes::begin_look(const EntryId& id) {
  if (!flights_.may_be_asked(id)) return false;
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

std::string Refreshes::no_answer_yet(const EntryId& id) const {
  const std::string late = "no answer by the call's deadline; the refresh ";
  if (!flights_.is_waiting(id)) return late + "goes on";
  const auto before = static_cast<std::uint64_t>(callbacks_running());
  return late + "has not begun: it waits for " + counted(before, "callback") +
         " of other keys to return";
}

SourceWord Refreshes::why_not_newer(const EntryId& id) const {
  const SourceId source(id);
  if (auto none = flights_.said_none(source)) {
    return {.answer = TierAnswer::not_found, .why = std::move(*none)};
  }
  SourceWord word{.answer = TierAnswer::not_asked, .why = flights_.last_failure(source)};
  bool looking = false;
  {
    Lock lock(mutex_);
    looking = looked_for_.contains(id);
  }
  if (looking || flights_.is_running(id)) {
    word.answer = TierAnswer::refreshing;
  } else if (flights_.retry_at(source)) {
    word.answer = TierAnswer::throttled;
  }
  return word;
}

}  // namespace tiercache::detail
