// An open-file-description lock belongs to the open file, and a forked child shares all open files
// of its parent. So the lock of a parent that was killed would live on for as long as any child
// does, and nobody would take over what the parent has left. Therefore every lock of the process is
// on a list, and the child closes the descriptors on it before `fork` returns there.
//
// One mutex keeps the list, and `fork` holds it while the child is made:
//
//     try_lock, in some thread              fork, in another
//     count the forks, under the mutex
//     open the file
//                                           take the mutex, count this fork, make the child
//                                           child: close what is on the list; both: leave the mutex
//     take the mutex; one fork more?
//       the child has our descriptor, and it
//       was not on the list: give it up
//     lock the file, put it on the list
//
// So the child keeps no lock that it inherits, and no system call that may take long is made under
// the mutex.
#include "system/posix_lock.h"

#include <pthread.h>

#include <cstdint>
#include <mutex>

#include "system/posix_calls.h"

namespace tiercache {
namespace {

constexpr int kAttempts = 16;

class PosixLock;

// It exists from the start and is never destroyed, since a child may be forked at any time.
struct HeldLocks {
  std::mutex mutex;
  std::uint64_t forks = 0;  // how many have begun so far
  PosixLock* first = nullptr;
};
HeldLocks held;

class PosixLock final : public FileLock {
 public:
  PosixLock() = default;
  ~PosixLock() override {
    const std::lock_guard lock(held.mutex);
    if (fd_ >= 0) let_go();
  }

  // Called under the mutex. Returns 0 or an errno value.
  int take(Descriptor* fd, short type) {
    struct flock range {};
    range.l_type = type;
    range.l_whence = SEEK_SET;
    if (uninterrupted([&] { return ::fcntl(fd->get(), F_OFD_SETLK, &range); }) != 0) return errno;
    fd_ = fd->release();
    next_ = held.first;
    if (next_ != nullptr) next_->before_ = this;
    held.first = this;
    return 0;
  }

  // Called in a forked child, whose only thread this is. It must neither allocate nor free memory,
  // since another thread of the parent may have been inside the allocator.
  static void close_all() {
    for (PosixLock* lock = held.first; lock != nullptr; lock = lock->next_) {
      ::close(lock->fd_);
      lock->fd_ = -1;
    }
    held.first = nullptr;
  }

 private:
  // Unlocks before it closes, because a program that is just being started may have the descriptor
  // a moment longer.
  void let_go() {
    (before_ == nullptr ? held.first : before_->next_) = next_;
    if (next_ != nullptr) next_->before_ = before_;
    struct flock range {};
    range.l_type = F_UNLCK;
    range.l_whence = SEEK_SET;
    ::fcntl(fd_, F_OFD_SETLK, &range);
    ::close(fd_);
  }

  int fd_ = -1;  // below 0 when this lock is not on the list
  PosixLock* before_ = nullptr;
  PosixLock* next_ = nullptr;
};

const int fork_watch = ::pthread_atfork(
    [] {
      held.mutex.lock();
      ++held.forks;
    },
    [] { held.mutex.unlock(); },
    [] {
      PosixLock::close_all();
      held.mutex.unlock();
    });

std::uint64_t forks_begun() {
  const std::lock_guard lock(held.mutex);
  return held.forks;
}

// Returns EINTR if a child was forked since `forks` was read.
int lock_file(Descriptor* fd, short type, std::uint64_t forks, PosixLock* lock) {
  const std::lock_guard guard(held.mutex);
  if (held.forks != forks) return EINTR;
  const int error = lock->take(fd, type);
  return error == EACCES ? EAGAIN : error;
}

// Opens the file for locking. `*type` becomes the lock that the descriptor can take; on a disk
// mounted read-only nobody can open more than a reader's.
Descriptor open_to_lock(const std::string& path, short* type) {
  *type = F_WRLCK;
  Descriptor fd = Descriptor::open(path, O_RDWR | O_CREAT | O_NONBLOCK);
  if (fd || errno != EROFS) return fd;
  *type = F_RDLCK;
  Descriptor for_reading = Descriptor::open(path, O_RDONLY | O_NONBLOCK);
  if (!for_reading && errno == ENOENT) errno = EROFS;
  return for_reading;
}

}  // namespace

// Somebody may remove the file between our open and our lock; the lock would then be on a file that
// nobody else can find. So the name is looked up again under the lock.
IoStatus try_posix_lock(const std::string& path, std::unique_ptr<FileLock>* out) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto lock = std::make_unique<PosixLock>();
    const std::uint64_t forks = forks_begun();
    short type = F_WRLCK;
    Descriptor fd = open_to_lock(path, &type);
    if (!fd) return last_failure("open", path);
    struct stat ours {};
    if (::fstat(fd.get(), &ours) != 0) return last_failure("fstat", path);
    const int error = lock_file(&fd, type, forks, lock.get());
    if (error == EINTR) continue;
    if (error != 0) return failure(error, "lock", path);
    struct stat named {};
    if (::stat(path.c_str(), &named) == 0 && same_file(ours, named)) {
      *out = std::move(lock);
      return {};
    }
  }
  return failure(EAGAIN, "lock", path);
}

}  // namespace tiercache
