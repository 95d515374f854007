#include "cache/write_path.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/glob.h"
#include "cache/core.h"
#include "cache/directory_keeper.h"
#include "cache/file_writer.h"
#include "cache/judge.h"
#include "cache/refresh_path.h"
#include "tiercache/store_rules.h"

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
  record.id = change.dataset->id(change.key);
  record.entry = change.entry;
  record.not_newer_than = change.guard;
  record.made_from = change.made_from;
  return record;
}

StoreWrite store_write_of(const Change& change) {
  return {.kind = change.kind == RecordKind::clocks ? StoreWrite::Kind::clocks
                                                    : StoreWrite::Kind::content,
          .id = change.dataset->id(change.key),
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
  batch->began = core_.clock->steady_now();
  batch->deadline = core_.after(deadline);
  batch->done = std::move(done);
  make_room();
  for (std::size_t i = 0; i < batch->changes.size(); ++i) {
    Change& change = batch->changes[i];
    auto refused = compared_and_stamped(change, batch->deadline);
    if (refused) {
      finish_one(batch, i, std::move(*refused));
      continue;
    }
    expect_settlement(change);
    core_.journal->append(record_of(change),
                          [core = core_.shared_from_this(), batch, i](const AppendResult& result) {
                            core->write_path->journaled(batch, i, result);
                          });
  }
  if (!core_.journal->commit()) commit_later();
  if (--batch->open == 0) batch->done(std::move(batch->results));
}

void WritePath::commit_later() {
  core_.executor->post(Lane::disk, [core = core_.shared_from_this()] {
    if (!core->journal->commit()) core->write_path->commit_later();
  });
}

void WritePath::expect_settlement(const Change& change) {
  if (!change.waiter) return;
  core_.settlements.expect({.kind = change.kind,
                            .id = change.dataset->id(change.key),
                            .version = change.entry.version,
                            .clocks = change.entry.clocks},
                           change.waiter);
}

// Writes that wait for their files are pinned in memory; past half the budget the writers bring
// them there themselves (I8).
void WritePath::make_room() {
  if (core_.memory->is_half_pinned()) core_.file_writer->flush();
}

std::vector<ChangeResult> WritePath::write_and_wait(std::vector<Change> changes,
                                                    milliseconds deadline) {
  struct Answer {
    std::shared_ptr<Event> event;
    Mutex mutex;
    std::vector<ChangeResult> results TIERCACHE_GUARDED_BY(mutex);
  };
  auto answer = std::make_shared<Answer>();
  answer->event = core_.executor->make_event();
  const std::size_t count = changes.size();
  write(std::move(changes), deadline, [answer](std::vector<ChangeResult> results) {
    {
      Lock lock(answer->mutex);
      answer->results = std::move(results);
    }
    answer->event->set();
  });
  // A commit that is under way ends with the disk; the deadline bounds what waits for the store.
  if (!answer->event->wait_until(core_.after(deadline))) {
    return std::vector<ChangeResult>(count, result_of(ChangeResult::Status::unknown, {},
                                                      "the deadline passed while it was written"));
  }
  Lock lock(answer->mutex);
  return std::move(answer->results);
}

void WritePath::journaled(const std::shared_ptr<Batch>& batch, std::size_t index,
                          const AppendResult& result) {
  Change& change = batch->changes[index];
  if (result.status == AppendStatus::durable) {
    core_.marks->journal.worked();
    make_visible(change);
    forget_under_way(change);
    finish_one(batch, index, result_of(ChangeResult::Status::durable, change.entry.version));
    return;
  }
  core_.settlements.forget(change.waiter);
  if (result.status == AppendStatus::full) {
    forget_under_way(change);
    finish_one(batch, index,
               result_of(ChangeResult::Status::full, change.entry.version, why_full()));
    return;
  }
  core_.marks->journal.failed(result.io.what);
  if (result.io.absent()) core_.directory_keeper->look_soon();
  if (core_.store && change.kind != RecordKind::erase_matching) {
    core_.executor->post(Lane::store, [core = core_.shared_from_this(), batch, index, result] {
      core->write_path->save_in_store_instead(batch, index, result);
    });
    return;
  }
  forget_under_way(change);
  const auto status = result.status == AppendStatus::unknown ? ChangeResult::Status::unknown
                                                             : ChangeResult::Status::not_applied;
  finish_one(batch, index, result_of(status, change.entry.version, result.io.what));
}

std::string WritePath::why_full() const {
  const std::uint64_t parked = core_.journal->stats().parked_bytes;
  const std::uint64_t most = core_.options.journal.max_bytes;
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
  // The last tier that may take it is asked in any case.
  const SaveReply reply = core_.ask_store(Breaker::Urgency::forced, core_.store_saves, [&] {
    return core_.store->save(core_.options.project, {&write, 1}, batch->deadline);
  });
  if (reply.status == StoreStatus::ok &&
      (reply.results.front().outcome == SaveOutcome::saved ||
       reply.results.front().outcome == SaveOutcome::already_saved)) {
    make_visible(change);  // pinned in memory until the disk takes its file
    forget_under_way(change);
    return finish_one(batch, index, result_of(Status::stored, change.entry.version));
  }
  forget_under_way(change);
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
    core_.take_winner(write.id, change.entry.version, saved.current);
  }
  finish_one(batch, index, result_of(Status::superseded, change.entry.version));
}

void WritePath::finish_one(const std::shared_ptr<Batch>& batch, std::size_t index,
                           ChangeResult result) {
  const bool taken = result.status == ChangeResult::Status::durable ||
                     result.status == ChangeResult::Status::stored;
  if (!taken) settle();
  batch->results[index] = std::move(result);
  core_.put_latency.add(core_.clock->steady_now() - batch->began);
  if (--batch->open == 0) batch->done(std::move(batch->results));
}

