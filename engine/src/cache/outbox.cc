// The calls of `Outbox`: what waits for the store or was refused by it, and what becomes of that.
#include "tiercache/outbox.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/glob.h"
#include "cache/core.h"
#include "cache/file_writer.h"

namespace tiercache {

namespace detail {

namespace {

constexpr std::size_t kWritesAtOnce = 100;
// Between looks at whether another thread has done writing to the journal.
constexpr std::chrono::milliseconds kForgetPause{2};

}  // namespace

OutboxPage Core::list_outbox(const OutboxQuery& query) const {
  check_open();
  OutboxPage page;
  if (query.limit == 0) return page;
  page.writes = journal->list(query);
  if (page.writes.size() == query.limit) page.next = page.writes.back();
  for (OutboxWrite& write : page.writes) {
    if (write.state == OutboxState::pending && drain) write.why = drain->describe_slow(write);
  }
  return page;
}

bool Core::retry_parked(const OutboxId& id) {
  check_open();
  return journal->retry_parked(id.id, id.version);
}

void Core::send_retried() {
  if (!journal->commit()) {
    executor->post(Lane::disk, [core = shared_from_this()] { core->send_retried(); });
  }
  if (drain) drain->kick();
}

std::vector<EntryId> Core::ids_of(const OutboxWrite& parked) const {
  if (parked.kind != OutboxKind::erase_matching) return {parked.id};
  std::vector<EntryId> ids;
  files->index().for_each(parked.id.dataset, [&](const std::string& key, const IndexItem& item) {
    const bool erased = item.kind == EntryKind::tombstone && item.version == parked.version;
    if (erased && glob_matches(parked.id.key, key)) ids.push_back({parked.id.dataset, key});
  });
  return ids;
}

// `done` for those whose place is the row's.
std::vector<OutboxOutcome> Core::take_rows_instead(std::span<const EntryVersion> ours,
                                                   SteadyTime deadline) {
  std::vector<OutboxOutcome> outcomes(ours.size(), OutboxOutcome::store_unavailable);
  std::vector<EntryId> ids;
  for (const EntryVersion& one : ours) ids.push_back(one.id);
  const LoadReply rows = load_rows(ids, deadline, Breaker::Urgency::forced);
  if (rows.status != StoreStatus::ok) return outcomes;
  if (std::find(rows.corrupt.begin(), rows.corrupt.end(), true) != rows.corrupt.end()) {
    return outcomes;
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const IoStatus withdrawn = withdraw(ids[i], ours[i].version, rows.entries[i]);
    outcomes[i] = withdrawn.ok() ? OutboxOutcome::done : OutboxOutcome::disk_failed;
    if (!withdrawn.ok()) report_not_discarded(ids[i], withdrawn);
  }
  // Another process's write may have given way to ours in the files and come to the store since.
  const LoadReply standing = load_rows(ids, deadline, Breaker::Urgency::forced);
  const bool again = standing.status == StoreStatus::ok;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const EntryPtr& row = again ? standing.entries[i] : rows.entries[i];
    if (row && outcomes[i] == OutboxOutcome::done) take_newer(ids[i], row);
  }
  return outcomes;
}

void Core::report_not_discarded(const EntryId& id, const IoStatus& status) {
  const std::string why = without_key(status.what, id);
  marks->file_writes.failed(why);
  log->error(
      LogTopic::outbox, LogSubject{id.dataset},
      "a write of dataset {} is not discarded: the disk does not give its file up ({}). It is "
      "parked still, and served; discard it again once the disk takes writes",
      id.dataset, why);
}

std::vector<OutboxOutcome> Core::discard_parked(std::span<const OutboxId> ids,
                                                SteadyTime deadline) {
  check_open();
  std::vector<OutboxOutcome> outcomes(ids.size(), OutboxOutcome::not_parked);
  std::vector<EntryVersion> affected;
  std::vector<std::size_t> of;  // the places in `ids`, of each of those affected
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (OutboxWrite& write : journal->parked_of(ids[i].id, ids[i].version)) {
      outcomes[i] = OutboxOutcome::done;
      for (EntryId& id : ids_of(write)) {
        affected.push_back({std::move(id), write.version});
        of.push_back(i);
      }
    }
  }
  for (std::size_t begin = 0; begin < affected.size(); begin += kWritesAtOnce) {
    const std::size_t count = std::min(affected.size() - begin, kWritesAtOnce);
    const auto taken = store ? take_rows_instead({affected.data() + begin, count}, deadline)
                             : std::vector(count, OutboxOutcome::store_unavailable);
    for (std::size_t i = 0; i < count; ++i) {
      if (taken[i] != OutboxOutcome::done) outcomes[of[begin + i]] = taken[i];
    }
  }
  // Else an old file could come back after a power loss, and no record would tell that it is wrong.
  const bool synced = affected.empty() || file_writer->sync();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (outcomes[i] != OutboxOutcome::done) continue;
    outcomes[i] = synced ? let_go(ids[i]) : OutboxOutcome::disk_failed;
  }
  changed->notify();
  return outcomes;
}

