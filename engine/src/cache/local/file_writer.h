// Step 4 of a write: brings pinned residents into their files in the background, coalesced per key,
// and now and then syncs the files so that the journal may let go of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "base/annotations.h"
#include "base/key_ref.h"
#include "base/mutex.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "tiercache/entry.h"
#include "tiercache/executor.h"
#include "tiercache/file_system.h"

namespace tiercache::detail {

// Thread-safe. Blocks: `flush` and `sync` write files. Tasks on the disk lane call them; others may
// call them on a thread that may wait for the disk.
class FileWriter {
 public:
  FileWriter(Runtime& runtime, LocalTiers& local) : runtime_(runtime), local_(local) {}

  // Memory has what the key's file lacks. The file is written after `files.write_behind`, together
  // with others. If memory evicts an entry that is not pinned first, nothing is written.
  void write_soon(const EntryId& id);
  // The key's file is missing or out of date, although it was written before. It is written again
  // from memory or from the journal, and the journal keeps the record until the next sync.
  void restore_soon(const EntryId& id);
  // Another part of this cache has changed files: they are synced within `files.sync_every`.
  void sync_soon();
  // Writes the files of all waiting keys now, on this thread, except those that another thread is
  // writing. Returns false if some could not be written, because the disk refused them or another
  // process was writing the same key; they go on waiting.
  bool flush();
  // Makes what was written durable and tells the journal. First tries again the erases that the
  // disk refused, and writes anew what a failed sync left in doubt; afterwards compacts the journal
  // if that is due, and goes on saving the index. Returns false if some files may not be durable,
  // also because a sync elsewhere has failed since the last call. Then the next call writes those
  // anew, and may succeed.
  bool sync();
  // How many keys are not in their file yet.
  std::size_t waiting() const;
  // Visits the waiting keys under the lock. Returns false if a `flush` is writing others.
  bool for_each_waiting(const std::function<void(const EntryId&)>& visit) const;
  std::uint64_t failed_writes() const;
  void stop();

 private:
  enum class Written : std::uint8_t { done, busy, failed };
  void arm(std::chrono::milliseconds delay) TIERCACHE_REQUIRES(mutex_);
  void arm_sync() TIERCACHE_REQUIRES(mutex_);
  void arm_save();
  void save_index();
  void run();
  // Ends a flush: `left` waits for the next one, which is armed, like the next sync. `failed`: the
  // disk has refused some of it, or all.
  void end_flush(bool failed, std::set<EntryId> left);
  Written write_one(const EntryId& id);
  bool gives_way(const EntryId& id, const KeyRef& ref, const Entry& entry);
  // Writes anew what a failed sync left in doubt, and names it in `*rewritten`, because it is in
  // doubt again if the next sync fails too. Returns false if some of it could not be written.
  bool rewrite_suspects(std::set<EntryId>* rewritten);
  // Returns true if a sync of entry files has failed since this was last called.
  bool take_sync_failure();
  // Remembers what the failed sync left in doubt, and arms the next one. Returns false.
  bool note_failed_sync(const IoStatus& status, std::set<EntryId> written);

  Runtime& runtime_;
  LocalTiers& local_;
  mutable Mutex mutex_;
  std::set<EntryId> dirty_ TIERCACHE_GUARDED_BY(mutex_);
  // Being written by a `flush`, or to be left by it once it ends.
  std::size_t in_progress_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  bool armed_ TIERCACHE_GUARDED_BY(mutex_) = false;
  bool sync_armed_ TIERCACHE_GUARDED_BY(mutex_) = false;
  bool save_armed_ TIERCACHE_GUARDED_BY(mutex_) = false;
  bool unsynced_ TIERCACHE_GUARDED_BY(mutex_) = false;
  std::set<EntryId> written_ TIERCACHE_GUARDED_BY(mutex_);  // since the last sync
  std::set<EntryId> suspect_ TIERCACHE_GUARDED_BY(mutex_);  // written before a sync that failed
  bool stopped_ TIERCACHE_GUARDED_BY(mutex_) = false;
  int failures_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  std::uint64_t failed_writes_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  std::uint64_t failed_syncs_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace tiercache::detail
