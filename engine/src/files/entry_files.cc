#include "files/entry_files.h"

#include <atomic>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "files/entry_folder.h"
#include "json/envelope.h"

namespace tiercache {
namespace {

using ReadStatus = FileReadResult::Status;
using WriteStatus = FileWriteResult::Status;
using Durability = Workspace::Durability;

constexpr Version kAnyVersion = {std::numeric_limits<std::uint64_t>::max(),
                                 std::numeric_limits<std::uint32_t>::max()};
constexpr std::size_t kMaxIndexBytes = std::size_t{1} << 31;

FileWriteResult failed(int error, std::string what) {
  return {WriteStatus::failed, nullptr, {error, std::move(what)}};
}

FileWriteResult outcome(IoStatus io) {
  if (io.ok()) return {};
  const WriteStatus status = io.error == EAGAIN ? WriteStatus::busy : WriteStatus::failed;
  return {status, nullptr, std::move(io)};
}

IndexItem index_item(const Entry& entry, std::uint64_t size) {
  return {entry.kind, entry.version, entry.checksum, size, entry.clocks};
}

std::uint64_t size_of(const Entry& entry) {
  return entry.document ? entry.document->size() : 0;
}

// Such an entry moves clocks alone.
bool lacks_document(const Entry& entry) {
  return entry.kind == EntryKind::document && !entry.document;
}

bool same_entry(const Entry& a, const Entry& b) {
  return a.kind == b.kind && a.version == b.version && a.checksum == b.checksum &&
         a.clocks == b.clocks && a.metadata == b.metadata && a.cache_version == b.cache_version &&
         a.fresh_for == b.fresh_for;
}

// Two states of one version: the one fetched later says what the metadata is, clocks take the
// later.
Entry merged(const Entry& entry, const Entry& there) {
  Entry out = entry.clocks.last_fetch >= there.clocks.last_fetch ? entry : there;
  const bool complete = entry.document || entry.kind == EntryKind::tombstone;
  const Entry& content = complete ? entry : there;
  out.kind = content.kind;
  out.checksum = content.checksum;
  out.document = content.document;
  out.clocks = entry.clocks;
  out.clocks.merge(there.clocks);
  if (out.metadata.empty()) out.metadata = "{}";
  return out;
}

// A file written before its turn, and what is in it.
struct Staged {
  Entry entry;
  std::string temp;  // empty: there is none, or it was used
};

}  // namespace

struct EntryFiles::Impl {
  Impl(FileSystem& fs, std::string root, std::string project_name, std::size_t max_bytes)
      : file_system(fs),
        directory(std::move(root)),
        project(std::move(project_name)),
        max_file_bytes(max_bytes),
        folder(fs, directory, project, max_bytes) {}

  FileSystem& file_system;
  const std::string directory;
  const std::string project;
  const std::size_t max_file_bytes;
  EntryFolder folder;
  Index index;
  std::atomic<bool> writable{false};

  std::string index_path() const { return directory + "/index"; }
  std::string shared_path() const { return directory + "/index.shared"; }

  bool load_index();
  IoStatus rebuild_index();
  void take_into_index(const std::string& path);
  IoStatus leave_index();
  IoStatus write_index();
  void settle(const std::string& path, const EntryId* id);

