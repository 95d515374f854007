// Keeps aside what corrupt rows of the store hold, since the next write replaces them (I9).
#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/annotations.h"
#include "base/mutex.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "tiercache/entry.h"

namespace tiercache::detail {

// Thread-safe.
class CorruptRows {
 public:
  CorruptRows(Runtime& runtime, LocalTiers& local) : runtime_(runtime), local_(local) {}

  // Puts the text into the quarantine, by a task on the disk lane. A row may be met at every read,
  // and is kept once.
  void keep_aside(const EntryId& id, const std::shared_ptr<const std::string>& text);

 private:
  Runtime& runtime_;
  LocalTiers& local_;
  Mutex mutex_;
  std::set<std::string> kept_ TIERCACHE_GUARDED_BY(mutex_);  // their names there; bounded
};

}  // namespace tiercache::detail
