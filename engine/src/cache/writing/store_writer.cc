#include "cache/writing/store_writer.h"

#include <utility>

#include "tiercache/store_rules.h"

namespace tiercache::detail {

// --- The drain ---

void StoreWriter::start() {
  if (!calls_.uses_store()) return;
  const StoreOptions& options = runtime_.options.store_calls;
  const DrainOptions drain_options{
      .project = runtime_.options.project,
      .batch_items = options.batch_items,
      .call_timeout = options.call_timeout,
      .backoff = {.first = options.retry_first, .cap = options.retry_cap},
      .retry = runtime_.options.flags.background_retry};
  drain_ = std::make_shared<OutboxDrain>(local_.shared_journal(), calls_.store(), calls_.breaker(),
                                         *runtime_.executor, runtime_.clock, drain_options,
                                         events(), runtime_.seed + 3);
  drain_->wake();
}

DrainEvents StoreWriter::events() {
  const Tasks& tasks = runtime_.tasks;
  DrainEvents events;
  events.settled = tasks.if_alive(
      [this](const UnsettledWrite& write, const SaveResult& result) { on_settled(write, result); });
  events.may_settle = tasks.if_alive([this](const UnsettledWrite& write, const SaveResult& result) {
    return may_settle(write, result.current);
  });
  events.outdated = tasks.if_alive(
      [this](const UnsettledWrite& write) { return sends_tombstone_instead(write); });
  events.may_send =
      tasks.if_alive([this](Breaker::Urgency urgency) { return identity_.may_send(urgency); });
  events.in_doubt =
      tasks.if_alive([this](const UnsettledWrite& write) { settlements_.in_doubt(write); });
  events.slow = tasks.if_alive([this](const UnsettledWrite& write, const std::string& why) {
    runtime_.marks.saves.failed("one write of dataset " + write.write.id.dataset +
                                " is not answered for in time: " + why);
  });
  events.called = tasks.if_alive([this](const StoreReply& reply, std::chrono::nanoseconds took) {
    calls_.drain_called(reply, took);
  });
  events.rested = tasks.if_alive([this] { runtime_.changed.notify(); });
  return events;
}

void StoreWriter::wake() {
  if (drain_) drain_->wake();
}

void StoreWriter::kick() {
  if (drain_) drain_->kick();
}

void StoreWriter::hurry() {
  if (drain_) drain_->hurry();
}

bool StoreWriter::is_idle() const {
  return !drain_ || drain_->idle();
}

void StoreWriter::stop() {
  if (drain_) drain_->stop();
}

std::string StoreWriter::describe_slow(const OutboxWrite& write) const {
  return drain_ ? drain_->describe_slow(write) : std::string();
}

// --- What the drain asks before it settles ---

// A write is settled only once a crash would not leave the key with less than it had: without the
// document that its clocks belong to, or without the row that replaces what the store did not take.
bool StoreWriter::may_settle(const UnsettledWrite& write, const EntryPtr& winner) {
  const EntryId& id = write.write.id;
  if (write.kind == RecordKind::clocks) return winner || !send_lost(id, write.write.entry);
  if (write.kind != RecordKind::content) return true;
  const Version ours = write.write.entry.version;
  return (winner && winner->version >= ours) || local_.withdraw(id, ours, winner).ok();
}

// Another process may have erased the key since, perhaps by a pattern; of that the store keeps
// nothing for a key without a row. The tombstone is then sent in this write's stead.
bool StoreWriter::sends_tombstone_instead(const UnsettledWrite& write) {
  if (write.kind != RecordKind::content) return false;
  const EntryId& id = write.write.id;
  const Version ours = write.write.entry.version;
  const bool may_have_changed = local_.generations().of(shared_hash(id.dataset, id.key)) != 0;
  if (may_have_changed && !local_.files().notice(id).ok()) return true;  // asked again later
  const Known known = local_.known(nullptr, id);
  const auto& filed = known.in_files;
  if (!filed || filed->kind != EntryKind::tombstone || filed->version <= ours) return false;
  Version own;  // an erase of our own comes to the store by itself
  if (local_.journal().is_unsettled(id, &own) && own > ours) return false;
  if (known.erased > ours) return false;
  const EntryPtr there = local_.files().read(id).entry;
  if (!there || there->kind != EntryKind::tombstone || there->version <= ours) return false;
  send_again(id, *there, {}, [](const AppendResult&) {});
  return true;
}

// The clocks of a row were to move that the store does not have: it was confirmed before the store
// was reset, or by another store. The document is sent again, with its clocks. Returns false if
// there is no document here either.
bool StoreWriter::send_lost(const EntryId& id, const Entry& moved) {
  const FileReadResult file = local_.files().read(id);
  if (file.status == FileReadResult::Status::failed) return true;
  const EntryPtr there = file.entry;
  if (!there || there->version != moved.version || there->kind != EntryKind::document) return false;
  // If it is parked, the store has refused it as a row and would again.
  if (!local_.journal().parked_of(id, there->version).empty()) return false;
  Entry entry = *there;
  merge_clocks(&entry, moved.clocks, moved.metadata, true);
  send_again(id, entry, Version{}, [](const AppendResult&) {});
  return true;
}

void StoreWriter::send_again(const EntryId& id, const Entry& entry, std::optional<Version> guard,
                             Journal::Done done) {
  Record record;
  record.id = id;
  record.entry = entry;
  record.not_newer_than = guard;
  local_.journal().append(
      std::move(record),
      runtime_.tasks.kept([this, id, version = entry.version, clocks = entry.clocks,
                           done = std::move(done)](const AppendResult& result) {
        if (result.status == AppendStatus::durable) {
          local_.journal().file_written(id, version, clocks);
          file_writer_.sync_soon();
        }
        done(result);
      }));
  local_.commit();
  wake();
}

// --- What the drain tells when it has settled ---

void StoreWriter::on_settled(const UnsettledWrite& write, const SaveResult& result) {
  const EntryId& id = write.write.id;
  const Entry& ours = write.write.entry;
  const bool refused = result.outcome == SaveOutcome::refused;
  const bool superseded = result.outcome == SaveOutcome::superseded;
  if (!refused) settled_.fetch_add(1);
  if (refused) {
    runtime_.log.error(LogTopic::outbox, LogSubject{id.dataset},
                       "the store refused a write of dataset {}; it is parked: {}", id.dataset,
                       result.why);
  }
  if (!refused && write.kind == RecordKind::erase_matching) {
    // Another process that did not know of the erase may have taken a row into a file meanwhile, so
    // the files are erased once more.
    local_.erase_files_matching(id.dataset, id.key, ours.version);
    file_writer_.sync_soon();
  }
  if (!refused && !superseded && write.kind == RecordKind::content) {
    local_.hold_in_files(id, ours);
  }
  if (superseded && write.kind == RecordKind::content) {
    take_winner(id, ours.version, result.current);
  }
  if (superseded && write.kind == RecordKind::clocks && result.current) {
    local_.take(id, result.current);
  }
  settlements_.settled(write, result);
  runtime_.changed.notify();
}

void StoreWriter::take_winner(const EntryId& id, Version ours, const EntryPtr& winner) {
  if (winner && winner->version >= ours) return local_.take(id, winner);
  // The drain has withdrawn it once; a file may have been written since, on a disk that now
  // refuses. Then the file is removed: the store has what should stand.
  local_.withdraw_or_remove(id, ours, winner);
  if (const EntryPtr standing = newest_row(id, winner)) local_.take(id, standing);
  // Otherwise a crash could bring the refused entry back, from its old file or from the journal.
  local_.journal().file_written(id, ours, {});
  file_writer_.sync();
  local_.serve_what_was_below(id);
}

// The row as it is now. Another process's write that gave way to ours in the files may have come to
// the store after `winner` was read. If it comes later still, its own cache sees to its file
// (`hold_in_files`).
EntryPtr StoreWriter::newest_row(const EntryId& id, const EntryPtr& winner) {
  const LoadReply reply = calls_.load({&id, 1}, kNever, Breaker::Urgency::forced);
  const bool found = reply.status == StoreStatus::ok && reply.entries.front();
  if (!found || (winner && reply.entries.front()->version < winner->version)) return winner;
  return reply.entries.front();
}

void StoreWriter::when_settled(const EntryId& id, Version version, SteadyTime deadline,
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
  settlements_.expect({.kind = RecordKind::content, .id = id, .version = version}, waiter);
  Version unsettled;
  if (!local_.journal().is_unsettled(id, &unsettled) || unsettled != version) {
    settlements_.forget(waiter);
    return once->run();
  }
  runtime_.tasks.at(deadline, Lane::compute, [this, once, waiter] {
    settlements_.forget(waiter);
    once->run();
  });
  kick();
}

}  // namespace tiercache::detail
