#include "files/entry_files.h"

#include <optional>
#include <set>
#include <utility>

#include "base/disk_refusal.h"
#include "files/entry_files_impl.h"

namespace tiercache {
namespace {

using ReadStatus = FileReadResult::Status;
using WriteStatus = FileWriteResult::Status;
using Durability = Workspace::Durability;

}  // namespace

// A reader has found the file corrupt, or other than the index has it. Looks at it again in the
// path's turn: a file that is still corrupt is moved aside, and the index learns what is there.
// Returns false if it is not the path's turn, because another process is changing it or the disk
// refuses the lock. This is then left to the next reader.
bool EntryFiles::Impl::look_again(const std::string& path, const EntryId* id) {
  if (!folder.workspace().is_open()) return false;
  const IoStatus turn = folder.in_turn(path, [&] {
    const FileState state = folder.read(path, id);
    if (state.is_corrupt() && !folder.quarantine(path, state).ok()) return;
    const bool gone = state.is_corrupt() || state.status == FileState::Status::absent;
    if (gone && id != nullptr) index.remove(*id, kAnyVersion);
    if (state.status == FileState::Status::sound) know(state.id, path, *state.entry, state.size);
  });
  return turn.ok();
}

// Whether a missing file means that there is no entry. If the directory was deleted nobody has
// erased the key, and the entry may well exist elsewhere.
bool EntryFiles::Impl::can_miss(const EntryId& id) const {
  return whole && (!index.find(id) || folder.stands());
}

// Called in the key's turn, where the file is the truth even if the index knew of something newer.
void EntryFiles::Impl::know(const EntryId& id, const std::string& path, const Entry& entry,
                            std::uint64_t size) {
  index.put_older(id, index_item(entry, size, folder.print(path)));
}

// --- The public face ---

EntryFiles::EntryFiles(FileSystem& file_system, std::string directory, std::string project,
                       std::size_t max_file_bytes, std::shared_ptr<Quarantine> quarantine,
                       std::shared_ptr<Generations> generations)
    : impl_(std::make_unique<Impl>(
          file_system, directory, std::move(project), max_file_bytes,
          quarantine ? std::move(quarantine)
                     : std::make_shared<Quarantine>(file_system, directory + "/quarantine",
                                                    Quarantine::kDefaultMaxBytes),
          std::move(generations))) {}

EntryFiles::~EntryFiles() = default;

// The slot is taken before the index is read; entry_opening.cc says why. If the disk refuses what a
// writer needs, the files are only read.
IoStatus EntryFiles::open(bool* rebuilt) {
  bool complete = false;
  IoStatus status = impl_->take_slot();
  if (status.ok()) status = impl_->load_index(&complete);
  if (!status.ok()) impl_->folder.leave();
  const bool reads_alone = refuses_for_now(status.error);
  impl_->stay_away(reads_alone ? status : IoStatus{});
  if (reads_alone) {
    complete = impl_->read_index(impl_->index_path(), &impl_->index, nullptr);
    status = {};
  }
  *rebuilt = !complete;
  if (status.ok() && !complete) status = impl_->index_files();
  impl_->writable = status.ok() && !reads_alone;
  return status;
}

IoStatus EntryFiles::away() const {
  Lock lock(impl_->away_mutex);
  return impl_->away;
}

// The index is not cleared: it also knows the writes that have been made meanwhile and wait for
// their files.
IoStatus EntryFiles::come_back() {
  if (away().ok()) return {};
  IoStatus status = impl_->take_slot();
  if (status.ok()) status = impl_->put_index_aside(true);
  if (status.ok()) status = impl_->index_files();
  if (!status.ok()) impl_->folder.leave();
  impl_->stay_away(status);
  impl_->writable = status.ok();
  return status;
}

IoStatus EntryFiles::close() {
  if (!impl_->writable.exchange(false)) return {};
  const IoStatus status = impl_->leave_index();
  impl_->folder.workspace().close();
  return status;
}

bool EntryFiles::stands() const {
  return impl_->writable.load() && impl_->folder.stands();
}

void EntryFiles::leave() {
  impl_->abandon_saving();
  impl_->writable = impl_->whole = false;
  impl_->folder.leave();
}

IoStatus EntryFiles::reopen() {
  leave();
  impl_->index.clear();
  bool rebuilt = false;
  const IoStatus status = open(&rebuilt);
  return status.ok() ? away() : status;
}

void EntryFiles::filled() {
  impl_->whole = true;
}

FileReadResult EntryFiles::read(const EntryId& id) {
  const std::string path = entry_path(id);
  FileState state = impl_->folder.read(path, &id);
  switch (state.status) {
    case FileState::Status::sound:
      break;
    case FileState::Status::absent:
      if (!impl_->can_miss(id)) {
        return {ReadStatus::failed, nullptr, "the directory was deleted or replaced"};
      }
      if (impl_->index.find(id)) impl_->look_again(path, &id);
      return {ReadStatus::absent, nullptr, {}};
    case FileState::Status::damaged:
    case FileState::Status::misplaced:
      impl_->look_again(path, &id);
      return {ReadStatus::corrupt, nullptr, std::move(state.why)};
    case FileState::Status::other_format:
      return {ReadStatus::other_format, nullptr, std::move(state.why)};
    case FileState::Status::failed:
      return {ReadStatus::failed, nullptr, std::move(state.why)};
  }
  const IndexItem item = index_item(*state.entry, state.size);
  // Without a turn the index takes only what is newer: the next write here has to go by it.
  if (impl_->index.find(id) != item && !impl_->look_again(path, &id)) impl_->index.put(id, item);
  return {ReadStatus::found, std::move(state.entry), {}};
}

IoStatus EntryFiles::notice(const EntryId& id) {
  const FileState state = impl_->folder.read_header(entry_path(id), &id);
  if (state.status == FileState::Status::sound) {
    impl_->index.put(id, index_item(*state.entry, state.size));
  }
  if (state.status != FileState::Status::failed) return {};
  FileInfo shared;
  return impl_->file_system.info(impl_->shared_path(), &shared).absent() ? IoStatus{} : state.io;
}

IoStatus EntryFiles::notice_all(const std::string& dataset) {
  FileInfo shared;
  IoStatus status = impl_->file_system.info(impl_->shared_path(), &shared);
  if (!status.ok()) return status.absent() ? IoStatus{} : status;
  IoStatus unread;
  status = impl_->folder.walk_names(dataset, [&](const std::string& path) {
    const auto key = key_of_path(dataset, path);
    if (key && impl_->index.find({dataset, *key})) return;
    if (IoStatus read = impl_->take_into_index(path, 0); !read.ok()) unread = std::move(read);
  });
  return status.ok() ? unread : status;
}

FileWriteResult EntryFiles::write(const EntryId& id, const Entry& entry, Sync sync) {
  FileWriteResult result;
  if (impl_->refuses(&result)) return result;
  result = impl_->take_turn(id, entry, sync, nullptr);
  if (sync != Sync::none && result.status == WriteStatus::done) {
    result = outcome(impl_->folder.sync_names({entry_path(id)}));
  }
  return result;
}

std::vector<FileWriteResult> EntryFiles::write_synced(
    std::span<const std::pair<EntryId, EntryPtr>> entries, Sync sync) {
  FileWriteResult refusal;
  if (entries.empty() || impl_->refuses(&refusal)) {
    return std::vector<FileWriteResult>(entries.size(), refusal);
  }
  std::vector<FileWriteResult> results(entries.size());
  std::vector<Staged> staged(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    results[i] = outcome(impl_->prepare(entries[i].first, *entries[i].second, sync, &staged[i]));
  }
  const IoStatus synced = impl_->folder.syncs_together() ? impl_->folder.sync_all() : IoStatus{};
  std::set<std::string> written;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (results[i].io.ok()) {
      results[i] = synced.ok()
                       ? impl_->take_turn(entries[i].first, *entries[i].second, sync, &staged[i])
                       : outcome(synced);
    }
    if (results[i].status == WriteStatus::done) written.insert(entry_path(entries[i].first));
    if (!staged[i].temp.empty()) impl_->folder.workspace().discard(staged[i].temp);
  }
  const IoStatus names = written.empty() ? IoStatus{} : impl_->folder.sync_names(written);
  for (FileWriteResult& result : results) {
    if (!names.ok() && result.status == WriteStatus::done) result = outcome(names);
  }
  return results;
}

