// What an open cache does when its directory is deleted under it: makes it anew, and brings there
// what it still has. And when the disk took nothing new at open: makes what is missing once it
// takes something.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/annotations.h"
#include "base/mutex.h"
#include "cache/counters.h"
#include "tiercache/entry.h"
#include "tiercache/file_system.h"

namespace tiercache::detail {

class Core;

// Thread-safe. Its tasks hold the core.
class DirectoryKeeper {
 public:
  explicit DirectoryKeeper(Core& core) : core_(core) {}

  // False when the marker, the folder of the journal, the lock of the file tier or the counters
  // that processes share are gone, or are others than they were.
  bool stands() const;
  // Something that should be there was not: looks soon on the disk lane, after failures with
  // growing pauses.
  void look_soon();
  // Makes anew what is gone, and what the disk would not take at open. False while the directory
  // does not stand, or another thread is at it.
  bool look();
  // Documents that were in the deleted files alone and were in no store and no memory.
  std::uint64_t lost_documents() const { return lost_documents_.read(); }

 private:
  bool make_whole();
  // What the disk would not take at open, and still does not.
  IoStatus away() const;
  void come_back();
  IoStatus bring_back();
  // Calls until another thread has ended what is in the way.
  static IoStatus in_turn(const Core& core, const std::function<IoStatus()>& act);
  // Why it could not be; empty when it stands.
  std::string make_anew();
  IoStatus reopen_files();
  IoStatus restore_journal();
  void fill_files();
  void resume();

  Core& core_;
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
