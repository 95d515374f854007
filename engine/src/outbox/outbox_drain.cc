// When to send. Each of the two channels, batches and slow writes, is a small machine:
//
//     resting   wake, kick                                          -> sending
//     waiting   its timer, hurry, kick                              -> sending
//     sending   it worked, it is kicked, or was woken meanwhile     -> sending
//               nothing is left to send                             -> resting
//               the store is away, the owner says no, the journal's
//               disk gives nothing back, or all slow ones pause     -> waiting
//     any       stop                                                -> resting, after its call
//
// A wake does not end a wait, or each new write would try a store that is away. With `retry` off no
// channel ever waits.
#include "outbox/outbox_drain.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "outbox/outbox_drain_impl.h"

namespace tiercache {

namespace {

// The pause before the owner is asked again whether the store is the one that the writes are for.
constexpr std::chrono::milliseconds kAskAgainPause{1'000};

}  // namespace

// --- When to send ---

void OutboxDrain::State::post(ChannelName name) {
  channel(name).phase = Phase::sending;
  channel(name).woken = false;
  executor.post(Lane::store, [weak = weak_from_this(), name] {
    if (const auto state = weak.lock()) state->send(name);
  });
}

void OutboxDrain::State::wake(ChannelName name) {
  if (stopped || channel(name).phase == Phase::waiting) return;
  if (channel(name).phase == Phase::sending) {
    channel(name).woken = true;
  } else {
    post(name);
  }
}

void OutboxDrain::State::hurry(ChannelName name) {
  if (stopped || channel(name).phase == Phase::resting) return;
  if (channel(name).phase == Phase::sending) {
    channel(name).woken = true;
    return;
  }
  executor.cancel(channel(name).timer);
  post(name);
}

void OutboxDrain::State::wake() {
  Lock lock(mutex);
  wake(ChannelName::batch);
}

void OutboxDrain::State::hurry() {
  Lock lock(mutex);
  hurry(ChannelName::batch);
  hurry(ChannelName::slow);
}

void OutboxDrain::State::kick() {
  journal->resume();
  Lock lock(mutex);
  slow_writes.hurry();
  for (const ChannelName name : {ChannelName::batch, ChannelName::slow}) {
    if (name == ChannelName::slow && slow_writes.size() == 0) continue;
    channel(name).kicked = true;
    if (!stopped && channel(name).phase == Phase::resting) {
      post(name);
    } else {
      hurry(name);
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

void OutboxDrain::State::wait_until(ChannelName name, SteadyTime when) {
  channel(name).phase = Phase::waiting;
  channel(name).timer = executor.schedule(
      when, Lane::store, [weak = weak_from_this(), name, wait = ++channel(name).last_wait] {
        if (const auto state = weak.lock()) state->on_timer(name, wait);
      });
}

void OutboxDrain::State::on_timer(ChannelName name, std::uint64_t wait) {
  {
    Lock lock(mutex);
    // A kick may have come after the timer fired and before this.
    if (stopped || channel(name).phase != Phase::waiting || channel(name).last_wait != wait) return;
    channel(name).phase = Phase::sending;
    channel(name).woken = false;
  }
  send(name);
}

std::optional<Breaker::Urgency> OutboxDrain::State::begin_call(ChannelName name) {
  using Urgency = Breaker::Urgency;
  Lock lock(mutex);
  if (stopped) {
    channel(name).phase = Phase::resting;
    return std::nullopt;
  }
  channel(name).calling = true;
  const bool kicked = std::exchange(channel(name).kicked, false);
  return kicked || !options.retry ? Urgency::forced : Urgency::background;
}

void OutboxDrain::State::wait_until_allowed(ChannelName name) {
  {
    Lock lock(mutex);
    channel(name).calling = false;
    channel(name).phase = Phase::resting;
    if (!stopped && options.retry) {
      wait_until(name, std::max(breaker->retry_at(), clock->steady_now() + kAskAgainPause));
    }
  }
  if (events.rested) events.rested();
}

// --- Batches ---

SlowWrites OutboxDrain::State::kept_apart() const {
  Lock lock(mutex);
  return slow_writes;
}

void OutboxDrain::State::rest_batch() {
  const SlowWrites apart = kept_apart();
  const bool left =
      journal->has_unsettled([&](const SlotName& slot) { return apart.contains(slot); });
  {
    Lock lock(mutex);
    channel(ChannelName::batch).calling = false;
    if (channel(ChannelName::batch).woken && !stopped) return post(ChannelName::batch);
    channel(ChannelName::batch).phase = Phase::resting;
    if (!stopped && options.retry && left) {
      // Something is left that could not be taken: the journal's disk does not give it back just
      // now.
      journal->resume();
      wait_until(ChannelName::batch,
                 clock->steady_now() + backoff_delay(options.backoff, failed_reads++, random));
    }
  }
  if (events.rested) events.rested();
}

void OutboxDrain::State::next_batch(bool worked) {
  {
    Lock lock(mutex);
    channel(ChannelName::batch).calling = false;
    if (worked) failed_reads = 0;
    if (stopped) {
      channel(ChannelName::batch).phase = Phase::resting;
    } else if (worked || channel(ChannelName::batch).kicked || !options.retry) {
      return post(ChannelName::batch);
    } else {
      wait_until(ChannelName::batch, breaker->retry_at());
    }
  }
  if (events.rested) events.rested();
}

void OutboxDrain::State::send_batch() {
  const auto urgency = begin_call(ChannelName::batch);
  if (!urgency) return;
  const SlowWrites apart = kept_apart();
  const auto is_apart = [&](const SlotName& slot) { return apart.contains(slot); };
  if (!journal->has_unsettled(is_apart)) return rest_batch();
  if (events.may_send && !events.may_send(*urgency)) return wait_until_allowed(ChannelName::batch);
  const Breaker::Permit permit = breaker->ask(*urgency);
  if (!permit.is_granted()) return next_batch(false);
  Batch batch = journal->take_unsettled(options.batch_items, options.batch_bytes, is_apart);
  drop_outdated(&batch);
  if (batch.empty()) {
    breaker->unused(permit);
    return rest_batch();
  }
  const SendCall call = attempt(batch, options.call_timeout);
  breaker->ended(permit, call.worked(), call.reply.message);
  // A failed probe tells something about the store and nothing about these writes.
  if (!call.worked() && !permit.is_probe()) note_failure(batch, call);
  const bool any = finish_call(batch, call);
  {
    Lock lock(mutex);
    if (slow_writes.size() > 0) {
      if (channel(ChannelName::batch).kicked) {
        slow_writes.hurry();
        channel(ChannelName::slow).kicked = true;
      }
      wake(ChannelName::slow);
    }
  }
  if (call.worked() && !any) return rest_batch();
  next_batch(call.worked());
}

// --- Slow writes ---

void OutboxDrain::State::rest_slow(SteadyTime until) {
  {
    Lock lock(mutex);
    channel(ChannelName::slow).calling = false;
    if (channel(ChannelName::slow).woken && !stopped) return post(ChannelName::slow);
    channel(ChannelName::slow).phase = Phase::resting;
    if (!stopped && options.retry && until != kNever) wait_until(ChannelName::slow, until);
  }
  if (events.rested) events.rested();
}

void OutboxDrain::State::next_slow() {
  Lock lock(mutex);
  channel(ChannelName::slow).calling = false;
  if (stopped) {
    channel(ChannelName::slow).phase = Phase::resting;
  } else {
    post(ChannelName::slow);
  }
}

// While the store is away, other calls are the first to find out whether it is back. A slow write
// would take long over it.
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

bool OutboxDrain::State::fails_by_itself(const Batch& batch, std::uint64_t worked) const {
  Lock lock(mutex);
  return batch.size() == 1 && slow_writes.others_worked_since(batch.front(), worked);
}

void OutboxDrain::State::send_slow() {
  const auto urgency = begin_call(ChannelName::slow);
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
  if (events.may_send && !events.may_send(*urgency)) return wait_until_allowed(ChannelName::slow);
  Batch batch = journal->take_named(next->slots);
  drop_outdated(&batch);
  bool any_deferred = false;
  {
    // A slot that was not taken is settled by now, in flight in the other channel, or cannot be
    // read just now.
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
  // A record that the journal holds is given to nobody, and only the other channel would resume it.
  if (any_deferred && options.retry) journal->resume();
  if (batch.empty()) return next_slow();
  const Breaker::Permit permit = breaker->ask(*urgency);
  if (!permit.is_granted()) {
    journal->release(batch);
    return rest_slow(breaker->retry_at());
  }
  const std::uint64_t worked = breaker->worked();
  const SendCall call = attempt(batch, permit.is_probe() ? options.call_timeout : next->timeout);
  // A single write that fails again and again while others work says nothing about the store.
  if (!call.worked() && fails_by_itself(batch, worked)) {
    breaker->unused(permit);
  } else {
    breaker->ended(permit, call.worked(), call.reply.message);
  }
  if (!call.worked()) {
    note_failure(batch, call);
    Lock lock(mutex);
    if (probes_from) probes_from = breaker->retry_at();
  }
  finish_call(batch, call);
  wake();  // there may be a later write of a key that was in flight here
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
