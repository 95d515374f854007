// Which life of the store the directory knows. After a reset or a restore the store lacks what nobody
// deleted: nothing may then be dropped here for being absent there.
#pragma once

#include <optional>
#include <string>

#include "base/annotations.h"
#include "base/mutex.h"
#include "tiercache/time.h"

namespace tiercache::detail {

class Core;

// Thread-safe.
class StoreIdentity {
 public:
  explicit StoreIdentity(Core& core);

  // A reply named it; empty: did not. The first one is remembered in the directory.
  void seen(const std::string& incarnation);
  // What it lacks was deleted there: it is the store that the directory knows, or tells nothing of
  // itself. False also while the directory cannot be asked.
  bool is_same() const;
  // Since when the store is another one than the directory knows; nullopt while it is the same, or
  // that is not known.
  std::optional<WallTime> replaced_since() const;
  // What is here was compared with the store and brought there: from now on the directory knows this
  // one. False when the disk refuses.
  bool accept();
  // The directory was made anew: what is known of the store is kept there once more.
  void keep_again();

 private:
  void compare() TIERCACHE_REQUIRES(mutex_);
  void remember_first() TIERCACHE_REQUIRES(mutex_);
  void is_replaced(bool damaged) TIERCACHE_REQUIRES(mutex_);

  Core& core_;
  const std::string path_;
  mutable Mutex mutex_;
  std::string known_ TIERCACHE_GUARDED_BY(mutex_);  // the directory's, as last read
  std::string met_ TIERCACHE_GUARDED_BY(mutex_);    // the last one seen
  bool same_ TIERCACHE_GUARDED_BY(mutex_) = true;
  SteadyTime look_at_ TIERCACHE_GUARDED_BY(mutex_){};  // while not the same: at the directory
  std::optional<WallTime> replaced_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache::detail
