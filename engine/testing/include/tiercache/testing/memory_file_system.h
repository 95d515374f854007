// A disk in memory that knows what survives a power loss, and fails on command.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tiercache/file_system.h"

namespace tiercache::testing {

// The disk outlives the caches that use it. A cache works through a `FileSystem` that `boot()` gives;
// `crash` ends that boot: its later calls fail with EIO and its locks are gone, like a dead machine's.
//
// The model of what a power loss leaves (POSIX, ext4 with delayed allocation, data=ordered): a file's
// bytes written since its last sync survive per 4 KiB block or not at all, in any combination, a block
// of the file grown since then reading as zeros or old bytes when lost, its size old or new; a name made,
// moved or removed since the directory's last sync survives or not, but the changes of one directory
// survive as a prefix of their order, and an exchange or rename is all or nothing. fdatasync and fsync
// make a file's bytes and size last, fsync of a directory its names; syncfs everything. A process crash
// (`kill -9`) loses nothing written.
class MemoryDisk {
 public:
  MemoryDisk();
  ~MemoryDisk();

  std::shared_ptr<FileSystem> boot();
  // The process died: the newest boot ends, everything written stays.
  void kill();
  // The power went: the newest boot ends and the disk holds one of the possible states, picked by seed.
  void power_loss(std::uint64_t seed);

  // A copy of the disk as it would be after a power loss right now, without ending the boot.
  std::unique_ptr<MemoryDisk> after_power_loss(std::uint64_t seed) const;
  // Number of mutating operations (writes, renames, syncs, …) so far.
  std::uint64_t operations() const;
  // Called before each mutating operation with its number and a description, so that a test can take
  // states at every boundary.
  void on_operation(std::function<void(std::uint64_t number, const std::string& what)> hook);

  // Makes matching operations fail: returns an errno, or 0 to let it pass. `operation` is the port's
  // function name ("write_at", "sync_data", "exchange", …). A failed sync may have written anything.
  using Fault = std::function<int(const std::string& operation, const std::string& path)>;
  void set_fault(Fault fault);
  // Bytes the disk may hold; writes past it fail with ENOSPC. 0: no bound.
  void set_capacity(std::uint64_t bytes);
  void set_remote(bool remote);

  // Direct access for tests: read, replace or damage a file behind the cache's back.
  bool read(const std::string& path, std::string* out) const;
  void write(const std::string& path, std::string bytes);
  bool remove(const std::string& path);
  std::vector<std::string> files() const;  // all paths, sorted
  std::uint64_t used_bytes() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tiercache::testing
