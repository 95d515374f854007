// What becomes of one call into the store, and of each of its writes:
//
//     the call failed      all writes are released, and set apart unless it was a probe
//     a piece of an erase  released; the next piece is sent by the slow channel
//     the call worked      per write: settled, parked, or released to be sent again
//
// A release is `hold` if sending the write again at once would end in the same way. It then
// waits until the journal's held writes are resumed: by `rest_batch`, which then makes a pause, by
// `send_slow`, or by a kick.
#include <algorithm>
#include <optional>
#include <utility>

#include "outbox/outbox_drain_impl.h"

namespace tiercache {

void OutboxDrain::State::drop_outdated(Batch* batch) {
  std::erase_if(*batch, [this](const UnsettledWrite& write) {
    if (!is_outdated(write)) return false;
    journal->release({&write, 1}, Journal::Release::hold);
    return true;
  });
}

SendCall OutboxDrain::State::attempt(const Batch& batch, std::chrono::milliseconds timeout) {
  const SteadyTime start = clock->steady_now();
  const SteadyTime deadline = start + timeout;
  const UnsettledWrite& first = batch.front();
  std::optional<MatchingErase> piece;
  if (first.kind == RecordKind::erase_matching) {
    Lock lock(mutex);
    piece = slow_writes.piece_of(first);
  }
  SendCall call = piece ? send_erase(*store, options.project, *piece, deadline)
                        : send_writes(*store, options.project, batch, deadline);
  if (events.called) events.called(call.reply, clock->steady_now() - start);
  if (call.reply.status == StoreStatus::unknown && events.in_doubt) {
    for (const UnsettledWrite& write : batch) events.in_doubt(write);
  }
  return call;
}

bool OutboxDrain::State::finish_call(const Batch& batch, const SendCall& call) {
  if (!call.worked()) {
    journal->release(batch, options.retry ? Journal::Release::again : Journal::Release::hold);
    return false;
  }
  if (!call.next) return apply_results(batch, call);
  {
    Lock lock(mutex);
    slow_writes.erased_up_to(batch.front(), *call.next, clock->steady_now());
  }
  journal->release(batch, Journal::Release::again);
  return true;
}

void OutboxDrain::State::note_failure(const Batch& batch, const SendCall& call) {
  const bool away = breaker->state().open;
  const std::uint64_t worked = breaker->worked();
  {
    Lock lock(mutex);
    slow_writes.failed(batch, away, worked, clock->steady_now(), random);
  }
  if (batch.size() == 1 && !away && events.slow) events.slow(batch.front(), call.reply.message);
}

bool OutboxDrain::State::apply_results(const Batch& batch, const SendCall& call) {
  bool any = false;
  bool any_parked = false;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const SaveResult& result = call.results[i];
    const bool again = !call.again.empty() && call.again[i];
    any = any || again;
    if (again || !may_settle(batch[i], result)) {
      journal->release({&batch[i], 1}, again ? Journal::Release::again : Journal::Release::hold);
      continue;
    }
    settle(batch[i], result);
    {
      Lock lock(mutex);
      slow_writes.forget(slot_of(batch[i]));
    }
    any = true;
    any_parked = any_parked || result.outcome == SaveOutcome::refused;
    if (events.settled) events.settled(batch[i], result);
  }
  while (any_parked && !journal->commit()) {
  }
  return any;
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

}  // namespace tiercache
