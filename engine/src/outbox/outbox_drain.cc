#include "outbox/outbox_drain.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "outbox/outbox_drain_impl.h"

namespace tiercache {

namespace {

// Between questions whether the store is the one that the writes are for.
constexpr std::chrono::milliseconds kLeavePause{1'000};

}  // namespace

// --- When to send ---

void OutboxDrain::State::post(Which which) {
  at(which).phase = Phase::sending;
  at(which).woken = false;
  executor.post(Lane::store, [weak = weak_from_this(), which] {
    if (const auto state = weak.lock()) state->send(which);
  });
}

void OutboxDrain::State::wake(Which which) {
  if (stopped || at(which).phase == Phase::waiting) return;
  if (at(which).phase == Phase::sending) {
    at(which).woken = true;
  } else {
    post(which);
  }
}

void OutboxDrain::State::hurry(Which which) {
  if (stopped || at(which).phase == Phase::resting) return;
  if (at(which).phase == Phase::sending) {
    at(which).woken = true;
    return;
  }
  executor.cancel(at(which).timer);
  post(which);
}

void OutboxDrain::State::wake() {
  Lock lock(mutex);
  wake(Which::batch);
}

void OutboxDrain::State::hurry() {
  Lock lock(mutex);
  hurry(Which::batch);
  hurry(Which::slow);
}

void OutboxDrain::State::kick() {
  journal->resume();
  Lock lock(mutex);
  slow_writes.hurry();
  for (const Which which : {Which::batch, Which::slow}) {
    if (which == Which::slow && slow_writes.size() == 0) continue;
    at(which).kicked = true;
    if (!stopped && at(which).phase == Phase::resting) {
      post(which);
    } else {
      hurry(which);
    }
  }
}

void OutboxDrain::State::stop() {
  Lock lock(mutex);
  if (std::exchange(stopped, true)) return;
  for (Channel& channel : channels) {
    if (channel.phase == Phase::waiting) executor.cancel(channel.timer);
    if (!channel.calling) channel.phase = Phase::resting;
  }
}

void OutboxDrain::State::wait_until(Which which, SteadyTime when) {
  at(which).phase = Phase::waiting;
  at(which).timer = executor.schedule(when, Lane::store,
                                      [weak = weak_from_this(), which, wait = ++at(which).waits] {
                                        if (const auto state = weak.lock())
                                          state->on_timer(which, wait);
                                      });
}

void OutboxDrain::State::on_timer(Which which, std::uint64_t of_wait) {
  {
    Lock lock(mutex);
    // A kick may have come between the timer's firing and this.
    if (stopped || at(which).phase != Phase::waiting || at(which).waits != of_wait) return;
    at(which).phase = Phase::sending;
    at(which).woken = false;
  }
  send(which);
}

std::optional<Breaker::Urgency> OutboxDrain::State::begin(Which which) {
  using Urgency = Breaker::Urgency;
  Lock lock(mutex);
  if (stopped) {
    at(which).phase = Phase::resting;
    return std::nullopt;
  }
  at(which).calling = true;
  const bool kicked = std::exchange(at(which).kicked, false);
  return kicked || !options.retry ? Urgency::forced : Urgency::background;
}

void OutboxDrain::State::wait_for_leave(Which which) {
  {
    Lock lock(mutex);
    at(which).calling = false;
    at(which).phase = Phase::resting;
    if (!stopped && options.retry) {
      wait_until(which, std::max(breaker->retry_at(), clock->steady_now() + kLeavePause));
    }
  }
  if (events.rested) events.rested();
}

// --- Batches ---

// As it is just now: the journal must not be asked and called back under one lock.
SlowWrites OutboxDrain::State::kept_apart() const {
  Lock lock(mutex);
  return slow_writes;
}

void OutboxDrain::State::rest() {
  const SlowWrites apart = kept_apart();
  const bool left =
      journal->has_unsettled([&](const SlotName& slot) { return apart.contains(slot); });
  {
    Lock lock(mutex);
    at(Which::batch).calling = false;
    if (at(Which::batch).woken && !stopped) return post(Which::batch);
    at(Which::batch).phase = Phase::resting;
    if (!stopped && options.retry && left) {
      // The journal's disk would not give them back just now.
      journal->resume();
      wait_until(Which::batch,
                 clock->steady_now() + backoff_delay(options.backoff, unread++, random));
    }
  }
  if (events.rested) events.rested();
}

void OutboxDrain::State::next_batch(bool worked) {
  {
    Lock lock(mutex);
    at(Which::batch).calling = false;
    if (worked) unread = 0;
    if (stopped) {
      at(Which::batch).phase = Phase::resting;
    } else if (worked || at(Which::batch).kicked || !options.retry) {
      return post(Which::batch);
    } else {
      wait_until(Which::batch, breaker->retry_at());
    }
  }
  if (events.rested) events.rested();
}

void OutboxDrain::State::send_batch() {
  const auto urgency = begin(Which::batch);
  if (!urgency) return;
  const SlowWrites apart = kept_apart();
  const auto is_apart = [&](const SlotName& slot) { return apart.contains(slot); };
  if (!journal->has_unsettled(is_apart)) return rest();
  if (events.may_send && !events.may_send(*urgency)) return wait_for_leave(Which::batch);
  const Breaker::Permit permit = breaker->ask(*urgency);
  if (!permit.granted) return next_batch(false);
  Batch batch = journal->take_unsettled(options.batch_items, options.batch_bytes, is_apart);
  drop_outdated(&batch);
  if (batch.empty()) {
    breaker->unused(permit);
    return rest();
  }
  const SendCall how = attempt(batch, options.call_timeout);
  breaker->ended(permit, how.worked(), how.reply.message);
  // A probe that fails tells of the store, not of what it held.
  if (!how.worked() && !permit.probe) failed(batch, how);
  const bool any = ended(batch, how);
  {
    Lock lock(mutex);
    if (slow_writes.size() > 0) {
      if (at(Which::batch).kicked) {
        slow_writes.hurry();
        at(Which::slow).kicked = true;
      }
      wake(Which::slow);
    }
  }
  if (how.worked() && !any) return rest();
  next_batch(how.worked());
}

// --- Slow writes ---

void OutboxDrain::State::rest_slow(SteadyTime until) {
  {
    Lock lock(mutex);
    at(Which::slow).calling = false;
    if (at(Which::slow).woken && !stopped) return post(Which::slow);
    at(Which::slow).phase = Phase::resting;
    if (!stopped && options.retry && until != kNever) wait_until(Which::slow, until);
  }
  if (events.rested) events.rested();
}

void OutboxDrain::State::next_slow() {
  Lock lock(mutex);
  at(Which::slow).calling = false;
  if (stopped) {
    at(Which::slow).phase = Phase::resting;
  } else {
    post(Which::slow);
  }
}

// While the store is away others find out first whether it is back: a slow write would hold that
// up.
SteadyTime OutboxDrain::State::slow_waits_until() {
  const bool away = breaker->state().open;
  Lock lock(mutex);
  if (!away) {
    probes_from.reset();
    return {};
  }
  if (!probes_from) probes_from = clock->steady_now() + Breaker::kLongestPauseOfReaders;
  return *probes_from;
}

bool OutboxDrain::State::fails_for_itself(const Batch& batch, std::uint64_t worked) const {
  Lock lock(mutex);
  return batch.size() == 1 && slow_writes.others_worked_since(batch.front(), worked);
}

void OutboxDrain::State::send_slow() {
  const auto urgency = begin(Which::slow);
  if (!urgency) return;
  std::optional<SlowWrites::Try> next;
  SteadyTime due{};
  {
    Lock lock(mutex);
    next = slow_writes.next(clock->steady_now());
    due = slow_writes.due();
  }
  if (!next) return rest_slow(due);
  const SteadyTime until = slow_waits_until();
  if (*urgency == Breaker::Urgency::background && clock->steady_now() < until) {
    return rest_slow(until);
  }
  if (events.may_send && !events.may_send(*urgency)) return wait_for_leave(Which::slow);
  Batch batch = journal->take_named(next->slots);
  drop_outdated(&batch);
  bool any_deferred = false;
  {
    // What was not taken is settled by now, or cannot be read just now.
    Lock lock(mutex);
    const SteadyTime later = options.retry ? clock->steady_now() + options.call_timeout : kNever;
    for (const SlotName& slot : next->slots) {
      const bool taken = std::any_of(batch.begin(), batch.end(), [&](const UnsettledWrite& write) {
        return write.kind == slot.kind && write.write.id == slot.id;
      });
      if (taken) continue;
      if (journal->awaits_store(slot.kind, slot.id)) {
        slow_writes.defer(slot, later);
        any_deferred = true;
      } else {
        slow_writes.forget(slot);
      }
    }
  }
  // What the journal holds it gives to nobody, and only the other channel would ask for it again.
  if (any_deferred && options.retry) journal->resume();
  if (batch.empty()) return next_slow();
  const Breaker::Permit permit = breaker->ask(*urgency);
  if (!permit.granted) {
    journal->release(batch);
    return rest_slow(breaker->retry_at());
  }
  const std::uint64_t worked = breaker->worked();
  const SendCall how = attempt(batch, permit.probe ? options.call_timeout : next->timeout);
  // A single write that fails again and again while others work says nothing of the store.
  if (!how.worked() && fails_for_itself(batch, worked)) {
    breaker->unused(permit);
  } else {
    breaker->ended(permit, how.worked(), how.reply.message);
  }
  if (!how.worked()) {
    failed(batch, how);
    Lock lock(mutex);
    if (probes_from) probes_from = breaker->retry_at();
  }
  ended(batch, how);
  wake();  // for a later write of a key that was in flight here
  next_slow();
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
  return std::any_of(state_->channels.begin(), state_->channels.end(),
                     [](const State::Channel& channel) { return channel.calling; });
}

std::string OutboxDrain::describe_slow(const OutboxWrite& write) const {
  Lock lock(state_->mutex);
  return state_->slow_writes.describe({record_kind_of(write.kind), write.id});
}

bool OutboxDrain::idle() const {
  if (in_flight()) return false;
  return state_->journal->stats().unsettled == 0;
}

}  // namespace tiercache
