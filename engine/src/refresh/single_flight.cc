#include "refresh/single_flight.h"

#include <algorithm>
#include <exception>
#include <list>
#include <map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "refresh/ask_source.h"
#include "refresh/none_table.h"
#include "refresh/retry_table.h"

namespace tiercache {

using std::chrono::milliseconds;
using Status = FlightResult::Status;

namespace {

// Of each of the two tables.
constexpr std::size_t kMaxRemembered = 10'000;
constexpr char kNotReturned[] = "the callback of an earlier refresh has timed out and not returned";
constexpr char kLineFull[] = "too many refreshes are waiting in line";

FlightResult stopped_result() {
  return {.status = Status::stopped, .why = "the cache is closing"};
}

bool succeeded(Status status) {
  return status == Status::saved || status == Status::not_modified || status == Status::not_found;
}

void tell(const std::vector<SingleFlight::Handler>& handlers, const FlightResult& result) {
  for (const auto& handler : handlers) {
    try {
      handler(result);
    } catch (...) {  // NOLINT: a handler's failure is its own; the others are still told
    }
  }
}

}  // namespace

struct SingleFlight::State : std::enable_shared_from_this<State> {
  enum class Phase : std::uint8_t { making, in_line, running, abandoned, applying, ended };
  struct Record;
  using RecordPtr = std::shared_ptr<Record>;
  // One flight. Guarded by the state's mutex, except `flight.call` and `flight.apply`, which only
  // the task whose turn it is calls.
  struct Record {
    explicit Record(SourceId asked) : source(std::move(asked)) {}

    const SourceId source;
    Phase phase = Phase::making;
    Flight flight;
    std::vector<Handler> handlers;
    std::list<RecordPtr>::iterator place;  // valid while in line
    Executor::TimerId timer = 0;           // ends the wait in line, and then the callback's time
  };
  // A result on its way to its handlers. It is kept here so that `stop` finds the handlers whose
  // task has not run.
  struct Delivery {
    std::vector<Handler> handlers;
    FlightResult result;
    std::function<void(const FlightResult&)> ended;  // that of the flight
  };

  // What `stop` takes out, to be told and destroyed outside the lock.
  struct Remains {
    std::map<std::uint64_t, Delivery> deliveries;
    std::map<EntryId, RecordPtr> flights;
    std::vector<Handler> stopped;
  };

  State(Executor& e, const Clock& c, int concurrency_limit, std::uint64_t seed,
        std::size_t most_waiting)
      : executor(e),
        clock(c),
        concurrency(std::max(1, concurrency_limit)),
        max_waiting(most_waiting),
        random(seed) {}

  // The steps of `run`.
  RecordPtr admit(const SourceId& source, RefreshReason reason, Handler* handler)
      TIERCACHE_REQUIRES(mutex);
  void throttle(const SourceId& source, Handler* handler, std::string why = {})
      TIERCACHE_REQUIRES(mutex);
  void turn_away(const SourceId& source, Handler* handler, Status status, std::string why)
      TIERCACHE_REQUIRES(mutex);
  void hold_off(const SourceId& source, const BackoffOptions& backoff, const std::string& why)
      TIERCACHE_REQUIRES(mutex);
  void make(const RecordPtr& record, const Make& make);
  void enter_line(const RecordPtr& record) TIERCACHE_REQUIRES(mutex);
  // The steps of a worker: a task on the callback lane that takes the next flight in line.
  void call_workers() TIERCACHE_REQUIRES(mutex);
  void work();
  RecordPtr begin_next(RefreshContext* context) TIERCACHE_REQUIRES(mutex);
  void end_callback(const RecordPtr& record, Answer& answer) TIERCACHE_REQUIRES(mutex);
  // The steps after the callback.
  void apply(const RecordPtr& record, RefreshResult result);
  void finish(const RecordPtr& record, FlightResult result);
  void fail(const RecordPtr& record, std::string why, milliseconds source_delay)
      TIERCACHE_REQUIRES(mutex);
  void end(const RecordPtr& record, FlightResult result) TIERCACHE_REQUIRES(mutex);
  // The steps when time runs out.
  void set_timer(const RecordPtr& record) TIERCACHE_REQUIRES(mutex);
  void drop_timer(Record& record) TIERCACHE_REQUIRES(mutex);
  void on_timeout(const RecordPtr& record, Phase phase);

  void deliver(Delivery delivery) TIERCACHE_REQUIRES(mutex);
  void hand_over(std::uint64_t number);
  int stop(Remains* remains);

  Executor& executor;
  const Clock& clock;
  const int concurrency;
  const std::size_t max_waiting;