FileWriteResult EntryFiles::rewrite(const EntryId& id, const Entry* entry) {
  FileWriteResult result;
  if (impl_->refuses(&result)) return result;
  IoStatus turn =
      impl_->folder.in_turn(entry_path(id), [&] { result = impl_->rewrite(id, entry); });
  return turn.ok() ? result : outcome(std::move(turn));
}

FileWriteResult EntryFiles::replace(const EntryId& id, Version up_to, const Entry& entry) {
  FileWriteResult result;
  if (impl_->refuses(&result)) return result;
  const std::string path = entry_path(id);
  IoStatus turn = impl_->folder.in_turn(path, [&] {
    const FileState there = impl_->standing(id, path, up_to);
    if (there.status == FileState::Status::failed) {
      result = {WriteStatus::failed, nullptr, there.io};
    } else if (there.status == FileState::Status::other_format) {
      result = failed(ENOTSUP, "replace \"" + path + "\": the file is of a newer format");
    } else if (there.status == FileState::Status::sound && there.entry->version > up_to) {
      result = {WriteStatus::newer_there, there.entry, {}};
    } else {
      result = impl_->replace(id, path, entry, Durability::synced, nullptr);
    }
  });
  if (!turn.ok()) return outcome(std::move(turn));
  if (result.status == WriteStatus::done) {
    result = outcome(impl_->folder.sync_names({path}));
  }
  return result;
}

