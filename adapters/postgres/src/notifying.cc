#include "notifying.h"

#include <chrono>
#include <cstddef>

#include "session.h"
#include "tiercache/clock.h"

namespace tiercache::postgres {

namespace {

constexpr Statement kNotify = {"tiercache_notify", "SELECT pg_notify($1::text, $2::text)"};
constexpr std::chrono::seconds kNotifyTimeout{5};

}  // namespace

// An invalidation changes the row no matter whose content wins. If the outcome is unknown, the
// outbox sends the save again and then finds it done, so that listeners have to be told now.
bool may_have_changed(const SaveReply& reply, std::span<const StoreWrite> writes) {
  if (reply.status != StoreStatus::ok) return reply.status == StoreStatus::unknown;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (reply.results[i].outcome == SaveOutcome::refused) continue;
    if (writes[i].entry.clocks.invalidated_at) return true;
    const bool is_content = writes[i].kind == StoreWrite::Kind::content;
    if (is_content && reply.results[i].outcome == SaveOutcome::saved) return true;
  }
  return false;
}

void Notifying::tell_listeners(const std::string& project) {
  if (calls_.options().hint_check_every.count() == 0) return;
  const std::string channel = channel_of(project);
  const auto when = pace_->changed(channel, system_clock()->steady_now());
  if (!when) return;
  const auto begins = [pace = pace_, channel] {
    pace->sending(channel, system_clock()->steady_now());
  };
  calls_.serve_later(
      {.when = *when, .longest = kNotifyTimeout, .effect = Effect::reads, .begins = begins},
      [channel](Session& session) {
        session.run(kNotify, {channel, ""});
      });
}

std::optional<std::string> Notifying::send(const std::string& channel, const std::string& payload,
                                           SteadyTime deadline) {
  const auto left = deadline - system_clock()->steady_now();
  const auto reply = calls_.serve<StoreReply>("", calls_.options().clock->steady_now() + left,
                                              Effect::reads, [=](Session& session, StoreReply&) {
                                                session.run(kNotify, {channel, payload});
                                              });
  if (reply.status == StoreStatus::ok) return std::nullopt;
  return reply.message;
}

}  // namespace tiercache::postgres
