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
  // Since when the store is another one than the directory knows; nullopt while it is the same.
  std::optional<WallTime> replaced_since() const;
  // What is here was compared with the store and brought there: from now on the directory knows this
  // one. False when the disk refuses.
  bool accept();

 private:
  Core& core_;
  const std::string path_;
  mutable Mutex mutex_;
  std::string known_ TIERCACHE_GUARDED_BY(mutex_);
  std::string met_ TIERCACHE_GUARDED_BY(mutex_);  // the last one seen
  std::optional<WallTime> replaced_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache::detail