  void know(const EntryId& id, const Entry& entry, std::uint64_t size);
  FileState standing(const EntryId& id, const std::string& path, Version compared_with);
  IoStatus stage(const EntryId& id, const Entry& entry, Durability durability, std::string* temp);
  IoStatus prepare(const EntryId& id, const Entry& entry, Staged* staged);
  FileWriteResult take_turn(const EntryId& id, const Entry& entry, Sync sync, Staged* staged);
  FileWriteResult apply(const EntryId& id, const Entry& entry, Sync sync, Staged* staged);
  FileWriteResult apply_to_known(const EntryId& id, const std::string& path, const Entry& entry,
                                 const FileState& there, Sync sync, Staged* staged);
  FileWriteResult replace(const EntryId& id, const std::string& path, const Entry& entry,
                          Durability durability, Staged* staged);
  FileWriteResult rewrite(const EntryId& id, const Entry* entry);
  FileWriteResult remove(const EntryId& id, Version up_to);
  bool refuses(FileWriteResult* result) const;
};

// ---- opening and closing

bool EntryFiles::Impl::load_index() {
  std::string bytes;
  return file_system.read_file(index_path(), kMaxIndexBytes, &bytes).ok() && index.decode(bytes);
}

IoStatus EntryFiles::Impl::rebuild_index() {
  return folder.walk([&](const std::string& path) { take_into_index(path); });
}

void EntryFiles::Impl::take_into_index(const std::string& path) {
  const FileState state = folder.read_header(path, nullptr);
  if (state.status == FileState::Status::sound) {
    index.put(state.id, index_item(*state.entry, state.size));
  } else if (state.corrupt()) {
    settle(path, nullptr);
  }
}

// An index tells of files that are synced, and only when no other cache can have written some.
IoStatus EntryFiles::Impl::leave_index() {
  bool alone = false;
  IoStatus status = folder.workspace().look_around(&alone);
  if (!status.ok() || !alone) return status;
  FileInfo shared;
  status = file_system.info(shared_path(), &shared);
  if (status.ok()) return file_system.remove_file(shared_path());
  if (!status.absent()) return status;
  status = folder.sync_all();
  if (status.ok()) status = write_index();
  if (status.ok()) status = folder.workspace().look_around(&alone);
  if (!status.ok() || !alone) file_system.remove_file(index_path());
  return status;
}

IoStatus EntryFiles::Impl::write_index() {
  std::string temp;
  IoStatus status = folder.workspace().stage(index.encode(), Durability::synced, &temp);
  if (!status.ok()) return status;
  status = file_system.rename(temp, index_path());
  if (!status.ok()) {
    folder.workspace().discard(temp);
    return status;
  }
  return file_system.sync_directory(directory);
}

// Looks at a path again in its turn, for a reader found it corrupt, or other than the index has it:
// moves it aside if it still is corrupt, and lets the index know. Left for the next reader where
// another process is at it.
void EntryFiles::Impl::settle(const std::string& path, const EntryId* id) {
  if (!folder.workspace().is_open()) return;
  folder.in_turn(path, [&] {
    const FileState state = folder.read(path, id);
    if (state.corrupt() && !folder.quarantine(path, state).ok()) return;
    const bool gone = state.corrupt() || state.status == FileState::Status::absent;
    if (gone && id != nullptr) index.remove(*id, kAnyVersion);
    if (state.status == FileState::Status::sound) know(state.id, *state.entry, state.size);
  });
}

// In the key's turn the file is the truth, even when the index knew something newer.
void EntryFiles::Impl::know(const EntryId& id, const Entry& entry, std::uint64_t size) {
  const std::optional<IndexItem> known = index.find(id);
  if (known && known->version > entry.version) index.remove(id, kAnyVersion);
  index.put(id, index_item(entry, size));
}

// ---- writing

// What the path holds, in its turn, as far as a write of `compared_with` must know: an older one by
// its header, others verified whole. What is corrupt is moved aside and so absent.
FileState EntryFiles::Impl::standing(const EntryId& id, const std::string& path,
                                     Version compared_with) {
  FileState state = folder.read_header(path, &id);
  if (state.status == FileState::Status::sound && state.entry->version >= compared_with) {
    state = folder.read(path, &id);
  }
  if (!state.corrupt()) return state;
  FileState after;
  after.io = folder.quarantine(path, state);
  if (!after.io.ok()) {
    after.status = FileState::Status::failed;
  } else {
    index.remove(id, kAnyVersion);
  }
  return after;
}

IoStatus EntryFiles::Impl::stage(const EntryId& id, const Entry& entry, Durability durability,
                                 std::string* temp) {
  const std::string bytes = encode_envelope(project, id, entry);
  if (bytes.size() > max_file_bytes) {
    return {EFBIG, "write an entry of " + std::to_string(bytes.size()) + " bytes: files may have " +
                       std::to_string(max_file_bytes)};
  }
  if (bytes.find('\n') >= kMaxHeaderBytes) {
    return {EFBIG, "write an entry whose header is longer than " + std::to_string(kMaxHeaderBytes) +
                       " bytes"};
  }
  return folder.workspace().stage(bytes, durability, temp);
}

// Writes the file that will probably be wanted, without the key's turn; `apply` decides. Nothing to
// do where the file is newer or the same already.
IoStatus EntryFiles::Impl::prepare(const EntryId& id, const Entry& entry, Staged* staged) {
  const std::string path = entry_path(id);
  FileState there = folder.read_header(path, &id);
  staged->entry = entry;
  if (there.status == FileState::Status::sound && there.entry->version >= entry.version) {
    there = folder.read(path, &id);
    if (there.status == FileState::Status::sound) {
      if (there.entry->version > entry.version) return {};
      staged->entry = merged(entry, *there.entry);
      if (same_entry(staged->entry, *there.entry)) return {};
    }
  }
  if (lacks_document(staged->entry)) return {};
  return stage(id, staged->entry, Durability::unsynced, &staged->temp);
}

FileWriteResult EntryFiles::Impl::take_turn(const EntryId& id, const Entry& entry, Sync sync,
                                            Staged* staged) {
  FileWriteResult result;
  IoStatus turn = folder.in_turn(entry_path(id), [&] { result = apply(id, entry, sync, staged); });
  return turn.ok() ? result : outcome(std::move(turn));
}

// Decides in the key's turn what becomes of a write. `staged`, where given, is used if it is what
// is wanted, and all that was there before it is synced.
FileWriteResult EntryFiles::Impl::apply(const EntryId& id, const Entry& entry, Sync sync,
                                        Staged* staged) {
  const std::string path = entry_path(id);
  const FileState there = standing(id, path, entry.version);
  if (there.status == FileState::Status::failed) return {WriteStatus::failed, nullptr, there.io};
  if (there.status == FileState::Status::other_format) {
    return failed(ENOTSUP, "write \"" + path + "\": the file is of a newer format, " + there.why);
  }
  if (there.status == FileState::Status::sound && there.entry->version >= entry.version) {
    return apply_to_known(id, path, entry, there, sync, staged);
  }
  if (lacks_document(entry)) {
    return failed(ENODATA, "move the clocks of \"" + path + "\": this version is not there");
  }
  const Durability durability = sync == Sync::before ? Durability::synced : Durability::unsynced;
  return replace(id, path, entry, durability, staged);
}

// The file is of the write's version or newer.
FileWriteResult EntryFiles::Impl::apply_to_known(const EntryId& id, const std::string& path,
                                                 const Entry& entry, const FileState& there,
                                                 Sync sync, Staged* staged) {
  if (there.entry->version == entry.version) {
    const Entry wanted = merged(entry, *there.entry);
    if (!same_entry(wanted, *there.entry)) {
      return replace(id, path, wanted, Durability::synced, staged);
    }
  }
  know(id, *there.entry, there.size);
  if (there.entry->version > entry.version) return {WriteStatus::newer_there, there.entry, {}};
  const bool sync_it = sync == Sync::before && staged == nullptr;
  return sync_it ? outcome(folder.sync_bytes(path)) : FileWriteResult{};
}

FileWriteResult EntryFiles::Impl::replace(const EntryId& id, const std::string& path,
                                          const Entry& entry, Durability durability,
                                          Staged* staged) {
  std::string temp;
  IoStatus io;
  if (staged != nullptr && !staged->temp.empty() && same_entry(staged->entry, entry)) {
    temp.swap(staged->temp);
  } else {
    io = stage(id, entry, durability, &temp);
  }
  if (io.ok()) io = folder.place(temp, path);
  if (io.ok()) know(id, entry, size_of(entry));
  return outcome(std::move(io));
}

FileWriteResult EntryFiles::Impl::rewrite(const EntryId& id, const Entry* entry) {
  const std::string path = entry_path(id);
  const FileState there = folder.read(path, &id);
  const bool sound = there.status == FileState::Status::sound;
  if (there.status == FileState::Status::failed) return {WriteStatus::failed, nullptr, there.io};
  if (there.status == FileState::Status::other_format) return {};
  if (there.corrupt()) {
    if (IoStatus io = folder.quarantine(path, there); !io.ok()) return outcome(std::move(io));
  }
  if (!sound && entry == nullptr) return {};
  if (!sound || (entry != nullptr && entry->version > there.entry->version)) {
    return replace(id, path, *entry, Durability::unsynced, nullptr);
  }
  return replace(id, path, *there.entry, Durability::unsynced, nullptr);
}

FileWriteResult EntryFiles::Impl::remove(const EntryId& id, Version up_to) {
  const std::string path = entry_path(id);
  FileState there = folder.read_header(path, &id);
  if (there.status == FileState::Status::sound && there.entry->version > up_to) {
    there = folder.read(path, &id);
    if (there.status == FileState::Status::sound) {
      return {WriteStatus::newer_there, there.entry, {}};
    }
  }
  IoStatus io;
  if (there.corrupt()) {
    io = folder.quarantine(path, there);
  } else if (there.status == FileState::Status::sound) {
    io = folder.remove(path);
  } else if (there.status == FileState::Status::other_format) {
    return failed(ENOTSUP, "remove \"" + path + "\": the file is of a newer format, " + there.why);
  } else if (there.status == FileState::Status::failed) {
    io = there.io;
  }
  if (io.ok()) index.remove(id, kAnyVersion);
  return outcome(std::move(io));
}

bool EntryFiles::Impl::refuses(FileWriteResult* result) const {
  if (writable.load()) return false;
  *result = failed(ESHUTDOWN, "write an entry file: the file tier is not open");
  return true;
}

// ---- the class

EntryFiles::EntryFiles(FileSystem& file_system, std::string directory, std::string project,
                       std::size_t max_file_bytes)
    : impl_(std::make_unique<Impl>(file_system, std::move(directory), std::move(project),
                                   max_file_bytes)) {}

EntryFiles::~EntryFiles() = default;

// The slot is taken before the index is read, and the index of a closing cache is written before it
// looks for others: so a new one either finds a whole index, or is seen by the closing one.
IoStatus EntryFiles::open(bool* rebuilt) {
  bool alone = true;
  IoStatus status = impl_->folder.workspace().open(&alone);
  if (status.ok() && !alone) status = impl_->file_system.write_file(impl_->shared_path(), {});
  if (!status.ok()) return status;
  *rebuilt = !impl_->load_index();
  status = impl_->file_system.remove_file(impl_->index_path());
  if (!status.ok() && !status.absent()) return status;
  // The index must not come back by a power loss, when the files will have moved on.
  status = impl_->file_system.sync_directory(impl_->directory);
  if (!status.ok()) return status;
  status = *rebuilt ? impl_->rebuild_index() : IoStatus{};
  impl_->writable = status.ok();
  return status;
}

IoStatus EntryFiles::close() {
  if (!impl_->writable.exchange(false)) return {};
  const IoStatus status = impl_->leave_index();
  impl_->folder.workspace().close();
  return status;
}

FileReadResult EntryFiles::read(const EntryId& id) {
  const std::string path = entry_path(id);
  FileState state = impl_->folder.read(path, &id);
  switch (state.status) {
    case FileState::Status::sound:
      break;
    case FileState::Status::absent:
      if (impl_->index.find(id)) impl_->settle(path, &id);
      return {ReadStatus::absent, nullptr, {}};
    case FileState::Status::damaged:
    case FileState::Status::misplaced:
      impl_->settle(path, &id);
      return {ReadStatus::corrupt, nullptr, std::move(state.why)};
    case FileState::Status::other_format:
      return {ReadStatus::other_format, nullptr, std::move(state.why)};
    case FileState::Status::failed:
      return {ReadStatus::failed, nullptr, std::move(state.why)};
  }
  const IndexItem item = index_item(*state.entry, state.size);
  if (impl_->index.find(id) != item) impl_->settle(path, &id);
  return {ReadStatus::found, std::move(state.entry), {}};
}

FileWriteResult EntryFiles::write(const EntryId& id, const Entry& entry, Sync sync) {
  FileWriteResult result;
  if (impl_->refuses(&result)) return result;
  result = impl_->take_turn(id, entry, sync, nullptr);
  if (sync == Sync::before && result.status == WriteStatus::written) {
    result = outcome(impl_->folder.sync_names({entry_path(id)}));
  }
  return result;
}

std::vector<FileWriteResult> EntryFiles::write_synced(
    std::span<const std::pair<EntryId, EntryPtr>> entries) {
  FileWriteResult refusal;
  if (entries.empty() || impl_->refuses(&refusal)) {
    return std::vector<FileWriteResult>(entries.size(), refusal);
  }
  std::vector<FileWriteResult> results(entries.size());
  std::vector<Staged> staged(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    results[i] = outcome(impl_->prepare(entries[i].first, *entries[i].second, &staged[i]));
  }
  const IoStatus synced = impl_->folder.sync_all();
  std::set<std::string> written;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (results[i].io.ok()) {
      results[i] = synced.ok() ? impl_->take_turn(entries[i].first, *entries[i].second,
                                                  Sync::before, &staged[i])
                               : outcome(synced);
    }
    if (results[i].status == WriteStatus::written) written.insert(entry_path(entries[i].first));
    if (!staged[i].temp.empty()) impl_->folder.workspace().discard(staged[i].temp);
  }
  const IoStatus names = written.empty() ? IoStatus{} : impl_->folder.sync_names(written);
  for (FileWriteResult& result : results) {
    if (!names.ok() && result.status == WriteStatus::written) result = outcome(names);
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

FileWriteResult EntryFiles::remove(const EntryId& id, Version up_to) {
  FileWriteResult result;
  if (impl_->refuses(&result)) return result;
  IoStatus turn = impl_->folder.in_turn(entry_path(id), [&] { result = impl_->remove(id, up_to); });
  return turn.ok() ? result : outcome(std::move(turn));
}

IoStatus EntryFiles::sync() {
  return impl_->folder.sync_all();
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
