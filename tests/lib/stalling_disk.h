// A disk that stands still now and then, for all processes that use it: as a frozen file system, or
// one that is busy with what others write.
#pragma once

#include <pthread.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "lib/machine_disk.h"

namespace tiercache::testing {

// A gate in memory that a process shares with the children that it forks. Whoever stalls closes it,
// once all that was let through is done, and everybody else waits.
class Gate {
 public:
  Gate() {
    void* const page = ::mmap(nullptr, sizeof(pthread_rwlock_t), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    lock_ = new (page) pthread_rwlock_t;
    pthread_rwlockattr_t attributes;
    ::pthread_rwlockattr_init(&attributes);
    ::pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    ::pthread_rwlock_init(lock_, &attributes);
    ::pthread_rwlockattr_destroy(&attributes);
  }
  ~Gate() { ::munmap(lock_, sizeof(pthread_rwlock_t)); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void close() { ::pthread_rwlock_wrlock(lock_); }
  void open() { ::pthread_rwlock_unlock(lock_); }
  // Calls `act` while the gate is open.
  template <class Act>
  auto through(const Act& act) {
    ::pthread_rwlock_rdlock(lock_);
    const std::shared_ptr<void> passing(
        lock_, [](void* lock) { ::pthread_rwlock_unlock(static_cast<pthread_rwlock_t*>(lock)); });
    return act();
  }

 private:
  pthread_rwlock_t* lock_;
};

struct DiskGates {
  Gate changes;  // all but reads
  Gate syncs;
};

// The machine's file system behind gates. Thread-safe.
class StallingDisk final : public MachineDisk {
 public:
  explicit StallingDisk(std::shared_ptr<DiskGates> gates) : gates_(std::move(gates)) {}

  IoStatus absolute(const std::string& path, std::string* out) override {
    return machine().absolute(path, out);
  }
  IoStatus open(const std::string& path, OpenMode mode, std::unique_ptr<File>* out) override {
    if (mode == OpenMode::read) return MachineDisk::open(path, mode, out);
    const IoStatus status = change([&] { return MachineDisk::open(path, mode, out); });
    if (status.ok()) *out = std::make_unique<GatedFile>(std::move(*out), gates_);
    return status;
  }
  IoStatus write_file(const std::string& path, std::string_view bytes) override {
    return change([&] { return MachineDisk::write_file(path, bytes); });
  }
  IoStatus rename(const std::string& from, const std::string& to) override {
    return change([&] { return MachineDisk::rename(from, to); });
  }
  IoStatus exchange(const std::string& a, const std::string& b) override {
    return change([&] { return MachineDisk::exchange(a, b); });
  }
  IoStatus remove_file(const std::string& path) override {
    return change([&] { return MachineDisk::remove_file(path); });
  }
  IoStatus remove_tree(const std::string& path) override {
    return change([&] { return MachineDisk::remove_tree(path); });
  }
  IoStatus make_directories(const std::string& path) override {
    return change([&] { return MachineDisk::make_directories(path); });
  }
  IoStatus list_files(const std::string& path, std::vector<ListedFile>* out) override {
    return machine().list_files(path, out);
  }
  IoStatus sync_file(const std::string& path) override {
    return sync([&] { return MachineDisk::sync_file(path); });
  }
  IoStatus sync_directory(const std::string& path) override {
    return sync([&] { return MachineDisk::sync_directory(path); });
  }
  IoStatus sync_all(const std::string& path) override {
    return sync([&] { return MachineDisk::sync_all(path); });
  }
  IoStatus try_lock(const std::string& path, std::unique_ptr<FileLock>* out) override {
    return change([&] { return MachineDisk::try_lock(path, out); });
  }
  IoStatus map_counters(const std::string& path, std::size_t count,
                        std::shared_ptr<std::uint32_t>* out) override {
    return change([&] { return machine().map_counters(path, count, out); });
  }

 private:
  class GatedFile final : public MachineFile {
   public:
    GatedFile(std::unique_ptr<File> file, std::shared_ptr<DiskGates> gates)
        : MachineFile(std::move(file)), gates_(std::move(gates)) {}

    IoStatus write_at(std::uint64_t offset, std::string_view bytes) override {
      return gates_->changes.through([&] { return MachineFile::write_at(offset, bytes); });
    }
    IoStatus truncate(std::uint64_t size) override {
      return gates_->changes.through([&] { return MachineFile::truncate(size); });
    }
    IoStatus sync_data() override {
      return gates_->syncs.through([&] { return MachineFile::sync_data(); });
    }

   private:
    const std::shared_ptr<DiskGates> gates_;
  };

  template <class Act>
  IoStatus change(const Act& act) {
    return gates_->changes.through(act);
  }
  template <class Act>
  IoStatus sync(const Act& act) {
    return gates_->syncs.through(act);
  }

  const std::shared_ptr<DiskGates> gates_;
};

}  // namespace tiercache::testing
