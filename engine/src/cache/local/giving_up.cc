// What the local tiers give up: for the store, for a pattern, for good.
#include <utility>

#include "base/glob.h"
#include "cache/local/local_tiers.h"
#include "tiercache/store_rules.h"

namespace tiercache::detail {

namespace {

// A refused write is remembered while its file may still be on its way, which takes milliseconds.
constexpr std::size_t kWithdrawnKept = 4'096;

}  // namespace

// An entry that the journal still holds has not reached the store or its file yet, and stays. A
// write that comes meanwhile has a newer version, so that `remove` leaves its file alone; one that
// moves clocks alone has not, and if there is a row the second look at the journal sees it.
bool LocalTiers::let_go(const EntryId& id, Version version, const Entry* row) {
  if (journal_->holds(id)) return false;
  if (files_.remove(id, version).status != FileWriteResult::Status::done) return false;
  if (row != nullptr && journal_->holds(id)) {
    keep_in_files(id, *row);
    return false;
  }
  DatasetState* dataset = runtime_.datasets.find(id.dataset);
  if (dataset == nullptr) return true;
  memory_.remove(dataset->ref(id.key), version);
  index_pinned(id);
  events_.moved(*dataset, id);
  return true;
}

void LocalTiers::forget_in_memory(const EntryId& id, Version up_to) {
  remove_from_memory(id, up_to);
  tell_moved(id);
}

void LocalTiers::forget_missing(const EntryId& id, Version up_to) {
  remove_from_memory(id, up_to);
  files_.index().remove(id, up_to);
  tell_moved(id);
}

void LocalTiers::remove_from_memory(const EntryId& id, Version up_to) {
  const DatasetState* dataset = runtime_.datasets.find(id.dataset);
  if (dataset != nullptr) memory_.remove(dataset->ref(id.key), up_to);
}

void LocalTiers::tell_moved(const EntryId& id) const {
  if (DatasetState* dataset = runtime_.datasets.find(id.dataset)) events_.moved(*dataset, id);
}

bool LocalTiers::drop_deleted(const EntryId& id, Version deleted_up_to) {
  const auto item = index().find(id);
  if (!item || item->kind != EntryKind::document || item->version > deleted_up_to) return false;
  return drop(id, item->version);
}

// --- For the store ---

void LocalTiers::remember_withdrawn(const EntryId& id, Withdrawn withdrawn) {
  Lock lock(mutex_);
  if (withdrawn_.insert_or_assign(id, std::move(withdrawn)).second) withdrawn_order_.push_back(id);
  if (withdrawn_order_.size() <= kWithdrawnKept) return;
  withdrawn_.erase(withdrawn_order_.front());
  withdrawn_order_.pop_front();
}

bool LocalTiers::withdraw_late(const EntryId& id, Version version) {
  EntryPtr row;
  {
    Lock lock(mutex_);
    const auto found = withdrawn_.find(id);
    if (found == withdrawn_.end() || !found->second.has(version)) return false;
    row = found->second.row;
  }
  remove_from_memory(id, version);
  if (!withdraw_file(id, version, row).ok()) files_.remove(id, version);
  files_.index().remove(id, version);
  files_.notice(id);  // it knows the row's file, if there is one
  index_pinned(id);
  tell_moved(id);
  return true;
}

IoStatus LocalTiers::withdraw(const EntryId& id, Version ours, const EntryPtr& row) {
  // Before anything else, because a file may be on its way.
  remember_withdrawn(id, {Withdrawn::What::one_version, ours, row});
  if (IoStatus status = withdraw_file(id, ours, row); !status.ok()) return status;
  {
    Lock lock(mutex_);
    const auto unwritten = unwritten_.find(id);
    if (unwritten != unwritten_.end() && unwritten->second->version <= ours) {
      unwritten_.erase(unwritten);
    }
  }
  remove_from_memory(id, ours);
  IoStatus status = withdraw_file(id, ours, row);  // it may just have come there from memory
  index_pinned(id);
  tell_moved(id);
  return status;
}

void LocalTiers::withdraw_or_remove(const EntryId& id, Version ours, const EntryPtr& row) {
  if (withdraw(id, ours, row).ok()) return;
  files_.remove(id, ours);
  remove_from_memory(id, ours);
  tell_moved(id);
}

IoStatus LocalTiers::withdraw_file(const EntryId& id, Version ours, const EntryPtr& row) {
  const FileReadResult file = files_.read(id);
  if (file.entry && file.entry->version != ours) return {};  // another process's, or the row
  const FileWriteResult given = row ? files_.replace(id, ours, *row) : files_.remove(id, ours);
  if (given.is_there()) return {};
  const bool may_be_there = file.entry || file.status == FileReadResult::Status::failed;
  if (may_be_there) return given.io;
  files_.remove(id, ours);  // the index alone tells of it
  return {};
}

// What was refused by its guard can be told by the files, as long as they have the winner. What is
// newer in memory may be in no file, such as the tombstone of an erase whose older file had to go.
bool LocalTiers::is_outdated(const Record& record) {
  const Version ours = record.entry.version;
  if (const DatasetState* dataset = runtime_.datasets.find(record.id.dataset)) {
    const MemoryTier::Found found = memory_.peek(dataset->ref(record.id.key));
    if (found.pinned && found.resident && found.resident->entry.version > ours) return true;
  }
  {
    Lock lock(mutex_);
    const auto found = withdrawn_.find(record.id);
    if (found != withdrawn_.end() && found->second.has(ours)) return true;
  }
  if (!record.was_filed && !record.not_newer_than) return false;
  const FileReadResult file = files_.read(record.id);
  if (record.was_filed && file.status == FileReadResult::Status::absent) return true;
  if (!record.not_newer_than) return false;
  const EntryPtr& there = file.entry;
  return there && there->version < ours &&
         !guard_holds(record.not_newer_than, record.made_from, there->version);
}

void LocalTiers::serve_what_was_below(const EntryId& id) {
  Version unsettled;
  if (!journal_->is_unsettled(id, &unsettled)) return;
  const auto item = index().find(id);
  if (item && item->version >= unsettled) return;
  const auto record = journal_->live_content(id);
  if (!record) return;
  take(id, std::make_shared<Entry>(record->entry));
  writer_.unfiled(id);
}

// --- For a pattern ---

bool LocalTiers::erase_files_matching(const std::string& dataset, const std::string& glob,
                                      Version version) {
  bool all = files_.notice_all(dataset).ok();
  std::vector<std::pair<EntryId, EntryPtr>> batch;
  DatasetState* open = runtime_.datasets.find(dataset);
  const auto write_batch = [&] {
    for (const FileWriteResult& result : files_.write_synced(batch, EntryFiles::Sync::anew)) {
      all = all && result.is_there();
    }
    for (const auto& [id, entry] : batch) {
      if (open != nullptr) events_.moved(*open, id);
    }
    batch.clear();
  };
  index().for_each(dataset, [&](const std::string& key, const IndexItem& item) {
    if (item.version > version || !glob_matches(glob, key)) return;
    auto tombstone = std::make_shared<Entry>();
    tombstone->kind = EntryKind::tombstone;
    tombstone->version = version;
    tombstone->clocks = item.clocks;
    batch.emplace_back(EntryId{dataset, key}, std::move(tombstone));
    if (batch.size() == kFilesAtOnce) write_batch();
  });
  write_batch();
  if (!all) {
    Lock lock(mutex_);
    unfinished_erasures_.push_back({dataset, glob, version});
  }
  return all;
}

void LocalTiers::erase_files_again() {
  std::vector<Erasure> unfinished;
  {
    Lock lock(mutex_);
    unfinished.swap(unfinished_erasures_);
  }
  for (const Erasure& erasure : unfinished) {
    if (erase_files_matching(erasure.dataset, erasure.glob, erasure.version)) {
      journal_->files_erased({erasure.dataset, erasure.glob}, erasure.version);
    }
  }
}

}  // namespace tiercache::detail
