// Locks and the children that a process forks, with real processes: the machine's locks must end
// with the process that took them, whatever lives on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tiercache/file_system.h"

namespace tiercache {
namespace {

// What keeps children alive: they wait until the test closes its end. Whoever dies closes an end
// too.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe(ends_.data()), 0); }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  void close_reader() { close(0); }
  void close_writer() { close(1); }
  // False: all writers are gone.
  bool read() const {
    char byte = 0;
    return ::read(ends_[0], &byte, 1) == 1;
  }
  void write() const {
    const char byte = 'x';
    if (::write(ends_[1], &byte, 1) != 1) ::_exit(3);
  }

 private:
  void close(std::size_t end) {
    if (ends_[end] >= 0) ::close(ends_[end]);
    ends_[end] = -1;
  }
  std::array<int, 2> ends_ = {-1, -1};
};

class PosixLocks : public ::testing::Test {
 protected:
  PosixLocks() {
    std::string name = ::testing::TempDir() + "tiercache-XXXXXX";
    directory_ = ::mkdtemp(name.data());
  }
  ~PosixLocks() override {
    hold_.close_writer();  // ends every child that waits
    fs_->remove_tree(directory_);
  }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  bool take(const std::string& name, std::unique_ptr<FileLock>* lock) {
    return fs_->try_lock(path(name), lock).ok();
  }
  bool is_free(const std::string& name) {
    std::unique_ptr<FileLock> lock;
    return take(name, &lock);
  }
  // Runs `act` in a child, which then is killed; returns once it is dead.
  void run_and_kill(const std::function<void()>& act) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      act();
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "its end was " << status;
  }
  // Lives until the test is over, and is out of `fork` when this returns.
  void fork_worker() {
    const pid_t worker = ::fork();
    if (worker < 0) ::_exit(4);
    if (worker > 0) {
      started_.read();
      return;
    }
    started_.write();
    hold_.close_writer();
    hold_.read();
    ::_exit(0);
  }

  std::shared_ptr<FileSystem> fs_ = posix_file_system();
  std::string directory_;
  Pipe hold_;
  Pipe started_;
};

TEST_F(PosixLocks, dead_process_leaves_no_lock_although_its_child_lives) {
  run_and_kill([&] {
    auto* lock = new std::unique_ptr<FileLock>;
    if (!take("lock", lock)) ::_exit(1);
    fork_worker();
  });
  EXPECT_TRUE(is_free("lock"));
}

