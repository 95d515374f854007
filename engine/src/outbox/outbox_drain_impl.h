// The inside of the drain, which is in two files: when to send (outbox_drain.cc), and what becomes
// of a call (outbox_drain_calls.cc).
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "journal/journal.h"
#include "journal/live/unsettled_write.h"
#include "outbox/outbox_drain.h"
#include "outbox/send_call.h"
#include "outbox/slow_writes.h"

namespace tiercache {

// What the drain and its tasks share. A task holds it weakly until it runs, so the drain may go
// while tasks wait; one that runs keeps it until its call has ended. `mutex` is held neither during
// a call into the store nor while the owner is called. The journal's and the breaker's locks may be
// taken under it.
struct OutboxDrain::State : std::enable_shared_from_this<State> {
  using Batch = std::vector<UnsettledWrite>;
  enum class Phase : std::uint8_t {
    resting,  // until it is woken; or stopped
    waiting,  // a timer is set, for the store or for the journal's disk
    sending,  // a task is posted or running
  };
  // There are two channels, each with at most one call in flight.
  enum class ChannelName : std::uint8_t { batch, slow };
  struct Channel {
    Phase phase = Phase::resting;
    bool woken = false;           // while sending: there may be more to send
    bool calling = false;         // from `begin_call` until the call has ended
    bool kicked = false;          // the next call is made whatever the breaker says
    std::uint64_t last_wait = 0;  // tells the timer of this wait from those of earlier ones
    Executor::TimerId timer = 0;  // while waiting
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
        slow_writes(options.call_timeout, options.backoff, options.erase_rows),
        random(seed) {}

  void wake();
  void hurry();
  void kick();
  void stop();
  Channel& channel(ChannelName name) TIERCACHE_REQUIRES(mutex) {
    return channels[static_cast<std::size_t>(name)];
  }
  // Posts the channel's task.
  void post(ChannelName name) TIERCACHE_REQUIRES(mutex);
  // Posts it if the channel rests; if it is sending, it looks again when it has ended.
  void wake(ChannelName name) TIERCACHE_REQUIRES(mutex);
  // Ends a wait early.
  void hurry(ChannelName name) TIERCACHE_REQUIRES(mutex);
  void wait_until(ChannelName name, SteadyTime when) TIERCACHE_REQUIRES(mutex);
  void on_timer(ChannelName name, std::uint64_t wait);
  void send(ChannelName name) { name == ChannelName::batch ? send_batch() : send_slow(); }
  // Marks the channel as calling and says how urgently the breaker is to be asked. Nullopt if the
  // drain was stopped.
  std::optional<Breaker::Urgency> begin_call(ChannelName name);
  // Ends the call without sending, because the owner said no; asks again after a pause.
  void wait_until_allowed(ChannelName name);

  // Each of these two is the task of a channel: it sends once, and one of the functions below it
  // says how the channel goes on.
  void send_batch();
  // Nothing can be taken: the channel rests, or waits if the journal's disk is the reason.
  void rest_batch();
  // Sends again at once if that may work, or when the breaker allows it.
  void next_batch(bool worked);
  void send_slow();
  // Nothing is due before `until`.
  void rest_slow(SteadyTime until);
  void next_slow();

  // A copy of the slow writes as they are now. The journal asks `apart` under its own lock, which
  // is taken under `mutex` elsewhere, so `apart` must not take `mutex`.
  SlowWrites kept_apart() const;
  // True if this is a single write that has failed again and again while others worked.
  bool fails_by_itself(const Batch& batch, std::uint64_t worked) const;
  // While the store is away: when a slow write may be what finds out whether it is back.
  SteadyTime slow_waits_until();

  // Takes writes out of the batch that the owner calls outdated; they are held.
  void drop_outdated(Batch* batch);
  // Makes the call.
  SendCall attempt(const Batch& batch, std::chrono::milliseconds timeout);
  // Tells the journal and the owner what became of each write. False if nothing came of the call:
  // all of the batch waits for something else.
  bool finish_call(const Batch& batch, const SendCall& call);
  // Sets the writes of a failed call apart.
  void note_failure(const Batch& batch, const SendCall& call);
  bool apply_results(const Batch& batch, const SendCall& call);
  bool is_outdated(const UnsettledWrite& write) const;
  bool may_settle(const UnsettledWrite& write, const SaveResult& result) const;
  void settle(const UnsettledWrite& write, const SaveResult& result);

  const std::shared_ptr<Journal> journal;
  const std::shared_ptr<Store> store;
  const std::shared_ptr<Breaker> breaker;
  Executor& executor;  // used only under `mutex`, and no more once `stopped` is set
  const std::shared_ptr<const Clock> clock;
  const DrainOptions options;
  const DrainEvents events;

  mutable Mutex mutex;
  std::array<Channel, 2> channels TIERCACHE_GUARDED_BY(mutex);
  SlowWrites slow_writes TIERCACHE_GUARDED_BY(mutex);
  bool stopped TIERCACHE_GUARDED_BY(mutex) = false;
  // While the store is away: slow writes are not tried before this. Null while it is there.
  std::optional<SteadyTime> probes_from TIERCACHE_GUARDED_BY(mutex);
  // How often in a row the journal's disk gave nothing back.
  int failed_reads TIERCACHE_GUARDED_BY(mutex) = 0;
  Random random TIERCACHE_GUARDED_BY(mutex);
};

}  // namespace tiercache
