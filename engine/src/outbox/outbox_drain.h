// The outbox: what the journal holds and the store has not settled. It is sent in the background,
// in batches, oldest version first, until each write is settled or parked. The
// journal decides what there is to send and remembers it over a crash; this room decides when to
// send it and with what, makes the calls (send_call.h), and tells the journal what came of them.
//
// One write never stops others. Those of a call that failed are sent beside the rest from then on,
// by a second call, in smaller groups and then alone (slow_writes.h).
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

struct DrainOptions {
  std::string project;
  std::size_t batch_items = 100;
  std::size_t batch_bytes = 1 << 20;
  std::chrono::milliseconds call_timeout{
      10'000};                      // deadline of one save; a slow one alone has more
  std::size_t erase_rows = 10'000;  // of a piece of a matching erase
  BackoffOptions backoff;           // while the journal's disk will not be read
  bool retry = true;  // false: one attempt per write, then it waits for `kick` or the next open
};

// What the drain tells its owner. Called on the store lane, never under a lock of the drain, also
// for a call that ends after `stop`: what the functions capture must live as long as they do.
struct DrainEvents {
  // Settled or parked: `result` says which. A matching erase is `saved`.
  std::function<void(const UnsettledWrite&, const SaveResult& result)> settled;
  // Asked before a call: whether the store is the one that the writes are for. False: it is asked
  // again after a pause; nothing is sent until then.
  std::function<bool(Breaker::Urgency)> may_send;
  // Asked before a superseded write is settled. False: what is to stand instead is not there yet;
  // the write stays unsettled, and on disk, and is tried again with pauses.
  std::function<bool(const UnsettledWrite&, const SaveResult& result)> may_settle;
  // Asked before a write is sent, and once more before it is settled as saved. True: something
  // newer, which the owner has just journaled, is to be sent in its stead.
  std::function<bool(const UnsettledWrite&)> outdated;
  // An attempt to send this ended in the middle: the store may have it.
  std::function<void(const UnsettledWrite&)> in_doubt;
  // This write failed alone, while the store answers others. It is tried again, with pauses.
  std::function<void(const UnsettledWrite&, const std::string& why)> slow;
  // A call ended: for health, the version clock's offset and statistics.
  std::function<void(const StoreReply& reply, std::chrono::nanoseconds took)> called;
  // Nothing is in flight and nothing will be until a wake, a kick or the end of a pause: `idle` may
  // have become true.
  std::function<void()> rested;
};

// Thread-safe. At most one batch is in flight, and one try of slow writes. While the store is away
// the breaker says when it is tried; once it works, batch follows batch without a pause. The
// executor must live until `stop` has returned, or until it has dropped or run all tasks of the
// drain; journal, store and clock are shared with a call that may still be in flight then.
class OutboxDrain {
 public:
  OutboxDrain(std::shared_ptr<Journal> journal, std::shared_ptr<Store> store,
              std::shared_ptr<Breaker> breaker, Executor& executor,
              std::shared_ptr<const Clock> clock, DrainOptions options, DrainEvents events,
              std::uint64_t seed);
  // `stop()`.
  ~OutboxDrain();
  OutboxDrain(const OutboxDrain&) = delete;
  OutboxDrain& operator=(const OutboxDrain&) = delete;

  // There is something to send: starts a batch unless one is in flight or the store is away.
  void wake();
  // The store works again: what waits for it is sent at once.
  void hurry();
  // Sends at once, whatever the breaker says, and, with `retry` off, what was left.
  void kick();
  // Nothing starts after this; a batch in flight may still end, and its results are still told.
  void stop();
  bool idle() const;  // nothing in flight and nothing unsettled
  bool in_flight() const;
  // Of a write that was tried alone: what is known of it, for a person; empty for all others.
  std::string describe_slow(const OutboxWrite& write) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tiercache
