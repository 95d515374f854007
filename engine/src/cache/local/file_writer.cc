#include "cache/local/file_writer.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "tiercache/store_rules.h"

namespace tiercache::detail {

namespace {

// How soon a file is tried again while another process holds the key's lock.
constexpr std::chrono::milliseconds kBusyDelay{5};
// How soon after the disk has refused one; doubled with each failure.
constexpr std::chrono::milliseconds kFirstRetry{100};
constexpr std::chrono::milliseconds kLongestRetry{5'000};

}  // namespace

void FileWriter::write_soon(const EntryId& id) {
  Lock lock(mutex_);
  dirty_.insert(id);
  if (failures_ == 0) arm(runtime_.options.files.write_behind);
}

void FileWriter::arm(std::chrono::milliseconds delay) {
  if (armed_ || stopped_) return;
  armed_ = true;
  runtime_.tasks.later(runtime_.after(delay), Lane::disk, [this] { run(); });
}

void FileWriter::arm_sync() {
  if (sync_armed_ || stopped_) return;
  sync_armed_ = true;
  runtime_.tasks.later(runtime_.after(runtime_.options.files.sync_every), Lane::disk,
                       [this] { sync(); });
}

void FileWriter::arm_save() {
  Lock lock(mutex_);
  if (std::exchange(save_armed_, true)) return;
  runtime_.tasks.post_if_alive(Lane::disk, [this] { save_index(); });
}

// The index is saved in parts, so that other work of the disk lane gets its turn in between.
void FileWriter::save_index() {
  {
    Lock lock(mutex_);
    save_armed_ = false;
    if (stopped_) return;
  }
  bool more = false;
  const IoStatus status = local_.files().save_index(&more);
  if (!status.ok()) runtime_.log.warn(LogTopic::files, "the index was not saved: {}", status.what);
  if (more) arm_save();
}

void FileWriter::run() {
  {
    Lock lock(mutex_);
    armed_ = false;
    if (stopped_) return;
  }
  flush();
}

bool FileWriter::flush() {
  if (waiting() > 0 && !local_.stands()) {
    local_.directory_is_gone();
    end_flush(true, {});
    return false;
  }
  bool failed = false;
  std::size_t rounds = waiting() + 1;  // each key once, also while others keep writing
  std::set<EntryId> left;
  for (; rounds > 0; --rounds) {
    std::optional<EntryId> id;
    {
      Lock lock(mutex_);
      if (dirty_.empty()) break;
      id = dirty_.extract(dirty_.begin()).value();
      ++in_progress_;
    }
    const Written written = write_one(*id);
    failed = failed || written == Written::failed;
    Lock lock(mutex_);
    if (written != Written::done) {
      // It may have been written once more since it was left, and then it counts once.
      if (!left.insert(std::move(*id)).second) --in_progress_;
      continue;
    }
    --in_progress_;
    unsynced_ = true;
    written_.insert(std::move(*id));
  }
  const bool all = left.empty();
  end_flush(failed, std::move(left));
  return all;
}

void FileWriter::end_flush(bool failed, std::set<EntryId> left) {
  {
    Lock lock(mutex_);
    failures_ = failed ? failures_ + 1 : 0;
    const int doublings = std::clamp(failures_ - 1, 0, 6);  // past the longest pause
    std::chrono::milliseconds delay = runtime_.options.files.write_behind;
    if (!left.empty()) delay = kBusyDelay;
    if (failed) delay = std::min(kLongestRetry, kFirstRetry * (1 << doublings));
    in_progress_ -= left.size();
    dirty_.merge(left);
    if (!dirty_.empty()) arm(delay);
    if (unsynced_) arm_sync();
  }
  if (!local_.writes_are_filed()) {
    Lock lock(mutex_);
    arm(runtime_.options.files.write_behind);
  }
  runtime_.changed.notify();
}

bool FileWriter::for_each_waiting(const std::function<void(const EntryId&)>& visit) const {
  Lock lock(mutex_);
  for (const EntryId& id : dirty_) visit(id);
  return in_progress_ == 0;
}

FileWriter::Written FileWriter::write_one(const EntryId& id) {
  DatasetState* dataset = runtime_.datasets.find(id.dataset);
  if (dataset == nullptr) return Written::done;
  const KeyRef ref = dataset->ref(id.key);
  const MemoryTier::Found found = local_.memory().peek(ref);
  if (!found.resident || found.resident->kind == ResidentKind::not_found) return Written::done;
  const Entry& entry = found.resident->entry;
  if (gives_way(id, ref, entry) || local_.withdraw_late(id, entry.version)) {
    return Written::done;
  }
  const auto sync = local_.journal().cover_file_write(id, entry.version) ? EntryFiles::Sync::none
                                                                         : EntryFiles::Sync::before;
  const FileWriteResult result = local_.files().write(id, entry, sync);
  switch (result.status) {
    case FileWriteResult::Status::busy:
      return Written::busy;
    case FileWriteResult::Status::failed: {
      runtime_.marks.file_writes.failed(without_key(result.io.what, id));
      Lock lock(mutex_);
      ++failed_writes_;
      return Written::failed;
    }
    case FileWriteResult::Status::newer_there:
      local_.journal().file_written(id, entry.version, entry.clocks);
      if (result.current) local_.take(id, result.current);
      local_.memory().unpin(ref, entry.version);
      return Written::done;
    case FileWriteResult::Status::done:
      runtime_.marks.file_writes.worked();
      local_.journal().file_written(id, entry.version, entry.clocks);
      local_.withdraw_late(id, entry.version);
      if (local_.memory().peek(ref).resident == found.resident) {
        local_.memory().unpin(ref, entry.version);
      }
      return Written::done;
  }
  return Written::done;
}

// A guarded write must not replace what another process has written since. The store would refuse
// it anyway, and by then the other process's write could be gone from this directory (I5).
bool FileWriter::gives_way(const EntryId& id, const KeyRef& ref, const Entry& entry) {
  const std::optional<Guard> guard = local_.journal().guard_of(id, entry.version);
  if (!guard) return false;
  const EntryPtr there = local_.files().read(id).entry;
  if (!there || there->version >= entry.version) return false;
  if (guard_holds(guard->not_newer_than, guard->made_from, there->version)) return false;
  local_.memory().remove(ref, entry.version);
  local_.take(id, there);
  local_.journal().file_written(id, entry.version, entry.clocks);
  return true;
}

void FileWriter::restore_soon(const EntryId& id) {
  const bool journaled = local_.journal().holds(id);
  Lock lock(mutex_);
  if (journaled) suspect_.insert(id);
  dirty_.insert(id);
  unsynced_ = true;
  arm(runtime_.options.files.write_behind);
  arm_sync();
}

void FileWriter::sync_soon() {
  Lock lock(mutex_);
  unsynced_ = true;
  arm_sync();
}

bool FileWriter::sync() {
  {
    Lock lock(mutex_);
    sync_armed_ = false;
  }
  if (!local_.stands()) {
    local_.directory_is_gone();
    return note_failed_sync({ENOENT, "the directory was deleted"}, {});
  }
  local_.erase_files_again();
  std::set<EntryId> written;
  const bool sound = rewrite_suspects(&written);
  {
    Lock lock(mutex_);
    unsynced_ = false;
    written.merge(written_);
    written_.clear();
  }
  const std::uint64_t mark = local_.journal().files_mark();
  const IoStatus status = local_.files().sync();
  if (take_sync_failure() || !sound) return note_failed_sync(status, std::move(written));
  runtime_.marks.file_syncs.worked();
  if (local_.files().is_saving()) arm_save();
  local_.journal().files_synced(mark);
  const IoStatus compacted = local_.journal().compact(Journal::Compact::when_due);
  if (!compacted.ok()) {
    runtime_.log.warn(LogTopic::journal, "journal not compacted: {}", compacted.what);
  }
  local_.files_came_in();
  return true;
}

bool FileWriter::rewrite_suspects(std::set<EntryId>* rewritten) {
  std::set<EntryId> suspects;
  {
    Lock lock(mutex_);
    suspects.swap(suspect_);
  }
  std::set<EntryId> left;
  for (const EntryId& id : suspects) {
    const auto record = local_.journal().live_content(id);
    const bool counts = record && !local_.is_outdated(*record);
    const FileWriteResult result = local_.files().rewrite(id, counts ? &record->entry : nullptr);
    const bool done = result.status == FileWriteResult::Status::done;
    (done ? *rewritten : left).insert(id);
  }
  Lock lock(mutex_);
  suspect_.merge(left);
  return suspect_.empty();
}

bool FileWriter::take_sync_failure() {
  const std::uint64_t failed = local_.files().failed_syncs();
  Lock lock(mutex_);
  return std::exchange(failed_syncs_, failed) != failed;
}

// Files that were written since the last good sync may be incomplete on the disk, even if the next
// sync succeeds: the kernel reports a failed write-back once and then forgets it.
bool FileWriter::note_failed_sync(const IoStatus& status, std::set<EntryId> written) {
  if (!status.ok()) runtime_.marks.file_syncs.failed(status.what);
  Lock lock(mutex_);
  suspect_.merge(written);
  suspect_.merge(written_);  // while that sync ran
  unsynced_ = true;
  arm_sync();
  return false;
}

std::size_t FileWriter::waiting() const {
  Lock lock(mutex_);
  return dirty_.size() + in_progress_;
}

std::uint64_t FileWriter::failed_writes() const {
  Lock lock(mutex_);
  return failed_writes_;
}

void FileWriter::stop() {
  Lock lock(mutex_);
  stopped_ = true;
}

}  // namespace tiercache::detail
