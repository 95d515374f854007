#include "files/entry_folder.h"

#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/hex.h"
#include "base/parent_path.h"
#include "base/thread_kept.h"
#include "json/envelope.h"

namespace tiercache {
namespace {

// Most headers fit into this, which is one page of the page cache.
constexpr std::size_t kUsualHeaderBytes = 4096;
// A thread keeps its read buffer from one file to the next, but gives it back once a large file has
// made it larger than this.
constexpr std::size_t kMaxKeptBuffer = 1 << 20;
// Above so many directories one syncfs is cheaper than a sync of each.
constexpr std::size_t kManyDirectories = 16;
constexpr std::string_view kEmptyKeyFile = "@.json";

FileState unreadable(IoStatus io) {
  FileState state;
  state.status = io.absent() ? FileState::Status::absent : FileState::Status::failed;
  state.why = io.what;
  state.io = std::move(io);
  return state;
}

// A buffer that is reused for reading files, so that a read neither allocates nor clears memory.
struct ReadBuffer {
  std::string bytes;

  std::string& get() {
    if (bytes.capacity() > kMaxKeptBuffer) std::string().swap(bytes);
    return bytes;
  }
};

bool is_shard(const std::string& name) {
  return name.size() == 2 && hex_digit(name[0]) >= 0 && hex_digit(name[1]) >= 0;
}

}  // namespace

EntryFolder::EntryFolder(FileSystem& file_system, std::string directory, std::string project,
                         std::size_t max_file_bytes, std::shared_ptr<Quarantine> quarantine)
    : file_system_(file_system),
      directory_(std::move(directory)),
      data_(directory_ + "/data"),
      project_(std::move(project)),
      max_file_bytes_(max_file_bytes),
      workspace_(file_system, directory_, std::move(quarantine)) {}

IoStatus EntryFolder::open(bool* alone) {
  IoStatus status = workspace_.open(alone);
  return status.ok() ? file_system_.make_directories(data_) : status;
}

bool EntryFolder::stands() const {
  FileInfo info;
  return workspace_.stands() && !file_system_.info(data_, &info).absent();
}

FileState EntryFolder::read(const std::string& path, const EntryId* asked) const {
  ThreadKept<ReadBuffer> buffer;
  std::string& bytes = buffer->get();
  IoStatus io = file_system_.read_file(full(path), max_file_bytes_, &bytes);
  if (!io.ok()) return unreadable(std::move(io));
  Envelope envelope;
  const EnvelopeResult result = decode_envelope(bytes, &envelope);
  return judge(result, envelope, path, asked);
}

FileState EntryFolder::read_header(const std::string& path, const EntryId* asked) const {
  ThreadKept<ReadBuffer> buffer;
  std::string& bytes = buffer->get();
  IoStatus io = read_front(path, kUsualHeaderBytes, &bytes);
  const bool longer =
      io.ok() && bytes.size() == kUsualHeaderBytes && bytes.find('\n') == std::string::npos;
  if (longer) io = read_front(path, kMaxHeaderBytes, &bytes);
  if (!io.ok()) return unreadable(std::move(io));
  Envelope envelope;
  const EnvelopeResult result = decode_envelope_header(bytes, &envelope);
  return judge(result, envelope, path, asked);
}

FileState EntryFolder::judge(const EnvelopeResult& result, Envelope& envelope,
                             const std::string& path, const EntryId* asked) const {
  FileState state;
  state.why = result.why;
  if (result.fault == EnvelopeFault::other_format) {
    state.status = FileState::Status::other_format;
  } else if (!result.ok()) {
    state.status = FileState::Status::damaged;
  } else if (envelope.project != project_ ||
             !(asked != nullptr ? envelope.id == *asked : entry_path(envelope.id) == path)) {
    state.status = FileState::Status::misplaced;
    state.why = "the file holds an entry of another key or project";
  } else {
    state.status = FileState::Status::sound;
    state.size = envelope.size;
    state.id = std::move(envelope.id);
    state.entry = std::make_shared<const Entry>(std::move(envelope.entry));
  }
  return state;
}

IoStatus EntryFolder::read_front(const std::string& path, std::size_t size,
                                 std::string* out) const {
  std::unique_ptr<File> file;
  IoStatus status = file_system_.open(full(path), OpenMode::read, &file);
  return status.ok() ? file->read_at(0, size, out) : status;
}

IoStatus EntryFolder::in_turn(const std::string& path, const std::function<void()>& act) {
  const std::size_t stripe = hash64(path) % kStripes;
  std::string lock_path = directory_ + "/locks/";
  append_hex8(static_cast<std::uint8_t>(stripe), &lock_path);
  Lock lock(stripes_[stripe]);
  std::unique_ptr<FileLock> system_lock;
  IoStatus status = file_system_.try_lock(lock_path, &system_lock);
  if (status.ok()) act();
  return status;
}

IoStatus EntryFolder::quarantine(const std::string& path, const FileState& state) {
  IoStatus status = workspace_.quarantine(full(path), path);
  if (status.ok()) ++(state.status == FileState::Status::damaged ? damaged_ : misplaced_);
  return status;
}

// Called before anybody is told of the change, so that a sync which is asked for because of it
// includes the path.
void EntryFolder::changed(const std::string& path) {
  if (syncs_together()) return;
  Lock lock(mutex_);
  changed_.insert(path);
}

IoStatus EntryFolder::place(const std::string& temp, const std::string& path) {
  if (can_exchange_.load(std::memory_order_relaxed)) {
    IoStatus status = file_system_.exchange(temp, full(path));
    if (status.ok()) {
      changed(path);
      workspace_.discard(temp);
      return status;
    }
    if (status.error == ENOTSUP || status.error == EINVAL) {
      can_exchange_.store(false, std::memory_order_relaxed);
    } else if (!status.absent()) {
      workspace_.discard(temp);
      return status;
    }
  }
  IoStatus status = rename(temp, path);
  status.ok() ? changed(path) : workspace_.discard(temp);
  return status;
}

IoStatus EntryFolder::rename(const std::string& temp, const std::string& path) {
  IoStatus status = file_system_.rename(temp, full(path));
  // `data/` itself is not made anew here: what is lost with it has to be noticed.
  if (!status.absent() || !stands()) return status;
  const std::string folder = parent_of(path);
  {
    Lock lock(mutex_);
    rooted_.erase(folder);
  }
  status = file_system_.make_directories(full(folder));
  return status.ok() ? file_system_.rename(temp, full(path)) : status;
}

IoStatus EntryFolder::remove(const std::string& path) {
  IoStatus status = file_system_.remove_file(full(path));
  if (status.ok()) changed(path);
  return status;
}

void EntryFolder::look_at_disk() {
  bool remote = false;
  one_by_one_ = file_system_.is_remote(directory_, &remote).ok() && remote;
}

IoStatus EntryFolder::sync_names(const std::set<std::string>& paths) {
  std::set<std::string> folders;
  std::set<std::string> parents;
  for (const std::string& path : paths) {
    const std::string folder = parent_of(path);
    if (!folders.insert(full(folder)).second) continue;
    Lock lock(mutex_);
    if (rooted_.contains(folder)) continue;
    for (std::string above = full(folder); above != directory_;) {
      above = parent_of(above);
      parents.insert(above);
    }
  }
  IoStatus status;
  if (syncs_together() && folders.size() + parents.size() > kManyDirectories) {
    status = sync_all();
  } else {
    folders.merge(parents);
    for (auto folder = folders.rbegin(); status.ok() && folder != folders.rend(); ++folder) {
      status = file_system_.sync_directory(*folder);
    }
  }
  Lock lock(mutex_);
  if (status.ok()) {
    for (const std::string& path : paths) rooted_.insert(parent_of(path));
  }
  return status;
}

void EntryFolder::leave() {
  workspace_.leave();
  Lock lock(mutex_);
  rooted_.clear();
  changed_.clear();
}

IoStatus EntryFolder::sync_all() {
  IoStatus status = syncs_together() ? file_system_.sync_all(directory_) : sync_each();
  // Another disk has been mounted there since `look_at_disk`.
  if (status.error == ENOTSUP) one_by_one_ = true;
  if (!status.ok()) ++failed_syncs_;
  return status;
}

// After a failure the files are not known to be lost, but they are in doubt, so they stay on the
// list for the next sync.
IoStatus EntryFolder::sync_each() {
  std::set<std::string> paths;
  {
    Lock lock(mutex_);
    paths.swap(changed_);
  }
  IoStatus status;
  for (auto path = paths.begin(); status.ok() && path != paths.end(); ++path) {
    status = file_system_.sync_file(full(*path));
    // A file that was removed needs only the sync of its directory, below.
    if (status.absent()) status = {};
  }
  if (status.ok()) status = sync_names(paths);
  if (status.ok()) return status;
  Lock lock(mutex_);
  changed_.merge(paths);
  return status;
}

IoStatus EntryFolder::walk(const std::function<void(FoundFile)>& visit) const {
  std::vector<DirectoryItem> datasets;
  IoStatus status = file_system_.list(data_, &datasets);
  if (status.absent()) return {};
  for (std::size_t i = 0; status.ok() && i < datasets.size(); ++i) {
    if (!datasets[i].directory) continue;
    std::vector<DirectoryItem> items;
    status = file_system_.list(full(datasets[i].name), &items);
    for (std::size_t j = 0; status.ok() && j < items.size(); ++j) {
      const std::string below = datasets[i].name + "/" + items[j].name;
      if (items[j].directory && is_shard(items[j].name)) status = walk_shard(below, visit);
      if (items[j].directory || items[j].name != kEmptyKeyFile) continue;
      FoundFile file{below, {}};
      if (!file_system_.info(full(below), &file.info).absent()) visit(std::move(file));
    }
  }
  return status;
}

IoStatus EntryFolder::walk_shard(const std::string& shard,
                                 const std::function<void(FoundFile)>& visit) const {
  std::vector<ListedFile> files;
  IoStatus status = file_system_.list_files(full(shard), &files);
  if (!status.ok()) return status;
  for (const ListedFile& file : files) {
    if (file.name.ends_with(kEntrySuffix)) visit({shard + "/" + file.name, file.info});
  }
  return status;
}

IoStatus EntryFolder::walk_names(const std::string& dataset,
                                 const std::function<void(const std::string& path)>& visit) const {
  const std::string empty_key = entry_path({dataset, {}});
  const std::string folder = empty_key.substr(0, empty_key.rfind('/'));
  std::vector<DirectoryItem> items;
  IoStatus status = file_system_.list(full(folder), &items);
  if (status.absent()) return {};
  for (std::size_t i = 0; status.ok() && i < items.size(); ++i) {
    const std::string below = folder + "/" + items[i].name;
    if (items[i].directory && is_shard(items[i].name)) {
      std::vector<DirectoryItem> files;
      status = file_system_.list(full(below), &files);
      for (const DirectoryItem& file : files) {
        if (file.name.ends_with(kEntrySuffix)) visit(below + "/" + file.name);
      }
    } else if (below == empty_key) {
      visit(below);
    }
  }
  return status;
}

void EntryFolder::will_read(const std::vector<FoundFile>& files) const {
  std::vector<std::string> paths;
  for (const FoundFile& file : files) paths.push_back(full(file.path));
  file_system_.will_read(paths, kUsualHeaderBytes);
}

FilePrint EntryFolder::print(const std::string& path) const {
  FileInfo info;
  return file_system_.info(full(path), &info).ok() ? print_of(path, info) : 0;
}

FileTime EntryFolder::file_time() {
  std::string temp;
  FileInfo info;
  if (!workspace_.is_open()) return 0;
  if (!workspace_.stage({}, Workspace::Durability::unsynced, &temp).ok()) return 0;
  const IoStatus status = file_system_.info(temp, &info);
  workspace_.discard(temp);
  return status.ok() ? info.modified_ns : 0;
}

QuarantineCounts EntryFolder::quarantine_counts() const {
  return {damaged_.load(), misplaced_.load()};
}

}  // namespace tiercache
