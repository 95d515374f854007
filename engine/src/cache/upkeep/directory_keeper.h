// What an open cache does when its directory is deleted under it: makes it anew, and brings there
// what it still has. And when the disk took nothing new at open: makes what is missing once it
// takes something.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/annotations.h"
#include "base/mutex.h"
#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/counters.h"
#include "cache/runtime/runtime.h"
#include "cache/store/store_identity.h"
#include "cache/upkeep/change_feed.h"
#include "cache/upkeep/hydration.h"
#include "cache/writing/store_writer.h"
#include "tiercache/entry.h"
#include "tiercache/file_system.h"

namespace tiercache::detail {

// Thread-safe.
class DirectoryKeeper {
 public:
  DirectoryKeeper(Runtime& runtime, LocalTiers& local, FileWriter& file_writer,
                  StoreIdentity& identity, ChangeFeed& feed, Hydration& hydration,
                  StoreWriter& store_writer)
      : runtime_(runtime),
        local_(local),
        file_writer_(file_writer),
        identity_(identity),
        feed_(feed),
        hydration_(hydration),
        store_writer_(store_writer) {}

  // Something that should be there was not: makes it whole soon, on the disk lane, after failures
  // with growing pauses.
  void make_whole_soon();
  // Makes anew what is gone, and what the disk would not take at open. False while the directory
  // does not stand, or another thread is at it.
  bool make_whole();
  // Documents that were in the deleted files alone and were in no store and no memory.
  std::uint64_t lost_documents() const { return lost_documents_.read(); }

 private:
  bool make_standing();
  void come_back();
  IoStatus bring_back();
  // Calls until another thread has ended what is in the way.
  IoStatus in_turn(const std::function<IoStatus()>& act) const;
  // Why it could not be; empty when it stands.
  std::string make_anew();
  IoStatus reopen_files();
  IoStatus restore_journal();
  void fill_files();
  void resume();

  Runtime& runtime_;
  LocalTiers& local_;
  FileWriter& file_writer_;
  StoreIdentity& identity_;
  ChangeFeed& feed_;
  Hydration& hydration_;
  StoreWriter& store_writer_;
  Counter lost_documents_;
  mutable Mutex mutex_;
  bool busy_ TIERCACHE_GUARDED_BY(mutex_) = false;
  bool armed_ TIERCACHE_GUARDED_BY(mutex_) = false;
  int failures_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  // Touched only by the thread that is at it. What the deleted files held, until they are filled
  // again.
  std::map<EntryId, EntryKind> deleted_;
};

}  // namespace tiercache::detail
