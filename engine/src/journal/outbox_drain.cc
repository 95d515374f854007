#include "journal/outbox_drain.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/guarded_call.h"
#include "base/mutex.h"

namespace tiercache {
namespace {

// How one batch went, the same for a save and a matching erase.
struct Attempt {
  StoreReply reply;
  std::vector<SaveResult> results;  // one per write when ok
};

Attempt erase_matching(Store& store, const std::string& project, const UnsettledWrite& write,
                       SteadyTime deadline) {
  const StoreWrite& erase = write.write;
  Attempt attempt;
  attempt.reply = guarded([&] {
    return store.erase_matching(
        project,
        {.dataset = erase.id.dataset, .glob = erase.id.key, .version = erase.entry.version},
        deadline);
  });
  if (attempt.reply.status == StoreStatus::ok) attempt.results.emplace_back();
  return attempt;
}

Attempt save(Store& store, const std::string& project, const std::vector<UnsettledWrite>& batch,
             SteadyTime deadline) {
  std::vector<StoreWrite> writes;
  writes.reserve(batch.size());
  for (const UnsettledWrite& write : batch) writes.push_back(write.write);
  SaveReply reply = guarded([&] { return store.save(project, writes, deadline); });
  if (reply.status == StoreStatus::ok && reply.results.size() != batch.size()) {
    reply.status = StoreStatus::unknown;
    reply.message = "the store answered " + std::to_string(reply.results.size()) + " results for " +
                    std::to_string(batch.size()) + " writes";
  }
  return {reply, std::move(reply.results)};
}

}  // namespace

struct OutboxDrain::State : std::enable_shared_from_this<State> {
  enum class Phase : std::uint8_t {
    resting,  // nothing to do, or stopped
    waiting,  // for the store, or the journal's disk
    sending,  // a task is posted or running
  };

  State(std::shared_ptr<Journal> from, std::shared_ptr<Store> to, std::shared_ptr<Breaker> asks,
        Executor& runs_on, std::shared_ptr<const Clock> reads, DrainOptions drain_options,
        DrainEvents drain_events, std::uint64_t seed)
      : journal(std::move(from)),
        store(std::move(to)),
        breaker(std::move(asks)),
        executor(runs_on),
        clock(std::move(reads)),
        options(std::move(drain_options)),
        events(std::move(drain_events)),
        random(seed) {}

  void wake();
  void hurry();
  void kick();
  void stop();
  void post_send() TIERCACHE_REQUIRES(mutex);
  void wait_until(SteadyTime when) TIERCACHE_REQUIRES(mutex);
  void on_timer(std::uint64_t of_wait);
  void send();
  void rest();
  void next_batch(bool worked);
  Attempt attempt(const std::vector<UnsettledWrite>& batch);
  bool succeeded(const std::vector<UnsettledWrite>& batch, const std::vector<SaveResult>& results);
  bool is_outdated(const UnsettledWrite& write) const;
  bool may_settle(const UnsettledWrite& write, const SaveResult& result) const;
  void settle(const UnsettledWrite& write, const SaveResult& result);

  const std::shared_ptr<Journal> journal;
  const std::shared_ptr<Store> store;
  const std::shared_ptr<Breaker> breaker;
  Executor& executor;  // touched only under `mutex` and before `stopped`
  const std::shared_ptr<const Clock> clock;
  const DrainOptions options;
  const DrainEvents events;

