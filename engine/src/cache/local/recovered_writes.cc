#include "cache/local/recovered_writes.h"

#include <chrono>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "base/glob.h"
#include "base/key_ref.h"
#include "tiercache/store_rules.h"

namespace tiercache::detail {

namespace {

constexpr std::size_t kBatchBytes = 8 << 20;
// How long, and how often, to wait for a key that another process is writing just now.
constexpr std::chrono::milliseconds kTurnPause{2};
constexpr int kTurnTries = 1'000;

}  // namespace

void RecoveredWrites::take(const Record& record) {
  any_ = true;
  runtime_.versions.observe(record.entry.version);
  switch (record.kind) {
    case RecordKind::erase_matching:
      write_files();
      if (local_.erase_files_matching(record.id.dataset, record.id.key, record.entry.version)) {
        filed_.push_back({record.kind, record.id, record.entry.version, record.entry.clocks});
        forget_in_memory(filed_.back());
      }
      return;
    case RecordKind::clocks:
      return take_clocks(record);
    case RecordKind::content:
    case RecordKind::parked:
      if (local_.is_outdated(record)) {
        filed_.push_back({record.kind, record.id, record.entry.version, record.entry.clocks});
        return;
      }
      return add(record, record.entry);
    case RecordKind::done:
      return;
  }
}

void RecoveredWrites::take_clocks(const Record& record) {
  Entry entry;
  auto waiting = batch_.find(record.id);
  if (waiting != batch_.end() && waiting->second.version != record.entry.version) {
    write_files();  // the file may have what these clocks are of
    waiting = batch_.end();
  }
  if (waiting != batch_.end()) {
    entry = waiting->second;
  } else {
    const FileReadResult file = local_.files().read(record.id);
    if (file.status == FileReadResult::Status::failed) return;  // stays in the journal
    if (file.entry) entry = *file.entry;
    const EntryPtr unwritten = local_.unwritten(record.id);
    if (unwritten && unwritten->version >= entry.version) entry = *unwritten;
  }
  if (entry.version.is_zero() || entry.kind != EntryKind::document) {
    filed_.push_back({record.kind, record.id, record.entry.version, record.entry.clocks});
    return;
  }
  merge_clocks(&entry, record.entry.clocks, record.entry.metadata,
               entry.version == record.entry.version);
  add(record, std::move(entry));
}

void RecoveredWrites::add(const Record& record, Entry entry) {
  batch_bytes_ += entry.document ? entry.document->size() : 0;
  batch_.insert_or_assign(record.id, std::move(entry));
  waiting_.push_back({record.kind, record.id, record.entry.version, record.entry.clocks});
  if (batch_.size() >= kFilesAtOnce || batch_bytes_ >= kBatchBytes) write_files();
}

void RecoveredWrites::write_files() {
  std::vector<std::pair<EntryId, EntryPtr>> entries;
  for (auto& [id, entry] : batch_) {
    entries.emplace_back(id, std::make_shared<const Entry>(std::move(entry)));
  }
  batch_.clear();
  batch_bytes_ = 0;
  const std::vector<FileWriteResult> results = write_in_turn(entries);
  std::set<EntryId> unwritten;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (results[i].is_there()) continue;
    runtime_.marks.file_writes.failed(without_key(results[i].io.what, entries[i].first));
    // Other processes wait for it as for a write of our own.
    const EntryId& id = entries[i].first;
    local_.write_order().begin(shared_hash(id.dataset, id.key));
    local_.keep_unwritten(id, entries[i].second);
    unwritten.insert(entries[i].first);
  }
  for (Filed& filed : waiting_) {
    if (unwritten.contains(filed.id)) continue;
    forget_in_memory(filed);
    filed_.push_back(std::move(filed));
  }
  waiting_.clear();
}

// Other processes hold a key's lock for a moment only, so it is waited for here.
std::vector<FileWriteResult> RecoveredWrites::write_in_turn(
    const std::vector<std::pair<EntryId, EntryPtr>>& entries) {
  constexpr auto kAnew = EntryFiles::Sync::anew;
  std::vector<FileWriteResult> results = local_.files().write_synced(entries, kAnew);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    for (int tries = 0; results[i].status == FileWriteResult::Status::busy && tries < kTurnTries;
         ++tries) {
      runtime_.pause(kTurnPause);
      results[i] = local_.files().write(entries[i].first, *entries[i].second, kAnew);
    }
  }
  return results;
}

// The file is the newest there is now, so memory must not go on serving what it has.
void RecoveredWrites::forget_in_memory(const Filed& filed) {
  if (filed.kind != RecordKind::erase_matching) {
    return local_.forget_in_memory(filed.id, filed.version);
  }
  const DatasetState* dataset = runtime_.datasets.find(filed.id.dataset);
  if (dataset == nullptr) return;
  local_.memory().remove_matching(dataset->number, filed.version, [&](std::string_view key) {
    return glob_matches(filed.id.key, key);
  });
}

bool RecoveredWrites::finish() {
  write_files();
  for (const Filed& filed : filed_) {
    if (filed.kind == RecordKind::erase_matching) {
      local_.journal().files_erased(filed.id, filed.version);
    } else {
      local_.journal().file_written(filed.id, filed.version, filed.clocks);
    }
  }
  if (!filed_.empty()) file_writer_.sync();
  filed_.clear();
  return any_;
}

}  // namespace tiercache::detail
