#include "files/directory/workspace.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <functional>
#include <optional>
#include <utility>

#include "base/same_file.h"

namespace tiercache {
namespace {

constexpr std::uint64_t kMaxSlots = 4096;
constexpr int kNamesTried = 1'000;
constexpr std::string_view kLockPrefix = "open-";
// How much of a quarantined file's former path its new name keeps. With the number and the slot
// before it the name stays below the 255 bytes that file systems allow.
constexpr std::size_t kMaxNameKept = 200;

std::optional<std::uint64_t> slot_of(std::string_view lock_name) {
  if (!lock_name.starts_with(kLockPrefix)) return std::nullopt;
  lock_name.remove_prefix(kLockPrefix.size());
  std::uint64_t slot = 0;
  const char* end = lock_name.data() + lock_name.size();
  const auto [stop, error] = std::from_chars(lock_name.data(), end, slot);
  if (error != std::errc() || stop != end) return std::nullopt;
  return slot;
}

std::string flattened(std::string path) {
  std::replace(path.begin(), path.end(), '/', '=');
  return path.size() <= kMaxNameKept ? path : path.substr(path.size() - kMaxNameKept);
}

}  // namespace

Workspace::Workspace(FileSystem& file_system, std::string directory,
                     std::shared_ptr<Quarantine> quarantine)
    : file_system_(file_system),
      directory_(std::move(directory)),
      quarantine_(std::move(quarantine)) {}

IoStatus Workspace::open(bool* alone) {
  IoStatus status = file_system_.make_directories(directory_ + "/locks");
  if (status.ok()) status = take_slot();
  if (status.ok()) status = file_system_.remove_tree(temp_directory(slot_));
  if (status.ok()) status = file_system_.make_directories(temp_directory(slot_));
  if (status.ok()) status = look_around(alone);
  if (!status.ok()) lock_.reset();
  open_ = status.ok();
  return status;
}

bool Workspace::stands() const {
  return is_open() && still_leads_to(file_system_, lock_path(slot_), lock_identity_);
}

void Workspace::leave() {
  open_ = false;
  lock_.reset();
}

IoStatus Workspace::take_slot() {
  IoStatus status;
  for (std::uint64_t slot = 0; slot < kMaxSlots; ++slot) {
    status = file_system_.try_lock(lock_path(slot), &lock_);
    if (status.error == EAGAIN) continue;
    slot_ = slot;
    lock_identity_ = status.ok() ? identity_of(file_system_, lock_path(slot)) : 0;
    return status;
  }
  return status;
}

IoStatus Workspace::look_around(bool* alone) {
  *alone = true;
  std::vector<DirectoryItem> items;
  IoStatus status = file_system_.list(directory_ + "/locks", &items);
  for (const DirectoryItem& item : items) {
    const std::optional<std::uint64_t> slot = slot_of(item.name);
    if (!slot || *slot == slot_) continue;
    std::unique_ptr<FileLock> of_the_dead;
    const IoStatus taken = file_system_.try_lock(lock_path(*slot), &of_the_dead);
    // A cache that cannot be shown to be dead counts as living.
    if (taken.ok()) {
      file_system_.remove_tree(temp_directory(*slot));
    } else {
      *alone = false;
    }
  }
  return status;
}

bool Workspace::while_dead(std::uint64_t slot, const std::function<void()>& act) {
  std::unique_ptr<FileLock> of_the_dead;
  if (slot == slot_ || !file_system_.try_lock(lock_path(slot), &of_the_dead).ok()) return false;
  act();
  return true;
}

void Workspace::close() {
  Lock lock(mutex_);
  for (const std::string& temp : undiscarded_) file_system_.remove_file(temp);
  undiscarded_.clear();
}

// The sync goes through the descriptor that wrote the bytes: one that is opened later might not be
// told of a failed write-back.
IoStatus Workspace::stage(std::string_view bytes, Durability durability, std::string* temp) {
  std::unique_ptr<File> file;
  IoStatus status = begin(temp, &file);
  if (!status.ok()) return status;
  status = file->write_at(0, bytes);
  if (status.ok() && durability == Durability::synced) status = file->sync_data();
  if (!status.ok()) discard(*temp);
  return status;
}

IoStatus Workspace::begin(std::string* temp, std::unique_ptr<File>* file) {
  IoStatus status = make_temp(temp, file);
  // Somebody has tidied up `tmp`, which is not ours alone.
  if (status.absent() && stands()) {
    status = file_system_.make_directories(temp_directory(slot_));
    if (status.ok()) status = make_temp(temp, file);
  }
  if (!status.ok()) temp->clear();
  return status;
}

// Names that exist already are passed over. If the directory was deleted and made again, another
// process may have this slot number by now, and nobody may write into another's files.
IoStatus Workspace::make_temp(std::string* temp, std::unique_ptr<File>* file) {
  IoStatus status = {EEXIST, {}};
  for (int tries = 0; status.error == EEXIST && tries < kNamesTried; ++tries) {
    *temp = temp_directory(slot_) + "/" + std::to_string(++last_temp_);
    status = file_system_.open(*temp, OpenMode::create, file);
  }
  return status;
}

void Workspace::discard(const std::string& temp) {
  const auto stays = [&](const std::string& path) {
    const IoStatus removed = file_system_.remove_file(path);
    return !removed.ok() && !removed.absent();
  };
  const bool stayed = stays(temp);
  Lock lock(mutex_);
  if (!undiscarded_.empty() && !stayed) std::erase_if(undiscarded_, std::not_fn(stays));
  if (stayed) undiscarded_.push_back(temp);
}

IoStatus Workspace::quarantine(const std::string& path, const std::string& relative_path) {
  return quarantine_->move_in(path, std::to_string(slot_) + "-" + flattened(relative_path));
}

std::string Workspace::lock_path(std::uint64_t slot) const {
  return directory_ + "/locks/" + std::string(kLockPrefix) + std::to_string(slot);
}

std::string Workspace::temp_directory(std::uint64_t slot) const {
  return directory_ + "/tmp/" + std::to_string(slot);
}

}  // namespace tiercache
