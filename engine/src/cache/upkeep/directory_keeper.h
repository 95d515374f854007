// What an open cache does when its directory is deleted under it: makes it anew, and brings there
// what it still has. Also makes what a full or read-only disk refused when the cache was opened.
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

// Thread-safe. Blocks: `make_whole`, for as long as it takes to write all that memory and journal
// have; call on the disk lane, or on the thread that opens or closes the cache or adopts a journal.
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

  // Some file of the directory was missing: calls `make_whole` soon, on the disk lane, and after
  // failures with growing pauses.
  void make_whole_soon();
  // Makes anew what is gone, and what the disk refused at open. Returns true if the directory
  // stands afterwards, even if the disk still refuses what it did. While another thread does this,
  // nothing is done, and the answer is whether the directory stood already.
  bool make_whole();
  // How many documents were lost, because only the deleted files had them.
  std::uint64_t lost_documents() const { return lost_documents_.read(); }

 private:
  bool make_standing();
  void come_back();
  IoStatus bring_back();
  // Calls again and again until no other thread is in the way (EAGAIN), for a while.
  IoStatus in_turn(const std::function<IoStatus()>& act) const;
  // Returns why the directory could not be made; empty if it stands.
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
  // What the deleted files held, until they are filled again. Touched only by the thread that has
  // set `busy_`.
  std::map<EntryId, EntryKind> deleted_;
};

}  // namespace tiercache::detail
