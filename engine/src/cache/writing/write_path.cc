#include "cache/writing/write_path.h"

#include <atomic>
#include <utility>

#include "cache/runtime/judge.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

struct WritePath::Batch {
  std::vector<Change> changes;
  std::vector<ChangeResult> results;
  std::atomic<std::size_t> open{0};
  SteadyTime began;
  SteadyTime deadline;
  Done done;
};

namespace {

Record record_of(const Change& change) {
  Record record;
  record.kind = change.kind;
  record.id = change.id();
  record.entry = change.entry;
  record.not_newer_than = change.guard;
  record.made_from = change.made_from;
  return record;
}

StoreWrite store_write_of(const Change& change) {
  return {.kind = change.kind == RecordKind::clocks ? StoreWrite::Kind::clocks
                                                    : StoreWrite::Kind::content,
          .id = change.id(),
          .entry = change.entry,
          .not_newer_than = change.guard};
}

ResidentPtr resident_of(const Change& change) {
  auto resident = std::make_shared<Resident>();
  resident->kind =
      change.entry.kind == EntryKind::tombstone ? ResidentKind::tombstone : ResidentKind::document;
  resident->entry = change.entry;
  resident->value = change.value;
  resident->value_bytes = change.value_bytes;
  return resident;
}

}  // namespace

// --- Journaling ---

void WritePath::write(std::vector<Change> changes, milliseconds deadline, Done done) {
  auto batch = std::make_shared<Batch>();
  batch->changes = std::move(changes);
  batch->results.resize(batch->changes.size());
  batch->open =
      batch->changes.size() + 1;  // one for this call, so that `done` comes after all appends
  batch->began = runtime_.clock->steady_now();
  batch->deadline = runtime_.after(deadline);
  batch->done = std::move(done);
  make_room();
  for (std::size_t i = 0; i < batch->changes.size(); ++i) {
    Change& change = batch->changes[i];
    auto refused = stamps_.stamp(change, batch->deadline);
    if (refused) {
      finish_one(batch, i, std::move(*refused));
      continue;
    }
    expect_settlement(change);
    local_.journal().append(record_of(change),
                            runtime_.tasks.kept([this, batch, i](const AppendResult& result) {
                              journaled(batch, i, result);
                            }));
  }
  local_.commit();
  if (--batch->open == 0) batch->done(std::move(batch->results));
}

void WritePath::write_one(Change change, milliseconds deadline,
                          std::function<void(const ChangeResult&)> done) {
  std::vector<Change> changes;
  changes.push_back(std::move(change));
  write(std::move(changes), deadline,
        [done = std::move(done)](const std::vector<ChangeResult>& results) {
          done(results.front());
        });
}

void WritePath::expect_settlement(const Change& change) {
  if (!change.waiter) return;
  settlements_.expect({.kind = change.kind,
                       .id = change.id(),
                       .version = change.entry.version,
                       .clocks = change.entry.clocks},
                      change.waiter);
}

// Writes are pinned in memory until their files are written. Once they take up half of the budget,
// the writing threads write files themselves (I8).
void WritePath::make_room() {
  if (local_.memory().is_half_pinned()) file_writer_.flush();
}

std::vector<ChangeResult> WritePath::write_and_wait(std::vector<Change> changes,
                                                    milliseconds deadline) {
  struct Answer {
    std::shared_ptr<Event> event;
    Mutex mutex;
    std::vector<ChangeResult> results TIERCACHE_GUARDED_BY(mutex);
  };
  auto answer = std::make_shared<Answer>();
  answer->event = runtime_.executor->make_event();
  const std::size_t count = changes.size();
  write(std::move(changes), deadline, [answer](std::vector<ChangeResult> results) {
    {
      Lock lock(answer->mutex);
      answer->results = std::move(results);
    }
    answer->event->set();
  });
  // A commit that is under way ends with the disk; the deadline bounds what waits for the store.
  if (!answer->event->wait_until(runtime_.after(deadline))) {
    return std::vector<ChangeResult>(count, still_being_written());
  }
  Lock lock(answer->mutex);
  return std::move(answer->results);
}

