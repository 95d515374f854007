#include "outbox/slow_writes.h"

#include <algorithm>

#include "base/spoken.h"

namespace tiercache {

namespace {

// Into how many groups writes that failed together are divided.
constexpr std::size_t kParts = 8;
// A single write has at most 2^4 times as long as an ordinary call.
constexpr int kMostDoublings = 4;

}  // namespace

void SlowWrites::failed(std::span<const UnsettledWrite> writes, bool away, std::uint64_t worked,
                        SteadyTime now, Random& random) {
  if (writes.size() == 1) return fail_alone(writes.front(), away, worked, now, random);
  const std::size_t group = std::max<std::size_t>(writes.size() / kParts, 1);
  for (const UnsettledWrite& write : writes) {
    const SlotName slot = slot_of(write);
    if (slots_.size() >= kMaxKept && !slots_.contains(slot)) return;
    Slow& slow = slots_[slot];
    slow.group = group;
    slow.not_before = now;
  }
}

bool SlowWrites::others_worked_since(const UnsettledWrite& write, std::uint64_t worked) const {
  const auto found = slots_.find(slot_of(write));
  return found != slots_.end() && found->second.worked && *found->second.worked != worked;
}

void SlowWrites::fail_alone(const UnsettledWrite& write, bool away, std::uint64_t worked,
                            SteadyTime now, Random& random) {
  const SlotName slot = slot_of(write);
  if (slots_.size() >= kMaxKept && !slots_.contains(slot)) return;
  Slow& slow = slots_[slot];
  slow.group = 1;
  slow.worked = worked;
  slow.not_before = now + backoff_delay(pauses_, slow.alone, random);
  if (!away) ++slow.alone;
  slow.rows = std::max(rows_of(slow) / 4, std::min(kFewestRows, erase_rows_));
}

void SlowWrites::erased_up_to(const UnsettledWrite& erase, const std::string& key, SteadyTime now) {
  Slow& slow = slots_[slot_of(erase)];
  // Without a version no piece was done yet, and what failures have made of its rows still holds.
  const bool of_another = !slow.version.is_zero() && slow.version != erase.write.entry.version;
  if (of_another) slow = {};
  slow.version = erase.write.entry.version;
  slow.done_to = key;
  slow.rows = std::min(2 * rows_of(slow), erase_rows_);
  slow.alone = 0;
  slow.not_before = now;
}

void SlowWrites::defer(const SlotName& slot, SteadyTime until) {
  const auto found = slots_.find(apart_name(slot));
  if (found != slots_.end()) found->second.not_before = until;
}

void SlowWrites::hurry() {
  for (auto& [slot, slow] : slots_) slow.not_before = {};
}

std::chrono::milliseconds SlowWrites::time_for(const Slow& slow) const {
  return call_timeout_ * (1 << std::min(slow.alone, kMostDoublings));
}

std::optional<SlowWrites::Try> SlowWrites::next(SteadyTime now) const {
  const Slow* largest = nullptr;
  for (const auto& [slot, slow] : slots_) {
    if (slow.not_before > now) continue;
    const bool better = largest == nullptr || slow.group > largest->group ||
                        (slow.group == largest->group && slow.alone < largest->alone);
    if (better) largest = &slow;
  }
  if (largest == nullptr) return std::nullopt;
  Try found{.slots = {}, .timeout = time_for(*largest)};
  for (const auto& [slot, slow] : slots_) {
    const bool alike = slow.group == largest->group && slow.not_before <= now;
    const bool wanted = largest->group == 1 ? &slow == largest : alike;
    if (wanted) found.slots.push_back(slot);
    if (found.slots.size() == largest->group) break;
  }
  return found;
}

SteadyTime SlowWrites::due() const {
  SteadyTime first = kNever;
  for (const auto& [slot, slow] : slots_) first = std::min(first, slow.not_before);
  return first;
}

MatchingErase SlowWrites::piece_of(const UnsettledWrite& erase) const {
  MatchingErase piece{.dataset = erase.write.id.dataset,
                      .glob = erase.write.id.key,
                      .version = erase.write.entry.version,
                      .after = {},
                      .limit = erase_rows_};
  const auto found = slots_.find(slot_of(erase));
  if (found == slots_.end()) return piece;
  piece.limit = rows_of(found->second);
  if (found->second.version == piece.version) piece.after = found->second.done_to;
  return piece;
}

std::string SlowWrites::describe(const SlotName& slot) const {
  const auto found = slots_.find(apart_name(slot));
  if (found == slots_.end() || found->second.alone == 0) return {};
  const Slow& slow = found->second;
  return "the store did not answer for it alone, " +
         counted(static_cast<std::uint64_t>(slow.alone), "time") + " so far; next with " +
         std::to_string(time_for(slow).count()) + " ms";
}

}  // namespace tiercache
