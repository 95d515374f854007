// The outbox: what the journal holds and the store has not settled. It is sent in the background,
// in batches, oldest version first, until each write is settled or parked. This header explains the
// room; read it first.
//
// The journal decides what there is to send, and remembers it over a crash. This room decides when
// to send it and with what, makes the calls (send_call.h), and tells the journal what came of them:
//
//     owner           drain, on the store lane      journal                  store
//     wake  ------->  may it send? (owner, breaker)
//                     takes the oldest writes --->  their keys are in flight
//                     calls  ------------------------------------------------>  save
//                       it worked  <------------------------------------------  a result per write
//     settled <-----      tells each result  ---->  settled, parked
//                         next batch, until none is left
//                       it failed
//                         gives them back  ------>  released, to be taken again
//                         waits until the breaker lets it try
//
// One write never stops the others. Writes of a call that failed are sent separately from then on,
// by a second call beside the batches, in smaller groups and then alone (slow_writes.h).
//
// These are all the pauses there are. `backoff` stands for `DrainOptions::backoff`; with `retry`
// off there are none, and what failed waits for a kick or the next open.
//
//     because                                        for
//     the store is away                              the breaker's pause, which all calls of the
//                                                    cache into the store share (base/breaker.h)
//     `may_send` said no                             1 s, or the breaker's pause if it is longer
//     the journal's disk does not give a write back, `backoff`, longer with each time in a row
//     or the owner lets it be neither sent nor settled
//     a single write failed alone                    `backoff`, longer with each failure of it
//     a slow write could not be taken                `call_timeout`
//     the store is away, and only slow writes        5 s in which other calls may find out that
//     are left to try                                it is back; then the breaker's pause
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/backoff.h"
#include "base/breaker.h"
#include "journal/journal.h"
#include "tiercache/clock.h"
#include "tiercache/executor.h"
#include "tiercache/store.h"

namespace tiercache {

// How the drain sends.
struct DrainOptions {
  std::string project;
  std::size_t batch_items = 100;                   // at most so many writes in one call
  std::size_t batch_bytes = 1 << 20;               // and about so many bytes
  std::chrono::milliseconds call_timeout{10'000};  // of one call; a slow write alone has more
  std::size_t erase_rows = 10'000;                 // rows looked at by a piece of a matching erase
  BackoffOptions backoff;  // two kinds of pauses, which the table above names
  bool retry = true;  // false: one attempt per write, then it waits for `kick` or the next open
};

// What the drain asks and tells its owner. All of it is called on the store lane, never under a
// lock of the drain, and also for a call that ends after `stop`. So what the functions capture must
// live as long as they do. Each may be null.
struct DrainEvents {
  // This write is settled, or parked if `result` is `refused`. A matching erase is always `saved`.
  std::function<void(const UnsettledWrite&, const SaveResult& result)> settled;
  // Asked before each call whether the store is the one that the writes are for. If it is not,
  // nothing is sent, and the question is asked again after a pause.
  std::function<bool(Breaker::Urgency)> may_send;
  // Asked before a superseded write is settled. False means that what won is not in the local tiers
  // yet. The write then stays unsettled and on the disk, and is tried again after a pause.
  std::function<bool(const UnsettledWrite&, const SaveResult& result)> may_settle;
  // Asked before a write is sent, and once more before it is settled as saved. True means not now:
  // the owner is journaling something newer, which will be sent instead, or it cannot read the file
  // that the write may have to give way to. If nothing replaces it, this is asked again later.
  std::function<bool(const UnsettledWrite&)> outdated;
  // Nobody knows how an attempt to send this write ended; the store may have it.
  std::function<void(const UnsettledWrite&)> in_doubt;
  // This write failed alone while the store answers others. It is tried again after a pause.
  std::function<void(const UnsettledWrite&, const std::string& why)> slow;
  // A call has ended. This is for health, statistics, and the version clock's offset.
  std::function<void(const StoreReply& reply, std::chrono::nanoseconds took)> called;
  // One of the two calls has ended and starts again only after a wake, a kick or a pause, so `idle`
  // may have become true.
  std::function<void()> rested;
};

// Owned by the room that writes, one for each open cache with a store. Thread-safe, by one lock
// that is held neither during a call into the store nor while the owner is called. Blocks: nothing
// here; the calls into the store, and what the owner does with their results, run on the store
// lane.
//
// At most one batch is in flight, and beside it one try of slow writes. While the store is away the
// breaker says when it is tried; once it works, batch follows batch without a pause. The executor
// must live until `stop` has returned, or until it has run or dropped all tasks of the drain.
// Journal, store, breaker and clock are shared with a call that may still be in flight then.
class OutboxDrain {
 public:
  OutboxDrain(std::shared_ptr<Journal> journal, std::shared_ptr<Store> store,
              std::shared_ptr<Breaker> breaker, Executor& executor,
              std::shared_ptr<const Clock> clock, DrainOptions options, DrainEvents events,
              std::uint64_t seed);
  // Calls `stop()`.
  ~OutboxDrain();
  OutboxDrain(const OutboxDrain&) = delete;
  OutboxDrain& operator=(const OutboxDrain&) = delete;

  // To be called when there is something to send. Starts a batch, unless one is in flight, which
  // then looks again, or the drain waits for the store.
  void wake();
  // To be called when the store works again. What is due is sent at once; a slow write that failed
  // alone keeps its own pause.
  void hurry();
  // Sends everything at once, whatever the breaker says, also slow writes in their pauses and, if
  // `retry` is off, what was attempted before.
  void kick();
  // Nothing starts after this. A call in flight may still end, and its results are still told.
  void stop();
  // True if nothing is in flight and nothing is unsettled.
  bool idle() const;
  // True from when a batch or a try of slow writes begins, before its call, until it has ended.
  bool in_flight() const;
  // Describes, for a person, a write that has failed alone. Empty for all others.
  std::string describe_slow(const OutboxWrite& write) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tiercache
