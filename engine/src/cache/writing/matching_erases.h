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
  // An erase is being journaled. `stamp` makes its version; no other erase is stamped meanwhile.
  template <class Stamp>
  Version begin(const EntryId& glob, Stamp stamp);
  // The erase is visible, or was not made.
  void end(Version version);
  // The newest erase being journaled that matches the key and is older than `below`; zero: none.
  Version under_way(const EntryId& id, Version below) const;

  // It is visible.
  void remember(const EntryId& glob, Version version);
  // One of a version above `begun` has the key. Where so many came since that not all are
  // remembered, every key counts as erased.
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
  Version longer_ago_ TIERCACHE_GUARDED_BY(mutex_);  // the newest that is not in it any more
};

template <class Stamp>
Version MatchingErases::begin(const EntryId& glob, Stamp stamp) {
  Lock lock(mutex_);
  const Version version = stamp();
  under_way_.push_back({glob, version});
  return version;
}

}  // namespace tiercache::detail
