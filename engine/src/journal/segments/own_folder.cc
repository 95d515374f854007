#include "journal/segments/own_folder.h"

#include <cerrno>
#include <utility>

#include "base/disk_refusal.h"
#include "base/parent_path.h"
#include "base/same_file.h"

namespace tiercache {
namespace {

// How many names are tried for the folder before it is given up.
constexpr int kNamesTried = 8;

}  // namespace

OwnFolder::OwnFolder(FileSystem& file_system, std::string directory, std::string name)
    : file_system_(file_system), directory_(std::move(directory)), name_(std::move(name)) {}

// --- What is asked of it ---

std::shared_ptr<JournalFolder> OwnFolder::get() const {
  Lock lock(mutex_);
  return folder_;
}

IoStatus OwnFolder::away() const {
  Lock lock(mutex_);
  return away_;
}

bool OwnFolder::is_there() const {
  Lock lock(mutex_);
  return folder_ && away_.ok();
}

IoStatus OwnFolder::refusal() const {
  Lock lock(mutex_);
  return restoring_ ? IoStatus{ENOENT, "the journal's folder was deleted"} : away_;
}

void OwnFolder::close() {
  std::shared_ptr<JournalFolder> closed;
  Lock lock(mutex_);
  closed.swap(folder_);
}

bool OwnFolder::begin_restoring() {
  Lock lock(mutex_);
  if (!folder_) return false;
  restoring_ = true;
  return true;
}

void OwnFolder::end_restoring(bool whole) {
  Lock lock(mutex_);
  restoring_ = !whole;
}

bool OwnFolder::is_restoring() const {
  Lock lock(mutex_);
  return restoring_;
}

// --- Making it ---

IoStatus OwnFolder::make(std::shared_ptr<JournalFolder>* out) {
  IoStatus status;
  for (int tries = 0; tries < kNamesTried; ++tries) {
    // A name is not used again, since whoever deleted the folder may still be at it.
    const int number = names_used_++;
    auto made = std::make_shared<JournalFolder>();
    made->own = true;
    made->path = directory_ + "/" + name_;
    if (number != 0) made->path.append("-").append(std::to_string(number));
    FileInfo info;
    if (file_system_.info(made->path, &info).ok()) continue;
    status = file_system_.make_directories(made->path);
    if (!status.ok()) return status;
    status = take_lock(made.get());
    // Another process may adopt the folder in the instant before it is locked.
    if (status.error == EAGAIN || status.absent()) continue;
    if (!status.ok()) {
      file_system_.remove_tree(made->path);  // it may have taken the last inode of a full disk
      return status;
    }
    *out = std::move(made);
    return {};
  }
  return status.ok() ? IoStatus{EEXIST, "journal folder " + name_ + " exists already"} : status;
}

IoStatus OwnFolder::take_lock(JournalFolder* made) {
  IoStatus status = file_system_.try_lock(owner_path(*made), &made->lock);
  if (!status.ok()) return status;
  made->owner_identity = identity_of(file_system_, owner_path(*made));
  status = file_system_.sync_directory(made->path);
  if (status.ok()) status = file_system_.sync_directory(directory_);
  if (status.ok()) status = file_system_.sync_directory(parent_of(directory_));
  return status;
}

std::shared_ptr<JournalFolder> OwnFolder::make_stand_in() const {
  auto missing = std::make_shared<JournalFolder>();
  missing->path = directory_ + "/" + name_;
  missing->own = true;
  missing->deleted = true;
  return missing;
}

IoStatus OwnFolder::open() {
  std::shared_ptr<JournalFolder> made;
  const IoStatus status = make(&made);
  if (!status.ok() && !refuses_for_now(status.error)) return status;
  Lock lock(mutex_);
  folder_ = status.ok() ? std::move(made) : make_stand_in();
  away_ = status;
  return {};
}

IoStatus OwnFolder::come_back() {
  std::shared_ptr<JournalFolder> made;
  const IoStatus status = make(&made);
  Lock lock(mutex_);
  away_ = status;
  if (folder_ && status.ok()) folder_.swap(made);
  return status;
}

IoStatus OwnFolder::replace() {
  std::shared_ptr<JournalFolder> made;
  const IoStatus status = make(&made);
  if (!status.ok()) return status;
  Lock lock(mutex_);
  if (!folder_) return {EBADF, "the journal is closed"};
  folder_.swap(made);
  away_ = {};
  return {};
}

}  // namespace tiercache
