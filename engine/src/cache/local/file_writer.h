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

// Thread-safe.
class FileWriter {
 public:
  FileWriter(Runtime& runtime, LocalTiers& local) : runtime_(runtime), local_(local) {}

  // The key has a pinned resident in memory that its file lacks.
  void dirty(const EntryId& id);
  // The key's file is missing or out of date, and memory or the journal has the entry: the file is
  // written from there, and the journal keeps the record until then.
  void lacks(const EntryId& id);
  // Files were changed by another part of this cache and want a sync.
  void touched();
  // Writes all dirty keys now, on this thread, but those another thread is at. False when some
  // could not be written; they stay dirty.
  bool flush();
  // Syncs what was written and tells the journal.
  bool sync();
  // Keys that are not in their file yet.
  std::size_t waiting() const;
  // False: other keys are being written just now, by a `flush` whose end is yet to come.
  bool for_each_waiting(const std::function<void(const EntryId&)>& visit) const;
  std::uint64_t failed_writes() const;
  void stop();

 private:
  enum class Written : std::uint8_t { done, retry };
  void arm(std::chrono::milliseconds delay) TIERCACHE_REQUIRES(mutex_);
  void arm_sync() TIERCACHE_REQUIRES(mutex_);
  void arm_save();
  void save_index();
  void run();
  // The end of a flush: the next one, and the next sync, are due.
  void end_flush(bool all, std::set<EntryId> retry);
  Written write_one(const EntryId& id);
  bool gives_way(const EntryId& id, const KeyRef& ref, const Entry& entry);
  // Writes anew what a failed sync left in doubt; `*rewritten` is in doubt again should the next
  // sync fail too. False while some of it cannot be written.
  bool rewrite_suspects(std::set<EntryId>* rewritten);
  // Whether any sync of entry files failed since this was asked last.
  bool syncs_failed();
  bool sync_failed(const IoStatus& status, std::set<EntryId> written);

  Runtime& runtime_;
  LocalTiers& local_;
  mutable Mutex mutex_;
  std::set<EntryId> dirty_ TIERCACHE_GUARDED_BY(mutex_);
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
