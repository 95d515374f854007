// The calls of an open cache into its store: each is asked for through the breaker, made so that
// nothing that a store throws gets further, counted and timed. What replies tell beside their
// answer, the store's clock and which life of the store it is, is taken note of here once.
//
// The outbox's drain makes its own calls (outbox/send_call.h), with the store and the breaker from
// here, and reports them by `drain_called`.
//
// The room:
//
//     StoreCalls      makes the calls, and the one breaker of the cache
//     CheckedStore    holds a user's store to the port's promises
//     StoreReader     loads rows for many waiting reads
//     StoreIdentity   knows whether the store is the one that the directory belongs to
//     PurgeHorizon    knows how far the store has purged its tombstones
//
// What sends the outbox to the store is not here, since it changes the local tiers by what the
// store answers: that is `StoreWriter` (writing/store_writer.h), which owns the drain.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/breaker.h"
#include "base/guarded_call.h"
#include "cache/runtime/counters.h"
#include "cache/runtime/runtime.h"
#include "tiercache/store.h"

namespace tiercache::detail {

// Thread-safe. Without a store `store` and `breaker` are null, and no call may be made. Blocks:
// each call into the store, until it answers, which a store does by the deadline; call on the store
// lane, or on the thread of a user who waits for the answer.
class StoreCalls {
 public:
  // Makes the breaker. `retry_first` and `retry_cap` of the cache's options bound its pauses
  // (decision 22).
  explicit StoreCalls(Runtime& runtime);

  // What replies tell, to be set before the first call. Called by whoever made the call, under no
  // lock.
  struct Events {
    // A reply named the store's incarnation.
    std::function<void(const std::string& incarnation)> named;
    // A row does not hold its checksum (I9); `text` is what it holds. Not called if the row could
    // not be read as text.
    std::function<void(const EntryId&, const std::shared_ptr<const std::string>& text)> corrupt_row;
    // The store was away and answers again.
    std::function<void()> back;
  };
  void tell(Events events);

  // False if the options name no store, or a flag switches it off.
  bool uses_store() const { return store_ != nullptr; }

  const std::shared_ptr<Store>& store() const { return store_; }
  const std::shared_ptr<Breaker>& breaker() const { return breaker_; }
  // The deadline of a call that nobody waits for.
  SteadyTime usual_deadline() const;

  // Each is unavailable, and the store is not asked, while the breaker refuses it. A load or purge
  // ends by `deadline` or the usual deadline, whichever is sooner; calls without a deadline end by
  // the usual one. A scan asks the breaker as a reader does.
  LoadReply load(std::span<const EntryId> ids, SteadyTime deadline, Breaker::Urgency urgency);
  // With a permit of the breaker that the caller has asked for.
  LoadReply load(std::span<const EntryId> ids, const Breaker::Permit& permit);
  ScanReply scan(const std::string& dataset, const std::string& cursor, std::size_t limit);
  ChangesReply changes(const std::string& cursor, std::size_t limit, Breaker::Urgency urgency);
  PurgeReply purge(const PurgeRequest& request, SteadyTime deadline, Breaker::Urgency urgency);
  // Saves one write past the outbox. Ignores the breaker: the disk has refused this write, so the
  // store is the last tier that may take it.
  SaveReply save(const StoreWrite& write, SteadyTime deadline);

  // The outbox's drain has made a call itself, by the same breaker.
  void drain_called(const StoreReply& reply, std::chrono::nanoseconds took);

  // How many calls of each kind there were, those that failed included. `loads` counts scans too,
  // and `saves` every call of the drain.
  Counter loads, saves, polls, purges;
  Counter failures;      // how many of all those calls failed
  Counter corrupt_rows;  // counted each time that one is met
  DurationCounter latency;

 private:
  template <class Call>
  auto ask(const Breaker::Permit& permit, Counter& counter, Call call) -> decltype(call());
  void answered(const StoreReply& reply, std::chrono::nanoseconds took);
  void look_for_corrupt_rows(std::span<const EntryId> ids, const LoadReply& reply);

  Runtime& runtime_;
  const std::shared_ptr<Store> store_;
  const std::shared_ptr<Breaker> breaker_;  // null without a store
  Events events_;
};

}  // namespace tiercache::detail
