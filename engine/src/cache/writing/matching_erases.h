// The matching erases of this process, from their stamp on until long after: a write of one key
// that compares itself with what stands must not come after an erase that it has not seen.
#pragma once

#include <deque>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "tiercache/entry.h"

namespace tiercache::detail {

// Thread-safe.
class MatchingErases {
 public:
  // An erase is being journaled. `stamp` makes its version under the mutex, so that no other erase
  // is stamped meanwhile; it walks the index, so other calls may wait for it a while.
  template <class Stamp>
  Version begin(const EntryId& glob, Stamp stamp);
  // The erase is visible, or was not made after all.
  void end(Version version);
  // Returns the version of the newest erase being journaled that matches the key and is older than
  // `below`; zero if there is none.
  Version under_way(const EntryId& id, Version below) const;

  // To be called once the erase is visible.
  void remember(const EntryId& glob, Version version);
  // True if an erase of a version above `begun` matches the key. If so many came since that not all
  // of them are remembered, every key counts as erased.
  bool erased_since(const EntryId& id, Version begun) const;

 private:
  struct Erase {
    EntryId glob;
    Version version;

    bool has(const EntryId& id) const;
  };

  mutable Mutex mutex_;
  std::vector<Erase> under_way_ TIERCACHE_GUARDED_BY(mutex_);
  std::deque<Erase> lately_ TIERCACHE_GUARDED_BY(mutex_);
  Version longer_ago_ TIERCACHE_GUARDED_BY(mutex_);  // newest version dropped from `lately_`
};

template <class Stamp>
Version MatchingErases::begin(const EntryId& glob, Stamp stamp) {
  Lock lock(mutex_);
  const Version version = stamp();
  under_way_.push_back({glob, version});
  return version;
}

}  // namespace tiercache::detail
