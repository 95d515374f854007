#include "cache/store/store_calls.h"

#include <algorithm>

#include "cache/store/checked_store.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

std::shared_ptr<Store> store_of(const CacheOptions& options) {
  if (!options.flags.store_enabled || !options.store) return nullptr;
  return std::make_shared<CheckedStore>(options.store);
}

std::shared_ptr<Breaker> breaker_of(const Runtime& runtime) {
  const StoreOptions& options = runtime.options.store_calls;
  return std::make_shared<Breaker>(
      runtime.clock, BackoffOptions{.first = options.retry_first, .cap = options.retry_cap},
      runtime.seed + 5);
}

}  // namespace

StoreCalls::StoreCalls(Runtime& runtime)
    : runtime_(runtime),
      store_(store_of(runtime.options)),
      breaker_(store_ ? breaker_of(runtime) : nullptr) {}

void StoreCalls::tell(Events events) {
  events_ = std::move(events);
  if (!store_) return;
  breaker_->on_failure(runtime_.tasks.if_alive([this](const Breaker::State& state) {
    runtime_.marks.store.failed(state.why, state.pause);
  }));
  breaker_->on_close(runtime_.tasks.if_alive([this] {
    runtime_.marks.store.worked();
    events_.back();
  }));
}

SteadyTime StoreCalls::usual_deadline() const {
  return runtime_.after(runtime_.options.store_calls.call_timeout);
}

// --- Calls ---

template <class Call>
auto StoreCalls::ask(const Breaker::Permit& permit, Counter& counter, Call call)
    -> decltype(call()) {
  decltype(call()) reply;
  if (!permit.is_granted()) {
    reply.status = StoreStatus::unavailable;
    reply.message = breaker_->refusal();
    return reply;
  }
  Breaker::OpenCall open_call(*breaker_, permit);
  const SteadyTime began = runtime_.clock->steady_now();
  reply = guarded(std::move(call));
  counter.add();
  answered(reply, runtime_.clock->steady_now() - began);
  open_call.ended(reply.status == StoreStatus::ok, reply.message);
  return reply;
}

LoadReply StoreCalls::load(std::span<const EntryId> ids, SteadyTime deadline,
                           Breaker::Urgency urgency) {
  const SteadyTime until = std::min(deadline, usual_deadline());
  const LoadReply reply = ask(breaker_->ask(urgency), loads,
                              [&] { return store_->load(runtime_.options.project, ids, until); });
  look_for_corrupt_rows(ids, reply);
  return reply;
}

LoadReply StoreCalls::load(std::span<const EntryId> ids, const Breaker::Permit& permit) {
  const LoadReply reply = ask(
      permit, loads, [&] { return store_->load(runtime_.options.project, ids, usual_deadline()); });
  look_for_corrupt_rows(ids, reply);
  return reply;
}

ScanReply StoreCalls::scan(const std::string& dataset, const std::string& cursor,
                           std::size_t limit) {
  return ask(breaker_->ask(Breaker::Urgency::reader), loads, [&] {
    return store_->scan(runtime_.options.project, dataset, cursor, limit, usual_deadline());
  });
}

ChangesReply StoreCalls::changes(const std::string& cursor, std::size_t limit,
                                 Breaker::Urgency urgency) {
  return ask(breaker_->ask(urgency), polls, [&] {
    return store_->changes(runtime_.options.project, cursor, limit, usual_deadline());
  });
}

PurgeReply StoreCalls::purge(const PurgeRequest& request, SteadyTime deadline,
                             Breaker::Urgency urgency) {
  const SteadyTime until = std::min(deadline, usual_deadline());
  return ask(breaker_->ask(urgency), purges,
             [&] { return store_->purge(runtime_.options.project, request, until); });
}

SaveReply StoreCalls::save(const StoreWrite& write, SteadyTime deadline) {
  return ask(breaker_->ask(Breaker::Urgency::forced), saves, [&] {
    return store_->save(runtime_.options.project, {&write, 1}, deadline);
  });
}

// --- What replies tell ---

void StoreCalls::drain_called(const StoreReply& reply, std::chrono::nanoseconds took) {
  saves.add();
  answered(reply, took);
  if (reply.status == StoreStatus::ok) runtime_.marks.saves.worked();
  runtime_.changed.notify();
}

void StoreCalls::answered(const StoreReply& reply, std::chrono::nanoseconds took) {
  latency.add(took);
  if (reply.status != StoreStatus::ok) failures.add();
  if (!reply.incarnation.empty()) events_.named(reply.incarnation);
  if (!reply.store_time) return;
  // A difference no larger than the call's own duration, plus the clocks' resolution, is taken for
  // none.
  const auto offset = *reply.store_time - runtime_.clock->wall_now();
  const auto noise = std::chrono::duration_cast<milliseconds>(took) + milliseconds(100);
  runtime_.versions.set_offset(offset > noise || offset < -noise ? offset : milliseconds(0));
}

void StoreCalls::look_for_corrupt_rows(std::span<const EntryId> ids, const LoadReply& reply) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!reply.is_corrupt(i)) continue;
    corrupt_rows.add();
    runtime_.warn_of_entry(LogTopic::store, ids[i], "a row in the store is corrupt");
    if (reply.text_of_corrupt(i)) events_.corrupt_row(ids[i], reply.text_of_corrupt(i));
  }
}

}  // namespace tiercache::detail