  mutable Mutex mutex;
  bool stopped TIERCACHE_GUARDED_BY(mutex) = false;
  Random random TIERCACHE_GUARDED_BY(mutex);
  RetryTable retries TIERCACHE_GUARDED_BY(mutex){kMaxRemembered};
  NoneTable nones TIERCACHE_GUARDED_BY(mutex){kMaxRemembered};
  std::map<EntryId, RecordPtr> flights TIERCACHE_GUARDED_BY(mutex);
  std::list<RecordPtr> line TIERCACHE_GUARDED_BY(mutex);
  int workers_called TIERCACHE_GUARDED_BY(mutex) = 0;   // posted but not begun
  int workers_in_time TIERCACHE_GUARDED_BY(mutex) = 0;  // in a callback whose time has not passed
  int callbacks TIERCACHE_GUARDED_BY(mutex) = 0;        // those that have not returned
  Counters counters TIERCACHE_GUARDED_BY(mutex);
  std::map<std::uint64_t, Delivery> deliveries TIERCACHE_GUARDED_BY(mutex);
  std::uint64_t last_delivery TIERCACHE_GUARDED_BY(mutex) = 0;
};

// --- Asking for a flight ---

SingleFlight::State::RecordPtr SingleFlight::State::admit(const SourceId& source,
                                                          RefreshReason reason, Handler* handler) {
  const SteadyTime now = clock.steady_now();
  if (const auto found = flights.find(source.id); found != flights.end()) {
    Record& record = *found->second;
    if (record.phase == Phase::abandoned) {
      hold_off(source, record.flight.backoff, kNotReturned);
      throttle(source, handler, kNotReturned);
    } else {
      ++counters.joined;
      if (*handler) record.handlers.push_back(std::move(*handler));
    }
    return nullptr;
  }
  const bool asked = reason == RefreshReason::asked;
  if (asked ? retries.source_retry_at(source, now) : retries.retry_at(source, now)) {
    throttle(source, handler);
    return nullptr;
  }
  if (reason == RefreshReason::emergency || reason == RefreshReason::behind) {
    if (auto none = nones.said(source, now)) {
      turn_away(source, handler, Status::not_found, std::move(*none));
      return nullptr;
    }
  }
  if (line.size() >= max_waiting) {
    hold_off(source, BackoffOptions{}, kLineFull);
    throttle(source, handler, kLineFull);
    return nullptr;
  }
  auto record = std::make_shared<Record>(source);
  if (*handler) record->handlers.push_back(std::move(*handler));
  flights.emplace(source.id, record);
  return record;
}

// Without a `why` the reason is the source's last failure.
void SingleFlight::State::throttle(const SourceId& source, Handler* handler, std::string why) {
  if (why.empty()) why = retries.last_failure(source, clock.steady_now());
  turn_away(source, handler, Status::throttled, std::move(why));
}

void SingleFlight::State::turn_away(const SourceId& source, Handler* handler, Status status,
                                    std::string why) {
  ++counters.throttled;
  if (!*handler) return;
  Delivery delivery;
  delivery.handlers.push_back(std::move(*handler));
  delivery.result = {.status = status, .why = std::move(why), .cadence = source.cadence};
  deliver(std::move(delivery));
}

// A throttled source must not be due again at once, or whoever asks for it would spin.
void SingleFlight::State::hold_off(const SourceId& source, const BackoffOptions& backoff,
                                   const std::string& why) {
  const SteadyTime now = clock.steady_now();
  if (retries.retry_at(source, now)) return;
  retries.note_failure(source, backoff, milliseconds(0), now, random, why);
}

void SingleFlight::State::make(const RecordPtr& record, const Make& make) {
  Flight flight;
  std::string why;
  try {
    flight = make();
  } catch (const std::exception& error) {
    why = "the refresh could not be prepared: " + shortened(error.what());
  } catch (...) {
    why = "the refresh could not be prepared";
  }
  Lock lock(mutex);
  if (record->phase != Phase::making) return;  // `stop` has ended it meanwhile
  std::swap(record->flight, flight);
  if (!why.empty()) return fail(record, std::move(why), milliseconds(0));
  enter_line(record);
}

void SingleFlight::State::enter_line(const RecordPtr& record) {
  milliseconds& timeout = record->flight.hard_timeout;
  timeout = std::clamp<milliseconds>(timeout, milliseconds(1), std::chrono::hours(24));
  record->phase = Phase::in_line;
  record->place = line.insert(line.end(), record);
  set_timer(record);
  call_workers();
}

// --- Running callbacks ---

void SingleFlight::State::call_workers() {
  while (std::cmp_less(workers_called, line.size()) &&
         workers_called + workers_in_time < concurrency) {
    ++workers_called;
    executor.post(Lane::callback, [self = shared_from_this()] { self->work(); });
  }
}

void SingleFlight::State::work() {
  RefreshContext context;
  RecordPtr record;
  {
    Lock lock(mutex);
    record = begin_next(&context);
  }
  if (!record) return;
  Answer answer = ask_source(record->flight.call, context);
  Lock lock(mutex);
  end_callback(record, answer);
}

SingleFlight::State::RecordPtr SingleFlight::State::begin_next(RefreshContext* context) {
  --workers_called;
  if (line.empty()) return nullptr;
  RecordPtr record = line.front();
  line.pop_front();
  drop_timer(*record);
  record->phase = Phase::running;
  ++workers_in_time;
  ++callbacks;
  ++counters.started;
  record->flight.context.set_hard_deadline(clock.steady_now() + record->flight.hard_timeout);
  set_timer(record);
  *context = record->flight.context;
  return record;
}

// After `stop` the executor and the clock may be gone, so only the count of callbacks is kept. A
// late answer is left to the caller, because nothing of the user's may be destroyed under the lock.
void SingleFlight::State::end_callback(const RecordPtr& record, Answer& answer) {
  --callbacks;
  if (stopped) return;
  if (record->phase == Phase::abandoned) {
    record->phase = Phase::ended;
    flights.erase(record->source.id);
    return;
  }
  --workers_in_time;
  drop_timer(*record);
  if (answer.result) {
    record->phase = Phase::applying;
    // Before others are called: this thread is about to be free, and theirs may hang.
    executor.post(Lane::callback, [self = shared_from_this(), record,
                                   result = std::move(*answer.result)]() mutable {
      self->apply(record, std::move(result));
    });
  }
  call_workers();
  if (!answer.result) fail(record, std::move(answer.why), answer.source_delay);
}

// --- After the callback ---

void SingleFlight::State::apply(const RecordPtr& record, RefreshResult result) {
  {
    Lock lock(mutex);
    if (stopped) return;
  }
  auto finish = [weak = weak_from_this(), record](FlightResult ended) {
    if (const auto self = weak.lock()) self->finish(record, std::move(ended));
  };
  try {
    record->flight.apply(std::move(result), finish);
  } catch (const std::exception& error) {
    finish({.status = Status::failed, .why = shortened(error.what())});
  } catch (...) {
    finish({.status = Status::failed, .why = "the answer could not be applied"});
  }
}

void SingleFlight::State::finish(const RecordPtr& record, FlightResult result) {
  Lock lock(mutex);
  if (record->phase != Phase::applying) return;
  if (result.status == Status::failed) return fail(record, std::move(result.why), milliseconds(0));
  if (succeeded(result.status)) {
    ++counters.succeeded;
    retries.note_success(record->source);
    nones.note(record->source, result.hold_for, clock.steady_now());
  }
  end(record, std::move(result));
}

void SingleFlight::State::fail(const RecordPtr& record, std::string why,
                               milliseconds source_delay) {
  ++counters.failed;
  why = shortened(std::move(why));
  retries.note_failure(record->source, record->flight.backoff, source_delay, clock.steady_now(),
                       random, why);
  end(record, {.status = Status::failed, .why = std::move(why)});
}

void SingleFlight::State::end(const RecordPtr& record, FlightResult result) {
  result.cadence = record->source.cadence;
  if (record->phase != Phase::abandoned) {
    record->phase = Phase::ended;
    flights.erase(record->source.id);
  }
  deliver({.handlers = std::exchange(record->handlers, {}),
           .result = std::move(result),
           .ended = std::exchange(record->flight.ended, {})});
}

// --- Time running out ---

void SingleFlight::State::set_timer(const RecordPtr& record) {
  record->timer = executor.schedule(clock.steady_now() + record->flight.hard_timeout, Lane::compute,
                                    [self = shared_from_this(), record, phase = record->phase] {
                                      self->on_timeout(record, phase);
                                    });
}

void SingleFlight::State::drop_timer(Record& record) {
  if (record.timer != 0) executor.cancel(record.timer);
  record.timer = 0;
}

void SingleFlight::State::on_timeout(const RecordPtr& record, Phase phase) {
  Lock lock(mutex);
  if (record->phase != phase) return;
  record->timer = 0;
  const auto waited = std::to_string(record->flight.hard_timeout.count());
  if (phase == Phase::in_line) {
    line.erase(record->place);
    const std::string why =
        "no callback could begin within " + waited + " ms; others have not returned";
    hold_off(record->source, record->flight.backoff, why);
    ++counters.throttled;
    return end(record, {.status = Status::throttled, .why = why});
  }
  record->phase = Phase::abandoned;
  record->flight.context.cancel();
  --workers_in_time;
  ++counters.timed_out;
  fail(record, "the callback did not answer within " + waited + " ms", milliseconds(0));
  call_workers();
}

// --- Telling those who wait ---

void SingleFlight::State::deliver(Delivery delivery) {
  if (delivery.handlers.empty() && !delivery.ended) return;
  const std::uint64_t number = ++last_delivery;
  deliveries.emplace(number, std::move(delivery));
  executor.post(Lane::compute, [self = shared_from_this(), number] { self->hand_over(number); });
}

void SingleFlight::State::hand_over(std::uint64_t number) {
  Delivery delivery;
  {
    Lock lock(mutex);
    auto found = deliveries.extract(number);
    if (found.empty()) return;
    delivery = std::move(found.mapped());
  }
  if (delivery.ended) tell({delivery.ended}, delivery.result);
  tell(delivery.handlers, delivery.result);
}

int SingleFlight::State::stop(Remains* remains) {
  Lock lock(mutex);
  if (std::exchange(stopped, true)) return callbacks;
  for (auto& [id, record] : flights) {
    drop_timer(*record);
    record->flight.context.cancel();
    record->phase = Phase::ended;
    for (auto& handler : record->handlers) remains->stopped.push_back(std::move(handler));
  }
  line.clear();
  remains->deliveries.swap(deliveries);
  remains->flights.swap(flights);
  return callbacks;
}

// --- The public face ---

SingleFlight::SingleFlight(Executor& executor, const Clock& clock, int concurrency,
                           std::uint64_t seed, std::size_t max_waiting)
    : state_(std::make_shared<State>(executor, clock, concurrency, seed, max_waiting)) {}

SingleFlight::~SingleFlight() {
  stop();
}

void SingleFlight::run(const SourceId& source, RefreshReason reason, const Make& make,
                       Handler handler) {
  State::RecordPtr record;
  bool stopped = false;
  {
    Lock lock(state_->mutex);
    stopped = state_->stopped;
    if (!stopped) record = state_->admit(source, reason, &handler);
  }
  if (stopped && handler) tell({handler}, stopped_result());
  if (record) state_->make(record, make);
}

bool SingleFlight::is_running(const EntryId& id) const {
  Lock lock(state_->mutex);
  return state_->flights.contains(id);
}

void SingleFlight::note_failure(const SourceId& source, const BackoffOptions& backoff,
                                milliseconds source_delay, std::string why) {
  Lock lock(state_->mutex);
  state_->retries.note_failure(source, backoff, source_delay, state_->clock.steady_now(),
                               state_->random, shortened(std::move(why)));
}

void SingleFlight::forget_none(const EntryId& id) {
  Lock lock(state_->mutex);
  if (state_->nones.size() == 0) return;
  for (const auto cadence : {Cadence::normal, Cadence::rich}) state_->nones.forget({id, cadence});
}

bool SingleFlight::may_be_asked(const SourceId& source) const {
  Lock lock(state_->mutex);
  const SteadyTime now = state_->clock.steady_now();
  return !state_->flights.contains(source.id) && !state_->retries.retry_at(source, now) &&
         !state_->nones.has(source, now);
}

bool SingleFlight::is_waiting(const EntryId& id) const {
  Lock lock(state_->mutex);
  const auto flight = state_->flights.find(id);
  return flight != state_->flights.end() && flight->second->phase <= State::Phase::in_line;
}

std::optional<SteadyTime> SingleFlight::retry_at(const SourceId& source) const {
  Lock lock(state_->mutex);
  if (state_->stopped) return std::nullopt;
  return state_->retries.retry_at(source, state_->clock.steady_now());
}

std::string SingleFlight::last_failure(const SourceId& source) const {
  Lock lock(state_->mutex);
  return state_->retries.last_failure(source, state_->clock.steady_now());
}

std::optional<std::string> SingleFlight::said_none(const SourceId& source) const {
  Lock lock(state_->mutex);
  return state_->nones.said(source, state_->clock.steady_now());
}

int SingleFlight::stop() {
  State::Remains remains;
  const int callbacks = state_->stop(&remains);
  for (const auto& [number, delivery] : remains.deliveries) {
    tell(delivery.handlers, delivery.result);
  }
  tell(remains.stopped, stopped_result());
  return callbacks;
}

int SingleFlight::callbacks_running() const {
  Lock lock(state_->mutex);
  return state_->callbacks;
}

SingleFlight::Counters SingleFlight::counters() const {
  Lock lock(state_->mutex);
  return state_->counters;
}

}  // namespace tiercache