FileWriteResult EntryFiles::remove(const EntryId& id, Version up_to) {
  FileWriteResult result;
  if (impl_->refuses(&result)) return result;
  IoStatus turn = impl_->folder.in_turn(entry_path(id), [&] { result = impl_->remove(id, up_to); });
  return turn.ok() ? result : outcome(std::move(turn));
}

std::uint64_t EntryFiles::failed_syncs() const {
  return impl_->folder.failed_syncs();
}

IoStatus EntryFiles::sync() {
  const bool due = impl_->is_save_due();
  const FileTime before = due ? impl_->folder.file_time() : 0;
  IoStatus status = impl_->folder.sync_all();
  if (status.ok() && before != 0) impl_->begin_saving(before);
  return status;
}

bool EntryFiles::is_save_due() const {
  return impl_->is_save_due();
}

bool EntryFiles::is_saving() const {
  Lock lock(impl_->saving_mutex);
  return impl_->saving != nullptr;
}

IoStatus EntryFiles::save_index(bool* more) {
  return impl_->go_on_saving(more);
}

std::uint64_t EntryFiles::headers_read() const {
  return impl_->headers_read;
}

std::uint64_t EntryFiles::slot() const {
  return impl_->folder.workspace().slot();
}

bool EntryFiles::while_dead(std::uint64_t slot, const std::function<void()>& act) {
  return impl_->folder.workspace().while_dead(slot, act);
}

Index& EntryFiles::index() {
  return impl_->index;
}
const Index& EntryFiles::index() const {
  return impl_->index;
}

std::uint64_t EntryFiles::quarantined() const {
  const QuarantineCounts counts = quarantine_counts();
  return counts.damaged + counts.misplaced;
}

QuarantineCounts EntryFiles::quarantine_counts() const {
  return impl_->folder.quarantine_counts();
}

}  // namespace tiercache
