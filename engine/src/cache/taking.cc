// What the local tiers take from the store and from other caches on the directory, and what they
// give up for it.
#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include "base/glob.h"
#include "cache/core.h"
#include "cache/file_eviction.h"
#include "cache/file_writer.h"
#include "cache/judge.h"
#include "cache/refresh_path.h"
#include "cache/store_identity.h"
#include "cache/write_path.h"
#include "tiercache/store_rules.h"

namespace tiercache::detail {

namespace {

// How often memory may refuse what a lower tier gave because of writes of other keys.
constexpr int kShowTries = 4;
// Of a refused write the file is on its way for milliseconds at most.
constexpr std::size_t kWithdrawnKept = 4'096;

Version just_below(Version version) {
  if (version.writer > 0) return {.time = version.time, .writer = version.writer - 1};
  return {.time = version.time - 1, .writer = std::numeric_limits<std::uint32_t>::max()};
}

}  // namespace

FileReadResult Core::read_file(const EntryId& id) const {
  FileReadResult file = files->read(id);
  const auto erased = journal->erased_below(id);
  if (file.entry && erased && file.entry->version < *erased) {
    auto tombstone = std::make_shared<Entry>();
    tombstone->kind = EntryKind::tombstone;
    tombstone->version = *erased;
    file.entry = std::move(tombstone);
  }
  return file;
}

EntryPtr Core::newest_local(DatasetState& dataset, const EntryId& id) const {
  const MemoryTier::Found found = memory->peek(dataset.ref(id.key));
  if (!found.resident || found.resident->kind == ResidentKind::not_found)
    return read_file(id).entry;
  const Entry& entry = found.resident->entry;
  const bool trusted = !found.outdated && coarse_ticks() < found.lifetimes.trusted_until;
  if (!trusted) {
    const FileReadResult file = read_file(id);
    // An older file of another process tells that the store has refused what memory has.
    const bool stands = file.entry && (!found.pinned || file.entry->version > entry.version);
    const bool removed = file.status == FileReadResult::Status::absent && found.outdated;
    if (stands || (removed && !found.pinned)) return file.entry;
  }
  return std::make_shared<Entry>(entry);
}

Clocks Core::clocks_with_pending(const EntryId& id, const Entry& entry) const {
  const WallTime wall = now().wall;
  Clocks clocks = believable(entry.clocks, wall);
  clocks.merge(believable(journal->live_clocks(id), wall));
  return clocks;
}

bool Core::keep_in_files(const EntryId& id, const Entry& entry) {
  const auto is_erased = [&] {
    const auto erased = journal->erased_below(id);
    return erased && entry.version < *erased;
  };
  if (is_erased()) return true;
  const FileWriteResult result = files->write(id, entry, EntryFiles::Sync::before);
  if (is_erased()) files->remove(id, entry.version);
  file_eviction->look();
  return result.is_there() || give_up_older_file(id, entry, result);
}

// A disk that takes nothing new will mostly still remove a file.
bool Core::give_up_older_file(const EntryId& id, const Entry& entry,
                              const FileWriteResult& not_written) {
  using Status = FileWriteResult::Status;
  if (not_written.status != Status::failed) return false;  // another process is at it
  const FileWriteResult removed = files->remove(id, just_below(entry.version));
  if (removed.status == Status::newer_there) return entry.version < removed.current->version;
  if (removed.status != Status::written) return false;
  // Else an older write of ours would come back from the journal at the next open.
  journal->file_written(id, entry.version, entry.clocks);
  file_writer->touched();
  return true;
}

void Core::take_newer(const EntryId& id, const EntryPtr& entry) {
  versions->observe(entry->version);
  DatasetState* dataset = find_dataset(id.dataset);
  // What another process does to the file from here on is to be noticed.
  const std::uint32_t generation =
      dataset != nullptr ? memory->stamp(dataset->ref(id.key)).generation : 0;
  const bool kept = keep_in_files(id, *entry);
  if (dataset == nullptr) {
    if (!kept) keep_unwritten(id, entry);
    return;
  }
  auto resident = std::make_shared<Resident>();
  resident->entry = *entry;
  if (entry->kind == EntryKind::tombstone) {
    resident->kind = ResidentKind::tombstone;
  } else {
    try {
      Decoded decoded = dataset->decode(*entry->document);
      resident->value = std::move(decoded.value);
      resident->value_bytes = decoded.bytes;
    } catch (const std::exception&) {
      memory->remove(dataset->ref(id.key), entry->version);
      return;
    }
  }
  // Memory must hide the older file until that can be replaced.
  show_newer(*dataset, id, resident, generation, kept ? MemoryTier::Pin::no : MemoryTier::Pin::yes);
  if (!kept) file_writer->dirty(id);
  refresh_path->arm(*dataset, id);
}

// Unless the key was written or erased while the entry was on its way here.
void Core::show_newer(DatasetState& dataset, const EntryId& id, const ResidentPtr& resident,
                      std::uint32_t generation, MemoryTier::Pin pin) {
  const KeyRef ref = dataset.ref(id.key);
  const Version version = resident->entry.version;
  const Lifetimes lifetimes = judge(resident->entry, dataset.ages, now());
  for (int i = 0; i < kShowTries || pin == MemoryTier::Pin::yes; ++i) {
    const MemoryTier::Stamp stamp{memory->stamp(ref).writes, generation};
    const auto erased = journal->erased_below(id);
    const auto known = files->index().find(id);
    if ((erased && version < *erased) || (known && version < known->version)) return;
    // Of what the disk refused memory alone may know something newer.
    const auto found = memory->peek(ref);
    if (found.resident && version < found.resident->entry.version) return;
    if (memory->promote(ref, resident, lifetimes, stamp, pin)) return;
  }
  memory->remove(ref, version);  // the file has it
}

bool Core::take_rows(const std::vector<ScannedEntry>& rows) {
  return store_identity->may_keep() && keep_rows(rows);
}

bool Core::keep_rows(const std::vector<ScannedEntry>& rows) {
  const auto is_erased = [this](const EntryId& id, const Entry& entry) {
    const auto erased = journal->erased_below(id);
    return erased && entry.version < *erased;
  };
  std::vector<std::pair<EntryId, EntryPtr>> newer;
  for (const ScannedEntry& row : rows) {
    versions->observe(row.entry->version);
    if (is_erased(row.id, *row.entry)) continue;
    const Clocks clocks = clocks_with_pending(row.id, *row.entry);
    if (const auto item = files->index().find(row.id)) {
      Clocks merged = item->clocks;
      merged.merge(clocks);
      if (row.entry->version < item->version) continue;
      if (row.entry->version == item->version && merged == item->clocks) continue;
    }
    auto taken = std::make_shared<Entry>(*row.entry);
    taken->clocks = clocks;
    if (const auto here = newest_known(row.id); here && here->version == taken->version) {
      merge_clocks(taken.get(), here->clocks, here->metadata, true);
    }
    newer.emplace_back(row.id, std::move(taken));
  }
  const std::vector<FileWriteResult> results = files->write_synced(newer);
  file_eviction->look();
  bool all = true;
  for (std::size_t i = 0; i < newer.size(); ++i) {
    const auto& [id, entry] = newer[i];
    if (is_erased(id, *entry)) {
      files->remove(id, entry->version);
      continue;
    }
    const bool kept = results[i].is_there() || give_up_older_file(id, *entry, results[i]);
    all = show_row(id, entry, kept) && all;
  }
  return all;
}

// False where the files have something older that neither they nor memory can give up for the row.
bool Core::show_row(const EntryId& id, const EntryPtr& row, bool kept) {
  DatasetState* dataset = find_dataset(id.dataset);
  if (dataset == nullptr) {
    if (!kept) keep_unwritten(id, row);
    return true;
  }
  const ResidentPtr resident = memory->peek(dataset->ref(id.key)).resident;
  const bool moves =
      resident &&
      (resident->entry.version < row->version ||
       (resident->entry.version == row->version && resident->entry.clocks != row->clocks));
  const bool takes = moves || (!kept && !memory->is_half_pinned());
  if (takes) {
    take_newer(id, row);
  } else {
    refresh_path->arm(*dataset, id);
  }
  return kept || takes;
}

void Core::take_winner(const EntryId& id, Version ours, const EntryPtr& winner) {
  if (winner && winner->version >= ours) return take_newer(id, winner);
  // Written since the drain withdrew it, on a disk that takes no more: the store has what is to be
  // there.
  if (!withdraw(id, ours, winner).ok()) files->remove(id, ours);
  if (const EntryPtr standing = newest_row(id, winner)) take_newer(id, standing);
  // Else a crash could bring the refused entry back, from its old file or from the journal.
  journal->file_written(id, ours, {});
  file_writer->sync();
  serve_what_was_below(id);
}

void Core::remember_withdrawn(const EntryId& id, Version ours, const EntryPtr& row) {
  Lock lock(mutex_);
  if (withdrawn_.insert_or_assign(id, Withdrawn{ours, row}).second) withdrawn_order_.push_back(id);
  if (withdrawn_order_.size() <= kWithdrawnKept) return;
  withdrawn_.erase(withdrawn_order_.front());
  withdrawn_order_.pop_front();
}

bool Core::withdraw_late(const EntryId& id, Version version) {
  EntryPtr row;
  {
    Lock lock(mutex_);
    const auto found = withdrawn_.find(id);
    if (found == withdrawn_.end() || found->second.version != version) return false;
    row = found->second.row;
  }
  if (DatasetState* dataset = find_dataset(id.dataset)) {
    memory->remove(dataset->ref(id.key), version);
  }
  if (!withdraw_file(id, version, row).ok()) files->remove(id, version);
  files->index().remove(id, version);
  files->notice(id);  // it knows the row's file, where there is one
  return true;
}

IoStatus Core::withdraw(const EntryId& id, Version ours, const EntryPtr& row) {
  remember_withdrawn(id, ours, row);  // before anything else: a file may be on its way
  if (IoStatus status = withdraw_file(id, ours, row); !status.ok()) return status;
  {
    Lock lock(mutex_);
    const auto unwritten = unwritten_.find(id);
    if (unwritten != unwritten_.end() && unwritten->second->version <= ours) {
      unwritten_.erase(unwritten);
    }
  }
  if (DatasetState* dataset = find_dataset(id.dataset)) {
    memory->remove(dataset->ref(id.key), ours);
  }
  return withdraw_file(id, ours, row);  // it may just have come there from memory
}

IoStatus Core::withdraw_file(const EntryId& id, Version ours, const EntryPtr& row) {
  const FileReadResult file = files->read(id);
  if (file.entry && file.entry->version != ours) return {};  // another process's, or the row
  const FileWriteResult given = row ? files->replace(id, ours, *row) : files->remove(id, ours);
  if (given.is_there()) return {};
  const bool may_be_there = file.entry || file.status == FileReadResult::Status::failed;
  if (may_be_there) return given.io;
  files->remove(id, ours);  // the index alone tells of it
  return {};
}

// The refused write may have hidden another process's older one that still waits for the store.
void Core::serve_what_was_below(const EntryId& id) {
  Version unsettled;
  if (!journal->is_unsettled(id, &unsettled)) return;
  const auto item = files->index().find(id);
  if (item && item->version >= unsettled) return;
  const auto record = journal->live_content(id);
  if (!record) return;
  take_newer(id, std::make_shared<Entry>(record->entry));
  file_writer->dirty(id);
}

// Another process's write that gave way to ours in the files may have come to the store only after
// `winner` was read; later than this its own cache sees to its file (`hold_in_files`).
EntryPtr Core::newest_row(const EntryId& id, const EntryPtr& winner) {
  const LoadReply reply = load_rows({&id, 1}, kNever, Breaker::Urgency::forced);
  const bool found = reply.status == StoreStatus::ok && reply.entries.front();
  if (!found || (winner && reply.entries.front()->version < winner->version)) return winner;
  return reply.entries.front();
}

// A write whose file another process's refresh had taken: where the store refused that refresh, its
// cache may have put something older than ours in its place.
void Core::hold_in_files(const EntryId& id, const Entry& entry) {
  const auto known = files->index().find(id);
  if (known && known->version <= entry.version) return;
  Version unsettled;
  if (journal->is_unsettled(id, &unsettled) && unsettled > entry.version) return;
  keep_in_files(id, entry);
}

bool Core::erase_files_matching(const std::string& dataset, const std::string& glob,
                                Version version) {
  bool all = files->notice_all(dataset).ok();
  std::vector<std::pair<EntryId, EntryPtr>> batch;
  const auto write_batch = [&] {
    for (const FileWriteResult& result : files->write_synced(batch, EntryFiles::Sync::anew)) {
      all = all && result.is_there();
    }
    batch.clear();
  };
  files->index().for_each(dataset, [&](const std::string& key, const IndexItem& item) {
    if (item.version > version || !glob_matches(glob, key)) return;
    auto tombstone = std::make_shared<Entry>();
    tombstone->kind = EntryKind::tombstone;
    tombstone->version = version;
    tombstone->clocks = item.clocks;
    const EntryId& id = batch.emplace_back(EntryId{dataset, key}, std::move(tombstone)).first;
    scheduler->disarm(id);
    if (batch.size() == kFilesAtOnce) write_batch();
  });
  write_batch();
  if (!all) {
    Lock lock(mutex_);
    unfinished_erasures_.push_back({dataset, glob, version});
  }
  return all;
}

void Core::erase_files_again() {
  std::vector<Erasure> unfinished;
  {
    Lock lock(mutex_);
    unfinished.swap(unfinished_erasures_);
  }
  for (const Erasure& erasure : unfinished) {
    if (erase_files_matching(erasure.dataset, erasure.glob, erasure.version)) {
      journal->files_erased({erasure.dataset, erasure.glob}, erasure.version);
    }
  }
}

// Not while a crash would leave the key with less than it had: without the document that its clocks
// stand for, or without the row that is to replace what the store did not take.
bool Core::may_settle(const UnsettledWrite& write, const EntryPtr& winner) {
  const EntryId& id = write.write.id;
  if (write.kind == RecordKind::clocks) return winner || !send_lost(id, write.write.entry);
  if (write.kind != RecordKind::content) return true;
  const Version ours = write.write.entry.version;
  return (winner && winner->version >= ours) || withdraw(id, ours, winner).ok();
}

// Another process has erased it since, by a pattern perhaps, of which the store keeps nothing where
// it had no row. Then the tombstone goes there in the write's stead.
bool Core::sends_tombstone_instead(const UnsettledWrite& write) {
  if (write.kind != RecordKind::content) return false;
  const EntryId& id = write.write.id;
  const Version ours = write.write.entry.version;
  const bool touched = generations->of(shared_hash(id.dataset, id.key)) != 0;
  if (touched) files->notice(id);
  const auto known = files->index().find(id);
  if (!known || known->kind != EntryKind::tombstone || known->version <= ours) return false;
  Version own;  // an erase of our own comes to the store by itself
  if (journal->is_unsettled(id, &own) && own > ours) return false;
  if (const auto erased = journal->erased_below(id); erased && *erased > ours) return false;
  const EntryPtr there = files->read(id).entry;
  if (!there || there->kind != EntryKind::tombstone || there->version <= ours) return false;
  send_again(id, *there, {}, [](const AppendResult&) {});
  return true;
}

void Core::on_settled(const UnsettledWrite& write, const SaveResult& result) {
  const bool refused = result.outcome == SaveOutcome::refused;
  const bool superseded = result.outcome == SaveOutcome::superseded;
  if (!refused) settled_.fetch_add(1);
  if (refused) {
    log->error(LogTopic::outbox, LogSubject{write.write.id.dataset},
               "the store refused a write of dataset {}; it is parked: {}", write.write.id.dataset,
               result.why);
  }
  if (!refused && write.kind == RecordKind::erase_matching) {
    // Another process, which could not know of it, may have taken a row into its file meanwhile.
    erase_files_matching(write.write.id.dataset, write.write.id.key, write.write.entry.version);
    file_writer->touched();
  }
  if (!refused && !superseded && write.kind == RecordKind::content) {
    hold_in_files(write.write.id, write.write.entry);
  }
  if (superseded && write.kind == RecordKind::content) {
    take_winner(write.write.id, write.write.entry.version, result.current);
  }
  if (superseded && write.kind == RecordKind::clocks && result.current) {
    take_newer(write.write.id, result.current);
  }
  settlements.settled(write, result);
  changed->notify();
}

// Clocks were to move of what the store has no row of: it was confirmed before the store was reset,
// or another store was given. False when there is nothing here either that could become the row.
bool Core::send_lost(const EntryId& id, const Entry& moved) {
  const FileReadResult file = files->read(id);
  if (file.status == FileReadResult::Status::failed) return true;
  const EntryPtr there = file.entry;
  if (!there || there->version != moved.version || there->kind != EntryKind::document) return false;
  // Else the store has refused it as a row.
  if (!journal->parked_of(id, there->version).empty()) return false;
  Entry entry = *there;
  merge_clocks(&entry, moved.clocks, moved.metadata, true);
  send_again(id, entry, Version{}, [](const AppendResult&) {});
  return true;
}

void Core::send_again(const EntryId& id, const Entry& entry, std::optional<Version> guard,
                      Journal::Done done) {
  Record record;
  record.id = id;
  record.entry = entry;
  record.not_newer_than = guard;
  journal->append(std::move(record),
                  [core = shared_from_this(), id, version = entry.version, clocks = entry.clocks,
                   done = std::move(done)](const AppendResult& result) {
                    if (result.status == AppendStatus::durable) {
                      core->journal->file_written(id, version, clocks);
                      core->file_writer->touched();
                    }
                    done(result);
                  });
  if (!journal->commit()) write_path->commit_later();
  if (drain) drain->wake();
}

}  // namespace tiercache::detail