TEST_F(PosixLocks, child_that_drops_its_copy_of_a_lock_leaves_the_parents_alone) {
  std::unique_ptr<FileLock> lock;
  ASSERT_TRUE(take("lock", &lock));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const int own = ::dup(0);  // the number that the lock's descriptor had
    lock.reset();
    if (::fcntl(own, F_GETFD) < 0) ::_exit(2);
    ::_exit(is_free("lock") ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "the parent's lock was dropped by its child";
  EXPECT_FALSE(is_free("lock"));
  lock.reset();
  EXPECT_TRUE(is_free("lock"));
}

TEST_F(PosixLocks, child_takes_locks_of_its_own) {
  std::unique_ptr<FileLock> lock;
  ASSERT_TRUE(take("parents", &lock));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::unique_ptr<FileLock> own;
    if (!take("childs", &own) || is_free("childs")) ::_exit(1);
    own.reset();
    ::_exit(is_free("childs") ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(PosixLocks, locks_given_up_in_any_order_leave_the_others_to_end_with_the_process) {
  const std::array<std::string, 4> names = {"a", "b", "c", "d"};
  for (std::size_t first = 0; first < names.size(); ++first) {
    for (std::size_t second = 0; second < names.size(); ++second) {
      run_and_kill([&] {
        auto* locks = new std::array<std::unique_ptr<FileLock>, 4>;
        for (std::size_t i = 0; i < names.size(); ++i) {
          if (!take(names[i], &(*locks)[i])) ::_exit(1);
        }
        (*locks)[first].reset();
        (*locks)[second].reset();
        fork_worker();
      });
      for (const std::string& name : names) {
        EXPECT_TRUE(is_free(name)) << name << " of " << first << ", " << second;
      }
    }
  }
}

TEST_F(PosixLocks, attempt_that_fails_leaves_the_locks_of_its_process_to_end_with_it) {
  run_and_kill([&] {
    auto* lock = new std::unique_ptr<FileLock>;
    if (!take("lock", lock) || is_free("lock")) ::_exit(1);
    fork_worker();
  });
  EXPECT_TRUE(is_free("lock"));
}

// A child drops the list of what its parent held; what it takes then is on a list of its own.
TEST_F(PosixLocks, child_of_a_child_holds_neither_of_their_locks) {
  run_and_kill([&] {
    auto* parents = new std::unique_ptr<FileLock>;
    if (!take("parents", parents)) ::_exit(1);
    run_and_kill([&] {
      auto* childs = new std::unique_ptr<FileLock>;
      if (!take("childs", childs)) ::_exit(1);
      fork_worker();
    });
  });
  EXPECT_TRUE(is_free("parents"));
  EXPECT_TRUE(is_free("childs"));
}

// How many descriptors this process has open; those that are open in `copy_of` are copied, as they
// are for a moment in a program that is being started.
int open_descriptors(const std::string& copy_of = {}, int* copy = nullptr) {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) continue;
    ++count;
    std::array<char, 4096> name{};
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t size = ::readlink(link.c_str(), name.data(), name.size());
    if (copy != nullptr && size > 0 &&
        std::string(name.data(), static_cast<std::size_t>(size)) == copy_of) {
      *copy = ::dup(fd);
    }
  }
  return count;
}

TEST_F(PosixLocks, lock_that_is_given_up_is_free_although_a_copy_of_its_descriptor_is_open) {
  std::unique_ptr<FileLock> lock;
  ASSERT_TRUE(take("lock", &lock));
  int copy = -1;
  open_descriptors(path("lock"), &copy);
  ASSERT_GE(copy, 0);
  lock.reset();
  EXPECT_TRUE(is_free("lock"));
  ::close(copy);
}

TEST_F(PosixLocks, lock_that_is_given_up_or_not_got_leaves_no_descriptor_open) {
  const int before = open_descriptors();
  for (int i = 0; i < 3; ++i) {
    std::unique_ptr<FileLock> lock;
    ASSERT_TRUE(take("lock", &lock));
    EXPECT_FALSE(is_free("lock"));
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(PosixLocks, error_of_an_earlier_call_makes_no_lock_a_shared_one) {
  std::unique_ptr<FileLock> lock;
  errno = EROFS;
  ASSERT_TRUE(take("lock", &lock));
  errno = EROFS;
  EXPECT_FALSE(is_free("lock"));
}

TEST_F(PosixLocks, lock_in_a_directory_that_is_not_there_says_so) {
  std::unique_ptr<FileLock> lock;
  const IoStatus status = fs_->try_lock(path("gone/lock"), &lock);
  EXPECT_EQ(status.error, ENOENT);
  EXPECT_TRUE(status.what.starts_with("open ")) << status.what;
}

// Forks fall between every two steps of taking and giving up a lock.
TEST_F(PosixLocks, locks_taken_while_another_thread_forks_end_with_the_process) {
#ifdef TIERCACHE_SANITIZED
  GTEST_SKIP() << "a sanitizer's allocator may be locked by another thread when the child is made";
#endif
  constexpr int kWorkers = 100;
  constexpr std::size_t kLocks = 200;
  run_and_kill([&] {
    std::thread locking([&] {
      std::array<std::unique_ptr<FileLock>, kLocks> locks;
      for (std::size_t i = 0;; i = (i + 1) % kLocks) {
        locks[i].reset();
        take(std::to_string(i), &locks[i]);
      }
    });
    for (int i = 0; i < kWorkers; ++i) fork_worker();
    ::kill(::getpid(), SIGKILL);  // with locks held, some of them taken while a child was made
  });
  for (std::size_t i = 0; i < kLocks; ++i) EXPECT_TRUE(is_free(std::to_string(i))) << i;
}

}  // namespace
}  // namespace tiercache
