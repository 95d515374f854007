// The inside of the drain, in two files: when to send (outbox_drain.cc), and what becomes of one
// call (outbox_drain_calls.cc).
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "journal/journal.h"
#include "journal/unsettled_write.h"
#include "outbox/outbox_drain.h"
#include "outbox/send_call.h"
#include "outbox/slow_writes.h"

namespace tiercache {

using Batch = std::vector<UnsettledWrite>;

struct OutboxDrain::State : std::enable_shared_from_this<State> {
  enum class Phase : std::uint8_t {
    resting,  // nothing to do, or stopped
    waiting,  // for the store, or the journal's disk
    sending,  // a task is posted or running
  };
  // The two calls that may be in flight.
  enum class Which : std::uint8_t { batch, slow };
  struct Channel {
    Phase phase = Phase::resting;
    bool woken = false;  // while sending: there may be more
    bool calling = false;
    bool kicked = false;  // the next call is made in any case
    std::uint64_t waits = 0;
    Executor::TimerId timer = 0;
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
  Channel& at(Which which) TIERCACHE_REQUIRES(mutex) {
    return channels[static_cast<std::size_t>(which)];
  }
  void post(Which which) TIERCACHE_REQUIRES(mutex);
  void wake(Which which) TIERCACHE_REQUIRES(mutex);
  void hurry(Which which) TIERCACHE_REQUIRES(mutex);
  void wait_until(Which which, SteadyTime when) TIERCACHE_REQUIRES(mutex);
  void on_timer(Which which, std::uint64_t of_wait);
  void send(Which which) { which == Which::batch ? send_batch() : send_slow(); }
  // Nullopt: stopped. Else how urgently to ask the store.
  std::optional<Breaker::Urgency> begin(Which which);
  void wait_for_leave(Which which);

  SlowWrites kept_apart() const;
  void send_batch();
  void rest();
  void next_batch(bool worked);
  void send_slow();
  bool fails_for_itself(const Batch& batch, std::uint64_t worked) const;
  void rest_slow(SteadyTime until);
  void next_slow();
  SteadyTime slow_waits_until();

  void drop_outdated(Batch* batch);
  SendCall attempt(const Batch& batch, std::chrono::milliseconds timeout);
  // False when nothing came of it: all of the batch waits for something else.
  bool ended(const Batch& batch, const SendCall& how);
  void failed(const Batch& batch, const SendCall& how);
  bool succeeded(const Batch& batch, const SendCall& how);
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
  std::array<Channel, 2> channels TIERCACHE_GUARDED_BY(mutex);
  SlowWrites slow_writes TIERCACHE_GUARDED_BY(mutex);
  bool stopped TIERCACHE_GUARDED_BY(mutex) = false;
  std::optional<SteadyTime> probes_from TIERCACHE_GUARDED_BY(mutex);  // slow ones, while it is away
  int unread TIERCACHE_GUARDED_BY(mutex) = 0;  // times in a row that the disk was not read
  Random random TIERCACHE_GUARDED_BY(mutex);
};

}  // namespace tiercache
