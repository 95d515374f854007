#include "cache/writing/outbox_calls.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/glob.h"

namespace tiercache::detail {

namespace {

constexpr std::size_t kWritesAtOnce = 100;
// How long to wait for another thread that is writing to the journal, before asking again.
constexpr std::chrono::milliseconds kForgetPause{2};

}  // namespace

OutboxPage OutboxCalls::list(const OutboxQuery& query) const {
  runtime_.check_open();
  OutboxPage page;
  if (query.limit == 0) return page;
  page.writes = local_.journal().list(query);
  if (page.writes.size() == query.limit) page.next = page.writes.back();
  for (OutboxWrite& write : page.writes) {
    if (write.state == OutboxState::pending) write.why = store_writer_.describe_slow(write);
  }
  return page;
}

bool OutboxCalls::retry(const OutboxId& id) {
  runtime_.check_open();
  return local_.journal().retry_parked(id.id, id.version);
}

void OutboxCalls::send_retried() {
  local_.commit();
  store_writer_.kick();
}

std::vector<EntryId> OutboxCalls::ids_of(const OutboxWrite& parked) const {
  if (parked.kind != OutboxKind::erase_matching) return {parked.id};
  std::vector<EntryId> ids;
  local_.index().for_each(parked.id.dataset, [&](const std::string& key, const IndexItem& item) {
    const bool erased = item.kind == EntryKind::tombstone && item.version == parked.version;
    if (erased && glob_matches(parked.id.key, key)) ids.push_back({parked.id.dataset, key});
  });
  return ids;
}

// Gives each write's place to the store's row. The outcome is `done` if that worked.
std::vector<OutboxOutcome> OutboxCalls::take_rows_instead(std::span<const EntryVersion> ours,
                                                          SteadyTime deadline) {
  std::vector<OutboxOutcome> outcomes(ours.size(), OutboxOutcome::store_unavailable);
  std::vector<EntryId> ids;
  for (const EntryVersion& one : ours) ids.push_back(one.id);
  const LoadReply rows = calls_.load(ids, deadline, Breaker::Urgency::forced);
  if (rows.status != StoreStatus::ok) return outcomes;
  if (std::find(rows.corrupt.begin(), rows.corrupt.end(), true) != rows.corrupt.end()) {
    return outcomes;
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const IoStatus withdrawn = local_.withdraw(ids[i], ours[i].version, rows.entries[i]);
    outcomes[i] = withdrawn.ok() ? OutboxOutcome::done : OutboxOutcome::disk_failed;
    if (!withdrawn.ok()) report_not_discarded(ids[i], withdrawn);
  }
  // The rows are read again: another process's write may have given way to ours in the files, and
  // have come to the store only now.
  const LoadReply standing = calls_.load(ids, deadline, Breaker::Urgency::forced);
  const bool again = standing.status == StoreStatus::ok;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const EntryPtr& row = again ? standing.entries[i] : rows.entries[i];
    if (row && outcomes[i] == OutboxOutcome::done) local_.take(ids[i], row);
  }
  return outcomes;
}

void OutboxCalls::report_not_discarded(const EntryId& id, const IoStatus& status) {
  const std::string why = without_key(status.what, id);
  runtime_.marks.file_writes.failed(why);
  runtime_.log.error(
      LogTopic::outbox, LogSubject{id.dataset},
      "a write of dataset {} is not discarded: the disk does not give its file up ({}). It is "
      "parked still, and served; discard it again once the disk takes writes",
      id.dataset, why);
}

std::vector<OutboxOutcome> OutboxCalls::discard(std::span<const OutboxId> ids,
                                                SteadyTime deadline) {
  runtime_.check_open();
  std::vector<OutboxOutcome> outcomes(ids.size(), OutboxOutcome::not_parked);
  std::vector<EntryVersion> affected;
  std::vector<std::size_t> of;  // the places in `ids`, of each of those affected
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (OutboxWrite& write : local_.journal().parked_of(ids[i].id, ids[i].version)) {
      outcomes[i] = OutboxOutcome::done;
      for (EntryId& id : ids_of(write)) {
        affected.push_back({std::move(id), write.version});
        of.push_back(i);
      }
    }
  }
  for (std::size_t begin = 0; begin < affected.size(); begin += kWritesAtOnce) {
    const std::size_t count = std::min(affected.size() - begin, kWritesAtOnce);
    const auto taken = calls_.uses_store()
                           ? take_rows_instead({affected.data() + begin, count}, deadline)
                           : std::vector(count, OutboxOutcome::store_unavailable);
    for (std::size_t i = 0; i < count; ++i) {
      if (taken[i] != OutboxOutcome::done) outcomes[of[begin + i]] = taken[i];
    }
  }
  // Otherwise an old file could come back after a power loss, and no record would say that it is
  // wrong.
  const bool synced = affected.empty() || file_writer_.sync();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (outcomes[i] != OutboxOutcome::done) continue;
    outcomes[i] = synced ? let_go(ids[i]) : OutboxOutcome::disk_failed;
  }
  runtime_.changed.notify();
  return outcomes;
}

OutboxOutcome OutboxCalls::let_go(const OutboxId& id) {
  const bool discarded = local_.journal().discard_parked(id.id, id.version);
  local_.serve_what_was_below(id.id);
  return discarded ? OutboxOutcome::done : OutboxOutcome::not_parked;
}

bool OutboxCalls::forget_discarded(SteadyTime deadline) {
  for (;;) {
    const IoStatus status = local_.journal().forget_discarded();
    if (status.ok()) return true;
    if (status.error != EAGAIN || runtime_.clock->steady_now() >= deadline) {
      runtime_.log.warn(LogTopic::journal, "discarded writes are still in the journal: {}",
                        status.what);
      return false;
    }
    runtime_.pause(kForgetPause);
  }
}

}  // namespace tiercache::detail
