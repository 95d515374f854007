// The public face of the outbox.
#include "tiercache/outbox.h"

#include <algorithm>
#include <array>
#include <utility>

#include "cache/core.h"
#include "cache/writing/outbox_calls.h"

namespace tiercache {

namespace {

// Every parked write once, page by page, also while others are parked meanwhile.
template <class Each>
void for_all_parked(const detail::OutboxCalls& outbox, std::string_view dataset, Each each) {
  OutboxQuery query{.state = OutboxState::parked, .dataset = std::string(dataset)};
  do {
    const OutboxPage page = outbox.list(query);
    std::vector<OutboxId> ids;
    for (const OutboxWrite& write : page.writes) ids.push_back({write.id, write.version});
    each(ids);
    query.after = page.next;
  } while (query.after);
}

void count(OutboxOutcome outcome, OutboxCounts* counts) {
  switch (outcome) {
    case OutboxOutcome::done:
      ++counts->done;
      return;
    case OutboxOutcome::not_parked:
      ++counts->not_parked;
      return;
    case OutboxOutcome::store_unavailable:
      ++counts->store_unavailable;
      return;
    case OutboxOutcome::disk_failed:
      ++counts->disk_failed;
      return;
  }
}

}  // namespace

OutboxPage Outbox::list(const OutboxQuery& query) const {
  return core_->outbox_calls().list(query);
}

std::vector<OutboxOutcome> Outbox::retry(std::span<const OutboxId> ids) const {
  std::vector<OutboxOutcome> outcomes;
  for (const OutboxId& id : ids) {
    outcomes.push_back(core_->outbox_calls().retry(id) ? OutboxOutcome::done
                                                       : OutboxOutcome::not_parked);
  }
  core_->outbox_calls().send_retried();
  return outcomes;
}

OutboxCounts Outbox::retry_all(std::string_view dataset) const {
  OutboxCounts counts;
  for_all_parked(core_->outbox_calls(), dataset, [&](const std::vector<OutboxId>& ids) {
    for (const OutboxId& id : ids) counts.done += core_->outbox_calls().retry(id) ? 1 : 0;
  });
  core_->outbox_calls().send_retried();
  return counts;
}

std::vector<OutboxOutcome> Outbox::discard(std::span<const OutboxId> ids,
                                           std::chrono::milliseconds deadline) const {
  const SteadyTime until = core_->runtime().after(deadline);
  std::vector<OutboxOutcome> outcomes = core_->outbox_calls().discard(ids, until);
  if (std::count(outcomes.begin(), outcomes.end(), OutboxOutcome::done) > 0 &&
      !core_->outbox_calls().forget_discarded(until)) {
    std::replace(outcomes.begin(), outcomes.end(), OutboxOutcome::done, OutboxOutcome::disk_failed);
  }
  return outcomes;
}

OutboxCounts Outbox::discard_all(std::string_view dataset,
                                 std::chrono::milliseconds deadline) const {
  const SteadyTime until = core_->runtime().after(deadline);
  OutboxCounts counts;
  for_all_parked(core_->outbox_calls(), dataset, [&](const std::vector<OutboxId>& ids) {
    for (const OutboxOutcome outcome : core_->outbox_calls().discard(ids, until))
      count(outcome, &counts);
  });
  if (counts.done > 0 && !core_->outbox_calls().forget_discarded(until)) {
    counts.disk_failed += std::exchange(counts.done, 0);
  }
  return counts;
}

std::string_view to_string(OutboxKind kind) {
  constexpr std::array<std::string_view, 4> kWords = {"document", "tombstone", "clocks",
                                                      "erase_matching"};
  return kWords[static_cast<std::size_t>(kind)];
}

std::string_view to_string(OutboxOutcome outcome) {
  constexpr std::array<std::string_view, 4> kWords = {"done", "not parked", "store unavailable",
                                                      "disk failed"};
  return kWords[static_cast<std::size_t>(outcome)];
}

}  // namespace tiercache
