// Every call of an open cache into its store: asked for through the breaker, made so that nothing
// that a store throws gets further, counted and timed. What replies tell beside their answer, the
// store's clock and which life of the store it is, is taken note of here once.
//
// The room: `StoreCalls` makes the calls, `CheckedStore` holds a user's store to the port's
// promises, `StoreReader` loads rows for many waiting reads, `StoreIdentity` knows whether the
// store is the one that the directory belongs to, `PurgeHorizon` how far the store has purged.
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

// Thread-safe. Only a cache that has a store may call what is below `has_store`.
class StoreCalls {
 public:
  explicit StoreCalls(Runtime& runtime);

  // What replies tell, to be set before the first call. Called by whoever made the call, under no
  // lock.
  struct Events {
    // A reply named the store's incarnation.
    std::function<void(const std::string& incarnation)> named;
    // A row does not hold its checksum; `text`, where it could be read, is what it holds (I9).
    std::function<void(const EntryId&, const std::shared_ptr<const std::string>& text)> corrupt_row;
    // The store was away and answers again.
    std::function<void()> back;
  };
  void tell(Events events);

  // False without a store, or with it switched off.
  bool has_store() const { return store_ != nullptr; }

  const std::shared_ptr<Store>& store() const { return store_; }
  const std::shared_ptr<Breaker>& breaker() const { return breaker_; }
  // The deadline of a call that nobody waits for.
  SteadyTime usual_deadline() const;

  // Each is unavailable, and the store is not asked, while the breaker refuses it. A load or purge
  // ends by `deadline` or the usual deadline, whichever is sooner; calls without a deadline end by
  // the usual one.
  LoadReply load(std::span<const EntryId> ids, SteadyTime deadline, Breaker::Urgency urgency);
  // With a permit of the breaker that the caller has asked for.
  LoadReply load(std::span<const EntryId> ids, const Breaker::Permit& permit);
  ScanReply scan(const std::string& dataset, const std::string& cursor, std::size_t limit);
  ChangesReply changes(const std::string& cursor, std::size_t limit, Breaker::Urgency urgency);
  PurgeReply purge(const PurgeRequest& request, SteadyTime deadline, Breaker::Urgency urgency);
  // The last tier that may take it: asked in any case.
  SaveReply save(const StoreWrite& write, SteadyTime deadline);

  // The outbox's drain has made a call itself, by the same breaker.
  void drain_called(const StoreReply& reply, std::chrono::nanoseconds took);

  // How many calls there were, of each kind, whatever they came to.
  Counter loads, saves, polls, purges;
  Counter failures;      // of all of them
  Counter corrupt_rows;  // met, again and again
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
