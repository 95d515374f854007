// A disk in memory that knows what survives a power loss, and fails on command.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tiercache/file_system.h"

namespace tiercache::testing {

// The disk outlives the caches that use it. A cache works through a `FileSystem` that `boot()`
// returns; several of them at once are several processes. `kill` and `power_loss` end boots: their
// later calls fail with EIO and their locks are gone, like those of a dead machine.
//
// The model of what a power loss leaves is POSIX, ext4 with delayed allocation and data=ordered,
// and a little worse:
//
// - A file's bytes written since its last sync survive per 4 KiB block or not at all, in any
//   combination. A block is as any of the writes since then has left it, or the old bytes, or zeros
//   where it was lost. The size is any that the file has had since then.
// - A name made, moved or removed since the last sync of its directory survives or does not, but
//   the changes of one directory survive as a prefix of their order. An exchange or rename is all
//   or nothing, even between two directories.
// - Names and bytes have no order between them: a new name may lead to an empty or torn file, as
//   after a rename without a sync.
// - fdatasync and fsync make a file's bytes and size last but not its name; fsync of a directory
//   makes its names last but not its own; syncfs makes everything last.
// - The crash of a process (`kill -9`) loses nothing that was written.
//
// Thread-safe. Everything is decided by the order of the calls and by seeds.
class MemoryDisk {
 public:
  // An empty disk without bounds.
  MemoryDisk();
  ~MemoryDisk();
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  // Returns a file system on this disk for one process, to be a cache's `Ports::file_system`.
  std::shared_ptr<FileSystem> boot();
  // Ends the newest boot that still lives, as if its process had died. Everything that was written
  // stays.
  void kill();
  // The same for the process that works through this file system of `boot()`.
  void kill(const FileSystem& boot);
  // Ends every boot, and leaves the disk in one of the states that a power loss may leave, picked
  // by the seed. Seed 0 keeps nothing that is unsynced, seed 1 everything, and others mix.
  void power_loss(std::uint64_t seed);

  // Returns a copy of the disk as it would be after a power loss now, without ending a boot.
  // Bounds, remoteness and pace are copied, but hook and fault are not.
  std::unique_ptr<MemoryDisk> after_power_loss(std::uint64_t seed) const;
  // Returns the number of mutating operations (writes, renames, syncs, …) so far. A tree is made
  // and removed in several operations, one for each name.
  std::uint64_t operations() const;
  // `hook` is called before each mutating operation with its number, from 1, and a description, so
  // that a test can look at the state at every boundary. It may use the disk, including `kill` and
  // `power_loss`.
  void on_operation(std::function<void(std::uint64_t number, const std::string& what)> hook);

  // Makes an operation fail by returning an errno value, or lets it pass by returning 0.
  // `operation` is the name of the port's function ("write_at", "sync_data", "exchange", …). A
  // failed write may have written a part. A failed sync may have written anything, and the next
  // sync does not write what it has left out, as on Linux. A failed `sync_all` also fails the next
  // one of each other living process. Any other failed operation has done nothing.
  using Fault = std::function<int(const std::string& operation, const std::string& path)>;
  // From now on this decides what fails; an empty one lets everything pass. It is called under no
  // lock, and also for operations that only read.
  void set_fault(Fault fault);
  // How many bytes the disk can hold. A write beyond that writes a part and fails with ENOSPC. 0
  // means no bound.
  void set_capacity(std::uint64_t bytes);
  // How many files and directories the disk can hold. More are refused with ENOSPC. 0 means no
  // bound.
  void set_inodes(std::uint64_t count);
  // Mounts the disk read-only: changes fail with EROFS, but locks on files that are there can be
  // taken.
  void set_read_only(bool read_only);
  // Behaves like FUSE: `sync_all` makes nothing last, and says so by ENOTSUP.
  void set_remote(bool remote);
  // Returns the time by which files are stamped. It moves on by the pace, 50 ms unless set
  // otherwise, with each mutating operation. What a test writes directly is stamped with the time
  // of the last operation.
  std::chrono::nanoseconds time() const;
  // Sets that clock and its pace; a pace of 0 makes it stand still.
  void set_time(std::chrono::nanoseconds since_epoch, std::chrono::nanoseconds pace);

  // Direct access for tests, to read, replace or damage a file behind the cache's back. What these
  // change is durable at once, and so are earlier changes of names in the directories that they
  // touch. Returns false if there is no such file.
  bool read(const std::string& path, std::string* out) const;
  // Replaces the file's bytes. Makes the file, and the directories above it, if they are missing.
  void write(const std::string& path, std::string bytes);
  // Removes the name. Returns false if there is none.
  bool remove(const std::string& path);
  // Returns the absolute paths of all files, sorted.
  std::vector<std::string> files() const;
  // Returns how many bytes are used, which `set_capacity` bounds.
  std::uint64_t used_bytes() const;
  // Returns how many files and directories there are, which `set_inodes` bounds.
  std::uint64_t used_inodes() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tiercache::testing
