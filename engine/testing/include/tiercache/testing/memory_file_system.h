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
// gives; several at once are several processes. `kill` and `power_loss` end boots: their later
// calls fail with EIO and their locks are gone, like a dead machine's.
//
// The model of what a power loss leaves (POSIX, ext4 with delayed allocation, data=ordered, and a
// little worse): a file's bytes written since its last sync survive per 4 KiB block or not at all,
// in any combination, a block as any of the writes since then left it, the old bytes or zeros where
// it was lost, its size any it had since then; a name made, moved or removed since the directory's
// last sync survives or not, but the changes of one directory survive as a prefix of their order,
// and an exchange or rename is all or nothing, in two directories too. Names and bytes are not
// ordered with each other: a new name may lead to an empty or torn file, as after a rename without
// a sync. fdatasync and fsync make a file's bytes and size last but not its name, fsync of a
// directory its names but not its own; syncfs makes everything last. A process crash (`kill -9`)
// loses nothing written.
//
// Thread-safe. Everything is decided by the order of the calls and by seeds.
class MemoryDisk {
 public:
  // An empty disk without bounds.
  MemoryDisk();
  ~MemoryDisk();
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  // A file system on this disk, for one process: a cache's `Ports::file_system`.
  std::shared_ptr<FileSystem> boot();
  // The process died: the newest living boot ends, everything written stays.
  void kill();
  // The process that works through this file system of `boot()` died, whichever others live.
  void kill(const FileSystem& boot);
  // The power went: every boot ends and the disk holds one of the possible states, picked by seed.
  // Seed 0 keeps nothing unsynced, seed 1 everything; others mix.
  void power_loss(std::uint64_t seed);

  // A copy of the disk as it would be after a power loss right now, without ending the boot.
  // Bounds, remoteness and pace are copied, hook and fault are not.
  std::unique_ptr<MemoryDisk> after_power_loss(std::uint64_t seed) const;
  // Number of mutating operations (writes, renames, syncs, …) so far. Trees are made and removed in
  // several, one per name.
  std::uint64_t operations() const;
  // Called before each mutating operation with its number (from 1) and a description, so that a
  // test can take states at every boundary. May use the disk, `kill` and `power_loss` included.
  void on_operation(std::function<void(std::uint64_t number, const std::string& what)> hook);

  // Makes matching operations fail: returns an errno, or 0 to let it pass. `operation` is the
  // port's function name ("write_at", "sync_data", "exchange", …). A failed write may have written
  // a part; a failed sync may have written anything, and what it did not write is not written by
  // the next sync either, as on Linux. Other failed operations did nothing.
  using Fault = std::function<int(const std::string& operation, const std::string& path)>;
  // From now on this decides what fails; an empty one lets everything pass. It is called without a
  // lock, for operations that only read too.
  void set_fault(Fault fault);
  // Bytes the disk may hold; writes past it fail with ENOSPC, a part having been written. 0: no
  // bound.
  void set_capacity(std::uint64_t bytes);
  // Files and directories the disk may hold; more are refused with ENOSPC. 0: no bound.
  void set_inodes(std::uint64_t count);
  // Mounted for reading: changes fail with EROFS, locks on files that are there can be taken.
  void set_read_only(bool read_only);
  // As behind FUSE: `sync_all` makes nothing last, and says so by ENOTSUP.
  void set_remote(bool remote);
  // The clock that the files' times are of. It goes on by `pace` with each mutating operation, by
  // 50 ms unless told otherwise; what a test writes directly is changed at the time of the last
  // one.
  std::chrono::nanoseconds time() const;
  // Sets that clock and its pace; a pace of 0 makes it stand still.
  void set_time(std::chrono::nanoseconds since_epoch, std::chrono::nanoseconds pace);

  // Direct access for tests: read, replace or damage a file behind the cache's back. What these
  // change is durable at once, and with it the earlier changes of names in the directories they
  // touch. False: there is no such file.
  bool read(const std::string& path, std::string* out) const;
  // Replaces the file's bytes; makes the file, and the directories above it, where they are
  // missing.
  void write(const std::string& path, std::string bytes);
  // Takes the name away. False: there is none.
  bool remove(const std::string& path);
  std::vector<std::string> files() const;  // absolute paths of all files, sorted
  // What `set_capacity` bounds.
  std::uint64_t used_bytes() const;
  // What `set_inodes` bounds.
  std::uint64_t used_inodes() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tiercache::testing
