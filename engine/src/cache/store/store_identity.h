// Which store the directory belongs to, and which life of it. After a reset or a restore the store
// lacks what nobody deleted, and one that was named by mistake is not for these entries: until
// somebody says that it is meant, nothing is dropped here for being absent there, nothing is kept
// here of what it has, and the outbox waits.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/annotations.h"
#include "base/breaker.h"
#include "base/mutex.h"
#include "cache/runtime/runtime.h"
#include "cache/store/store_calls.h"
#include "tiercache/time.h"

namespace tiercache::detail {

// Keeps a short text in the directory while that is the cache's own; see kept_text.h.
using KeepNote =
    std::function<bool(const std::string& path, std::string_view head, const std::string& text)>;

// Thread-safe. Blocks: `seen`, `may_send`, `accept` and `keep_again`, which read or write the
// directory's note under the lock, while all other functions wait for it; `may_send` may call the
// store too. Call these four on the disk or store lane, or on a user's thread.
class StoreIdentity {
 public:
  // `accepted` is called under no lock, after `accept`, and when it is noticed that another process
  // has accepted the store; `was_another`: until then the store was not the directory's.
  StoreIdentity(Runtime& runtime, StoreCalls& calls, KeepNote keep_note,
                std::function<void(bool was_another)> accepted);

  // A reply named this incarnation, or none if it is empty. The first one is remembered in the
  // directory.
  void seen(const std::string& incarnation);
  // True if it is the store that the directory knows, or tells nothing of itself, so that what it
  // lacks was deleted there. False also while the directory's note cannot be read.
  bool is_same() const;
  // Since when the store is another one than the directory knows; nullopt while it is the same, or
  // that is not known.
  std::optional<WallTime> replaced_since() const;
  // From now on the directory belongs to this store. False when the disk refuses, or the store has
  // not told yet which one it is.
  bool accept();
  // Whether the outbox may go there. Asks the store which one it is, unless it has said so since
  // the cache was opened, and returns false if it does not answer. Call on the store lane.
  bool may_send(Breaker::Urgency urgency);
  // True while the outbox is known to wait, because the store is not the one that the directory
  // belongs to. Makes no call into the store.
  bool keeps_outbox_waiting() const;
  // Whether what the store has may be kept here: it is the directory's, or that one after a reset
  // or a restore, and not another one.
  bool may_keep() const;
  // The store that the directory belongs to and the one that was met, while they differ: "postgres
  // db:5432/app (incarnation 8f…)".
  struct Names {
    std::string expected;
    std::string met;
  };
  Names names() const;
  // The directory was made anew: what is known of the store is kept there once more.
  void keep_again();

 private:
  // True if the store is the directory's, and was not before.
  bool compare() TIERCACHE_REQUIRES(mutex_);
  bool look_again();
  void remember_first() TIERCACHE_REQUIRES(mutex_);
  void keep_name() TIERCACHE_REQUIRES(mutex_);
  Names names_of_both() const TIERCACHE_REQUIRES(mutex_);
  void is_replaced() TIERCACHE_REQUIRES(mutex_);
  bool is_meant() const TIERCACHE_REQUIRES(mutex_);

  Runtime& runtime_;
  StoreCalls& calls_;
  const KeepNote keep_note_;
  const std::function<void(bool)> accepted_;
  const std::string path_;
  const std::string name_path_;
  mutable Mutex mutex_;
  std::string known_ TIERCACHE_GUARDED_BY(mutex_);       // the directory's, as last read
  std::string met_ TIERCACHE_GUARDED_BY(mutex_);         // the last one that a reply named
  std::string known_name_ TIERCACHE_GUARDED_BY(mutex_);  // of the directory's; empty: not known
  bool unnamed_ TIERCACHE_GUARDED_BY(mutex_) = false;  // it was asked, and tells nothing of itself
  bool same_ TIERCACHE_GUARDED_BY(mutex_) = true;
  bool damaged_ TIERCACHE_GUARDED_BY(mutex_) = false;  // the directory's note
  // While it is not the same one: when the directory's note is read again.
  SteadyTime look_at_ TIERCACHE_GUARDED_BY(mutex_){};
  std::optional<WallTime> replaced_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache::detail
