#include "cache/writing/settlements.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/glob.h"

namespace tiercache::detail {

namespace {

using How = Settled::How;

How how_of(SaveOutcome outcome) {
  switch (outcome) {
    case SaveOutcome::saved:
    case SaveOutcome::already_saved:
      return How::stored;
    case SaveOutcome::superseded:
      return How::superseded;
    case SaveOutcome::refused:
      return How::refused;
  }
  return How::superseded;
}

Settled told(const SaveResult& result) {
  return {.how = how_of(result.outcome), .in_doubt = false, .why = result.why};
}

bool is_saved(const SaveResult& result) {
  return how_of(result.outcome) == How::stored;
}

}  // namespace

void Settlements::expect(Write write, WaiterPtr waiter) {
  Lock lock(mutex_);
  const EntryId id = write.id;
  waiter->id_ = id;
  waiting_.emplace(id, Expected{std::move(write), std::move(waiter)});
}

void Settlements::forget(const WaiterPtr& waiter) {
  if (!waiter) return;
  Lock lock(mutex_);
  const auto [begin, end] = waiting_.equal_range(waiter->id_);
  const auto found =
      std::find_if(begin, end, [&](const auto& item) { return item.second.waiter == waiter; });
  if (found != end) waiting_.erase(found);
}

void Settlements::in_doubt(const UnsettledWrite& write) {
  Lock lock(mutex_);
  const auto [begin, end] = waiting_.equal_range(write.write.id);
  for (auto item = begin; item != end; ++item) {
    const Expected& expected = item->second;
    const bool sent = expected.write.kind == RecordKind::clocks
                          ? covers(write.write.entry.clocks, expected.write.clocks)
                          : expected.write.version == write.write.entry.version;
    if (sent) expected.waiter->in_doubt_ = true;
  }
}

std::optional<Settled> Settlements::verdict(const Write& waits, const UnsettledWrite& write,
                                            const SaveResult& result) {
  const Version settled = write.write.entry.version;
  switch (write.kind) {
    case RecordKind::content:
      if (waits.kind == RecordKind::clocks) {
        // They went along if the content was taken.
        const bool along = is_saved(result) && covers(write.write.entry.clocks, waits.clocks);
        return along ? std::optional(Settled{}) : std::nullopt;
      }
      break;
    case RecordKind::clocks:
      if (waits.kind != RecordKind::clocks) return std::nullopt;
      if (!covers(write.write.entry.clocks, waits.clocks)) return std::nullopt;
      return told(result);
    case RecordKind::erase_matching:
      if (waits.kind != RecordKind::erase_matching) {
        const bool hidden = waits.kind == RecordKind::content && waits.version < settled;
        return hidden && is_saved(result) ? std::optional(Settled{.how = How::superseded})
                                          : std::nullopt;
      }
      // The newer erase of the same glob did what the older one was to do.
      return waits.version <= settled ? std::optional(told(result)) : std::nullopt;
    case RecordKind::done:
    case RecordKind::parked:
      return std::nullopt;
  }
  if (waits.kind != RecordKind::content || waits.version > settled) return std::nullopt;
  if (waits.version == settled) return told(result);
  const bool went_into_it = is_saved(result) && write.made_from.has(waits.version);
  return Settled{.how = went_into_it ? How::stored : How::superseded};
}

void Settlements::answer_matching(Waiting::iterator begin, Waiting::iterator end,
                                  const UnsettledWrite& write, const SaveResult& result,
                                  std::vector<Answer>* answers) {
  for (auto item = begin; item != end;) {
    Expected& expected = item->second;
    std::optional<Settled> settled = verdict(expected.write, write, result);
    if (!settled) {
      ++item;
      continue;
    }
    settled->in_doubt = settled->how == How::superseded && expected.waiter->in_doubt_;
    answers->push_back({std::move(expected.waiter), std::move(*settled)});
    item = waiting_.erase(item);
  }
}

void Settlements::settled(const UnsettledWrite& write, const SaveResult& result) {
  std::vector<Answer> answers;
  {
    Lock lock(mutex_);
    const EntryId& id = write.write.id;
    if (write.kind == RecordKind::erase_matching) {
      for (auto item = waiting_.lower_bound({id.dataset, {}});
           item != waiting_.end() && item->first.dataset == id.dataset;) {
        const auto next = std::next(item);
        const bool hit = item->first == id || glob_matches(id.key, item->first.key);
        if (hit) answer_matching(item, next, write, result, &answers);
        item = next;
      }
    } else {
      const auto [begin, end] = waiting_.equal_range(id);
      answer_matching(begin, end, write, result, &answers);
    }
  }
  for (const Answer& answer : answers) answer.waiter->handler_(answer.settled);
}

void Settlements::close() {
  Waiting waiting;
  {
    Lock lock(mutex_);
    waiting.swap(waiting_);
  }
  for (const auto& [id, expected] : waiting) expected.waiter->handler_({.how = How::closed});
}

}  // namespace tiercache::detail