  mutable Mutex mutex;
  Phase phase TIERCACHE_GUARDED_BY(mutex) = Phase::resting;
  bool stopped TIERCACHE_GUARDED_BY(mutex) = false;
  bool woken TIERCACHE_GUARDED_BY(mutex) = false;  // while sending: there may be more
  bool calling TIERCACHE_GUARDED_BY(mutex) = false;
  bool kicked TIERCACHE_GUARDED_BY(mutex) = false;  // the next call is made in any case
  int unread TIERCACHE_GUARDED_BY(mutex) = 0;       // times in a row that the disk was not read
  std::uint64_t waits TIERCACHE_GUARDED_BY(mutex) = 0;
  Executor::TimerId timer TIERCACHE_GUARDED_BY(mutex) = 0;
  Random random TIERCACHE_GUARDED_BY(mutex);
};

// --- When to send ---

void OutboxDrain::State::post_send() {
  phase = Phase::sending;
  woken = false;
  executor.post(Lane::store, [weak = weak_from_this()] {
    if (const auto state = weak.lock()) state->send();
  });
}

void OutboxDrain::State::wake() {
  Lock lock(mutex);
  if (stopped || phase == Phase::waiting) return;
  if (phase == Phase::sending) {
    woken = true;
  } else {
    post_send();
  }
}

void OutboxDrain::State::hurry() {
  Lock lock(mutex);
  if (stopped || phase == Phase::resting) return;
  if (phase == Phase::sending) {
    woken = true;
    return;
  }
  executor.cancel(timer);
  post_send();
}

void OutboxDrain::State::kick() {
  journal->resume();
  {
    Lock lock(mutex);
    kicked = true;
    if (!stopped && phase == Phase::resting) return post_send();
  }
  hurry();
}

void OutboxDrain::State::stop() {
  Lock lock(mutex);
  if (std::exchange(stopped, true)) return;
  if (phase == Phase::waiting) executor.cancel(timer);
  if (!calling) phase = Phase::resting;
}

void OutboxDrain::State::wait_until(SteadyTime when) {
  phase = Phase::waiting;
  timer = executor.schedule(when, Lane::store, [weak = weak_from_this(), wait = ++waits] {
    if (const auto state = weak.lock()) state->on_timer(wait);
  });
}

void OutboxDrain::State::on_timer(std::uint64_t of_wait) {
  {
    Lock lock(mutex);
    // A kick may have come between the timer's firing and this.
    if (stopped || phase != Phase::waiting || waits != of_wait) return;
    phase = Phase::sending;
    woken = false;
  }
  send();
}

void OutboxDrain::State::rest() {
  {
    Lock lock(mutex);
    calling = false;
    if (woken && !stopped) return post_send();
    phase = Phase::resting;
    if (!stopped && options.retry && journal->stats().unsettled > 0) {
      // The journal's disk would not give them back just now.
      journal->resume();
      wait_until(clock->steady_now() + backoff_delay(options.backoff, unread++, random));
    }
  }
  if (events.rested) events.rested();
}

void OutboxDrain::State::next_batch(bool worked) {
  {
    Lock lock(mutex);
    calling = false;
    if (worked) unread = 0;
    if (stopped) {
      phase = Phase::resting;
    } else if (worked || kicked || !options.retry) {
      return post_send();
    } else {
      wait_until(breaker->retry_at());
    }
  }
  if (events.rested) events.rested();
}

// --- Sending ---

void OutboxDrain::State::send() {
  using Urgency = Breaker::Urgency;
  Urgency urgency = options.retry ? Urgency::background : Urgency::forced;
  {
    Lock lock(mutex);
    if (stopped) {
      phase = Phase::resting;
      return;
    }
    calling = true;
    if (std::exchange(kicked, false)) urgency = Urgency::forced;
  }
  if (journal->stats().unsettled == 0) return rest();
  const Breaker::Permit permit = breaker->ask(urgency);
  if (!permit.granted) return next_batch(false);
  std::vector<UnsettledWrite> batch =
      journal->take_unsettled(options.batch_items, options.batch_bytes);
  std::erase_if(batch, [this](const UnsettledWrite& write) {
    if (!is_outdated(write)) return false;
    journal->release({&write, 1}, Journal::Release::hold);
    return true;
  });
  if (batch.empty()) {
    breaker->unused(permit);
    return rest();
  }
  const Attempt ended = attempt(batch);
  const bool worked = ended.reply.status == StoreStatus::ok;
  breaker->ended(permit, worked, ended.reply.message);
  if (worked) {
    if (!succeeded(batch, ended.results)) return rest();
  } else {
    journal->release(batch, options.retry ? Journal::Release::again : Journal::Release::hold);
  }
  next_batch(worked);
}

Attempt OutboxDrain::State::attempt(const std::vector<UnsettledWrite>& batch) {
  const SteadyTime start = clock->steady_now();
  const SteadyTime deadline = start + options.call_timeout;
  const bool erase = batch.front().kind == RecordKind::erase_matching;
  Attempt ended = erase ? erase_matching(*store, options.project, batch.front(), deadline)
                        : save(*store, options.project, batch, deadline);
  if (events.called) events.called(ended.reply, clock->steady_now() - start);
  return ended;
}

// False when nothing came of it: all of the batch waits for something else.
bool OutboxDrain::State::succeeded(const std::vector<UnsettledWrite>& batch,
                                   const std::vector<SaveResult>& results) {
  bool any_settled = false;
  bool any_parked = false;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!may_settle(batch[i], results[i])) {
      journal->release({&batch[i], 1}, Journal::Release::hold);
      continue;
    }
    settle(batch[i], results[i]);
    any_settled = true;
    any_parked = any_parked || results[i].outcome == SaveOutcome::refused;
    if (events.settled) events.settled(batch[i], results[i]);
  }
  while (any_parked && !journal->commit()) {
  }
  return any_settled;
}

bool OutboxDrain::State::is_outdated(const UnsettledWrite& write) const {
  return events.outdated && events.outdated(write);
}

bool OutboxDrain::State::may_settle(const UnsettledWrite& write, const SaveResult& result) const {
  switch (result.outcome) {
    case SaveOutcome::saved:
    case SaveOutcome::already_saved:
      return !is_outdated(write);
    case SaveOutcome::superseded:
      return !events.may_settle || events.may_settle(write, result);
    case SaveOutcome::refused:
      return true;
  }
  return true;
}

void OutboxDrain::State::settle(const UnsettledWrite& write, const SaveResult& result) {
  switch (result.outcome) {
    case SaveOutcome::saved:
    case SaveOutcome::already_saved:
      return journal->settled(write, Journal::Settlement::saved);
    case SaveOutcome::superseded:
      return journal->settled(write, Journal::Settlement::superseded);
    case SaveOutcome::refused:
      return journal->park(write, result.why);
  }
}

// --- The public face ---

OutboxDrain::OutboxDrain(std::shared_ptr<Journal> journal, std::shared_ptr<Store> store,
                         std::shared_ptr<Breaker> breaker, Executor& executor,
                         std::shared_ptr<const Clock> clock, DrainOptions options,
                         DrainEvents events, std::uint64_t seed)
    : state_(std::make_shared<State>(std::move(journal), std::move(store), std::move(breaker),
                                     executor, std::move(clock), std::move(options),
                                     std::move(events), seed)) {}

OutboxDrain::~OutboxDrain() {
  state_->stop();
}

void OutboxDrain::wake() {
  state_->wake();
}

void OutboxDrain::hurry() {
  state_->hurry();
}

void OutboxDrain::kick() {
  state_->kick();
}

void OutboxDrain::stop() {
  state_->stop();
}

bool OutboxDrain::in_flight() const {
  Lock lock(state_->mutex);
  return state_->calling;
}

bool OutboxDrain::idle() const {
  if (in_flight()) return false;
  return state_->journal->stats().unsettled == 0;
}

}  // namespace tiercache