OutboxOutcome Core::let_go(const OutboxId& id) {
  const bool discarded = journal->discard_parked(id.id, id.version);
  serve_what_was_below(id.id);
  return discarded ? OutboxOutcome::done : OutboxOutcome::not_parked;
}

bool Core::forget_discarded(SteadyTime deadline) {
  for (;;) {
    const IoStatus status = journal->forget_discarded();
    if (status.ok()) return true;
    if (status.error != EAGAIN || clock->steady_now() >= deadline) {
      log->warn(LogTopic::journal, "discarded writes are still in the journal: {}", status.what);
      return false;
    }
    pause(kForgetPause);
  }
}

}  // namespace detail

namespace {

// Every parked write once, page by page, also while others are parked meanwhile.
template <class Each>
void for_all_parked(const detail::Core& core, std::string_view dataset, Each each) {
  OutboxQuery query{.state = OutboxState::parked, .dataset = std::string(dataset)};
  do {
    const OutboxPage page = core.list_outbox(query);
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
  return core_->list_outbox(query);
}

std::vector<OutboxOutcome> Outbox::retry(std::span<const OutboxId> ids) const {
  std::vector<OutboxOutcome> outcomes;
  for (const OutboxId& id : ids) {
    outcomes.push_back(core_->retry_parked(id) ? OutboxOutcome::done : OutboxOutcome::not_parked);
  }
  core_->send_retried();
  return outcomes;
}

OutboxCounts Outbox::retry_all(std::string_view dataset) const {
  OutboxCounts counts;
  for_all_parked(*core_, dataset, [&](const std::vector<OutboxId>& ids) {
    for (const OutboxId& id : ids) counts.done += core_->retry_parked(id) ? 1 : 0;
  });
  core_->send_retried();
  return counts;
}

std::vector<OutboxOutcome> Outbox::discard(std::span<const OutboxId> ids,
                                           std::chrono::milliseconds deadline) const {
  const SteadyTime until = core_->after(deadline);
  std::vector<OutboxOutcome> outcomes = core_->discard_parked(ids, until);
  if (std::count(outcomes.begin(), outcomes.end(), OutboxOutcome::done) > 0 &&
      !core_->forget_discarded(until)) {
    std::replace(outcomes.begin(), outcomes.end(), OutboxOutcome::done, OutboxOutcome::disk_failed);
  }
  return outcomes;
}

OutboxCounts Outbox::discard_all(std::string_view dataset,
                                 std::chrono::milliseconds deadline) const {
  const SteadyTime until = core_->after(deadline);
  OutboxCounts counts;
  for_all_parked(*core_, dataset, [&](const std::vector<OutboxId>& ids) {
    for (const OutboxOutcome outcome : core_->discard_parked(ids, until)) count(outcome, &counts);
  });
  if (counts.done > 0 && !core_->forget_discarded(until)) {
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