void WritePath::journaled(const std::shared_ptr<Batch>& batch, std::size_t index,
                          const AppendResult& result) {
  Change& change = batch->changes[index];
  if (result.status == AppendStatus::durable) {
    runtime_.marks.journal.worked();
    make_visible(change);
    stamps_.end(change);
    finish_one(batch, index, result_of(ChangeResult::Status::durable, change.entry.version));
    return;
  }
  settlements_.forget(change.waiter);
  if (result.status == AppendStatus::full) {
    stamps_.end(change);
    finish_one(batch, index,
               result_of(ChangeResult::Status::full, change.entry.version, why_full()));
    return;
  }
  runtime_.marks.journal.failed(result.io.what);
  if (result.io.absent()) local_.directory_is_gone();
  if (calls_.uses_store() && change.kind != RecordKind::erase_matching) {
    runtime_.tasks.post(
        Lane::store, [this, batch, index, result] { save_in_store_instead(batch, index, result); });
    return;
  }
  stamps_.end(change);
  const auto status = result.status == AppendStatus::unknown ? ChangeResult::Status::unknown
                                                             : ChangeResult::Status::not_applied;
  finish_one(batch, index, result_of(status, change.entry.version, result.io.what));
}

std::string WritePath::why_full() const {
  const std::uint64_t parked = local_.journal().stats().parked_bytes;
  const std::uint64_t most = runtime_.options.journal.max_bytes;
  const std::string full =
      "the journal holds its most, journal.max_bytes = " + std::to_string(most) + ", ";
  if (parked < most / 2) {
    return full +
           "of writes that the store has not confirmed. Nothing was stored; bring the store back "
           "or raise journal.max_bytes";
  }
  return full + "and " + std::to_string(parked) +
         " bytes of that are parked, writes that the store refused for good. Nothing was stored; "
         "retry or discard them (Cache::outbox), or raise journal.max_bytes";
}

void WritePath::save_in_store_instead(const std::shared_ptr<Batch>& batch, std::size_t index,
                                      AppendResult result) {
  using Status = ChangeResult::Status;
  Change& change = batch->changes[index];
  const StoreWrite write = store_write_of(change);
  const SaveReply reply = calls_.save(write, batch->deadline);
  if (reply.status == StoreStatus::ok &&
      (reply.results.front().outcome == SaveOutcome::saved ||
       reply.results.front().outcome == SaveOutcome::already_saved)) {
    make_visible(change);  // pinned in memory until the disk takes its file
    stamps_.end(change);
    return finish_one(batch, index, result_of(Status::stored, change.entry.version));
  }
  stamps_.end(change);
  if (reply.status != StoreStatus::ok) {
    const bool nowhere =
        result.status == AppendStatus::not_applied && reply.status == StoreStatus::unavailable;
    finish_one(batch, index,
               result_of(nowhere ? Status::not_applied : Status::unknown, change.entry.version,
                         result.io.what + "; the store: " + reply.message));
    return;
  }
  const SaveResult& saved = reply.results.front();
  if (saved.outcome == SaveOutcome::refused) {
    finish_one(
        batch, index,
        result_of(result.status == AppendStatus::unknown ? Status::unknown : Status::not_applied,
                  change.entry.version, result.io.what + "; the store: " + saved.why));
    return;
  }
  if (change.kind == RecordKind::content) {
    store_writer_.take_winner(write.id, change.entry.version, saved.current);
  }
  finish_one(batch, index, result_of(Status::superseded, change.entry.version));
}

void WritePath::finish_one(const std::shared_ptr<Batch>& batch, std::size_t index,
                           ChangeResult result) {
  if (!result.is_made()) stamps_.release_filed();
  batch->results[index] = std::move(result);
  latency.add(runtime_.clock->steady_now() - batch->began);
  if (--batch->open == 0) batch->done(std::move(batch->results));
}

void WritePath::make_visible(const Change& change) {
  DatasetState& dataset = *change.dataset;
  switch (change.kind) {
    case RecordKind::erase_matching:
      stamps_.erased(change.id(), change.entry.version);
      local_.erase_matching(dataset, change.key, change.entry.version);
      break;
    case RecordKind::clocks:
      local_.move_clocks(dataset, change.id(), change.entry);
      break;
    default:
      local_.show(dataset, change.id(), resident_of(change), change.generation);
  }
  store_writer_.wake();
}

}  // namespace tiercache::detail