// --- Making visible ---

void WritePath::make_visible(const Change& change) {
  DatasetState& dataset = *change.dataset;
  const EntryId id = dataset.id(change.key);
  if (change.kind == RecordKind::erase_matching) return make_matching_erase_visible(change);
  if (change.kind == RecordKind::clocks) {
    make_clocks_visible(change);
  } else {
    if (const auto erased = core_.journal->erased_below(id);
        erased && change.entry.version < *erased) {
      return;
    }
    core_.memory->put(dataset.ref(change.key), resident_of(change),
                      judge(change.entry, dataset.ages, core_.now()), MemoryTier::Pin::yes,
                      change.generation);
    core_.files->index().put(id, {.kind = change.entry.kind,
                                  .version = change.entry.version,
                                  .checksum = change.entry.checksum,
                                  .size = change.entry.document ? change.entry.document->size() : 0,
                                  .clocks = change.entry.clocks});
    core_.file_writer->dirty(id);
    core_.withdraw_late(id, change.entry.version);  // the store may have been quicker
  }
  if (change.entry.kind == EntryKind::tombstone) {
    core_.scheduler->disarm(id);
  } else {
    core_.refresh_path->arm(dataset, id);
  }
  if (core_.drain) core_.drain->wake();
}

void WritePath::make_clocks_visible(const Change& change) {
  DatasetState& dataset = *change.dataset;
  const EntryId id = dataset.id(change.key);
  const KeyRef ref = dataset.ref(change.key);
  // Each further try means that another write of the key came between: an erase must not be undone.
  for (;;) {
    MemoryTier::Stamp stamp = core_.memory->stamp(ref);
    const auto moved = with_clocks_of(change, &stamp.generation);
    if (!moved) return no_clocks_to_move(change);
    const IndexItem item{.kind = EntryKind::document,
                         .version = moved->entry.version,
                         .checksum = moved->entry.checksum,
                         .size = moved->entry.document->size(),
                         .clocks = moved->entry.clocks};
    const Lifetimes lifetimes = judge(moved->entry, dataset.ages, core_.now());
    if (!core_.memory->promote(ref, moved, lifetimes, stamp, MemoryTier::Pin::yes)) continue;
    core_.files->index().put(id, item);
    break;
  }
  core_.file_writer->dirty(id);
}

// No file will take these clocks out of the journal, unless there is one that cannot be read now.
void WritePath::no_clocks_to_move(const Change& change) {
  const EntryId id = change.dataset->id(change.key);
  const auto item = core_.files->index().find(id);
  if (item && item->kind == EntryKind::document) return;
  core_.journal->file_written(id, {}, change.entry.clocks);
  core_.file_writer->touched();
}

ResidentPtr WritePath::with_clocks_of(const Change& change, std::uint32_t* generation) {
  DatasetState& dataset = *change.dataset;
  auto moved = std::make_shared<Resident>();
  const MemoryTier::Found found = core_.memory->peek(dataset.ref(change.key));
  if (found.resident) {
    *moved = *found.resident;
    *generation = found.generation;  // its file is still to be looked at if others changed it
  } else {
    const EntryPtr entry = core_.read_file(dataset.id(change.key)).entry;
    if (!entry || entry->kind != EntryKind::document) return nullptr;
    moved->entry = *entry;
    try {
      const Decoded decoded = dataset.decode(*entry->document);
      moved->value = decoded.value;
      moved->value_bytes = decoded.bytes;
    } catch (const std::exception&) {
      return nullptr;  // undecodable: never overwritten but by a successful refresh or put
    }
  }
  if (moved->kind != ResidentKind::document) return nullptr;
  moved->entry.clocks = believable(moved->entry.clocks, core_.now().wall);
  merge_clocks(&moved->entry, change.entry.clocks, change.entry.metadata,
               moved->entry.version == change.entry.version);
  return moved;
}

void WritePath::make_matching_erase_visible(const Change& change) {
  DatasetState& dataset = *change.dataset;
  const Version version = change.entry.version;
  remember_erased(dataset.id(change.key), version);
  core_.memory->remove_matching(
      dataset.number, version, [&](std::string_view key) { return glob_matches(change.key, key); });
  if (core_.erase_files_matching(dataset.name, change.key, version)) {
    core_.journal->files_erased(dataset.id(change.key), version);
  }
  core_.file_writer->touched();
  if (core_.drain) core_.drain->wake();
}

// --- Waiting for the store ---

void WritePath::when_under_way_no_more(const EntryId& id, Version version, SteadyTime deadline,
                                       std::function<void()> fn) {
  struct Once {
    std::atomic<bool> done{false};
    std::function<void()> fn;
    void run() {
      if (!done.exchange(true)) fn();
    }
  };
  auto once = std::make_shared<Once>();
  once->fn = std::move(fn);
  auto waiter = std::make_shared<Settlements::Waiter>([once](const Settled&) { once->run(); });
  core_.settlements.expect({.kind = RecordKind::content, .id = id, .version = version}, waiter);
  Version unsettled;
  if (!core_.journal->is_unsettled(id, &unsettled) || unsettled != version) {
    core_.settlements.forget(waiter);
    return once->run();
  }
  core_.executor->schedule(deadline, Lane::compute,
                           [core = core_.shared_from_this(), once, waiter] {
                             core->settlements.forget(waiter);
                             once->run();
                           });
  core_.drain->kick();
}

}  // namespace tiercache::detail
