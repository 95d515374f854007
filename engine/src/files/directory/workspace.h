// What an open cache has to itself in a shared directory: a place for half-written files, names in
// the quarantine, and the knowledge whether other caches have the directory open.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "base/quarantine.h"
#include "tiercache/file_system.h"

namespace tiercache {

// Each open cache holds the system lock `locks/open-<n>` of a slot n, the lowest that was free.
// Half-written files live in `tmp/<n>/` until they take their place; what a dead owner has left
// there is removed by the next cache that opens the directory. Thread-safe, except that `open`,
// `leave` and `close` must not run at the same time as each other.
class Workspace {
 public:
  Workspace(FileSystem& file_system, std::string directory, std::shared_ptr<Quarantine> quarantine);

  // Takes a slot and removes what dead caches have left. `*alone` tells whether no other cache has
  // the directory open. If two open it at once, at least one of them sees the other.
  IoStatus open(bool* alone);
  bool is_open() const { return open_.load(); }
  // False when the slot's lock file is gone or is another file: somebody has deleted the directory
  // or put another in its place.
  bool stands() const;
  // Gives the slot up; `open` takes one again.
  void leave();
  // Looks again whether no other cache has the directory open.
  IoStatus look_around(bool* alone);
  std::uint64_t slot() const { return slot_; }
  // Runs `act` while the slot has no owner, and keeps anybody from taking the slot meanwhile.
  // Returns false, and does nothing, if a cache has it.
  bool while_dead(std::uint64_t slot, const std::function<void()>& act);
  // Removes half-written files that could not be removed before.
  void close();

  // Makes a new half-written file of these bytes and names it in `*temp`. With `synced` the bytes
  // survive power loss, though the name may not. If it fails nothing is left behind.
  enum class Durability : std::uint8_t { unsynced, synced };
  IoStatus stage(std::string_view bytes, Durability durability, std::string* temp);
  // Makes a new half-written file to be written to. If it fails `*temp` is empty.
  IoStatus begin(std::string* temp, std::unique_ptr<File>* file);
  // Removes a half-written file. If that fails it is tried again along with later ones.
  void discard(const std::string& temp);

  // Moves a file aside under a name that says where it was.
  IoStatus quarantine(const std::string& path, const std::string& relative_path);

 private:
  IoStatus take_slot();
  IoStatus make_temp(std::string* temp, std::unique_ptr<File>* file);
  std::string lock_path(std::uint64_t slot) const;
  std::string temp_directory(std::uint64_t slot) const;

  FileSystem& file_system_;
  const std::string directory_;
  std::atomic<std::uint64_t> slot_{0};
  std::atomic<std::uint64_t> lock_identity_{0};
  std::atomic<bool> open_{false};
  std::unique_ptr<FileLock> lock_;
  const std::shared_ptr<Quarantine> quarantine_;
  std::atomic<std::uint64_t> last_temp_{0};
  Mutex mutex_;
  std::vector<std::string> undiscarded_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache
