// Brings other machines' writes into memory and files: asks the store what has changed, every while
// and at its hints, and loads what is newer than the local tiers.
//
// The cursor is kept in the directory, so that what changed while the cache was closed, tombstones
// above all, is noticed at the next start (I4). Where the store cannot say what has changed since,
// every key known here is compared with its row.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "cache/store/purge_horizon.h"
#include "cache/store/store_calls.h"
#include "cache/store/store_identity.h"
#include "tiercache/executor.h"
#include "tiercache/stats.h"
#include "tiercache/store.h"

namespace tiercache::detail {

// Thread-safe.
class ChangeFeed {
 public:
  ChangeFeed(Runtime& runtime, LocalTiers& local, FileWriter& file_writer, StoreCalls& calls,
             const StoreIdentity& identity, PurgeHorizon& horizon);

  // Begins to ask; does nothing for a store without a feed, or where `poll_every` is zero.
  void start();
  // Runs `task`, here or on the store lane, once the feed has its place or cannot get one now: what
  // a task reads from the store afterwards lacks nothing that the feed will not tell.
  void when_placed(std::function<void()> task);
  // The directory was made anew: every key known is compared, and the cursor kept there again.
  void start_over();
  // No more calls; leaves the cursor for the next open.
  void stop();
  // Of the looks at the feed.
  TierHealth health() const;
  // Of the hints.
  TierHealth hints_health() const;
  // How many hints came.
  std::uint64_t hints() const { return hints_heard_.read(); }

 private:
  enum class Pace : std::uint8_t { at_once, soon, usual, backed_off };

  void watch();
  void on_hint();
  void look_at_hints() const;
  void poll(std::uint64_t turn);
  Pace ask();
  void note(const ChangesReply& reply);
  bool take(const ChangesReply& reply);
  bool is_wanted(const StoreChange& change) const;
  bool load(const std::vector<EntryId>& ids);
  bool compare_all();
  std::chrono::milliseconds pause_of(Pace pace) const TIERCACHE_REQUIRES(mutex_);
  // The next poll, in the place of the one that was to come.
  void schedule(SteadyTime when) TIERCACHE_REQUIRES(mutex_);
  void placed();
  std::string read_cursor() const;
  void keep_cursor(bool now);

  Runtime& runtime_;
  LocalTiers& local_;
  FileWriter& file_writer_;
  StoreCalls& calls_;
  const StoreIdentity& identity_;
  PurgeHorizon& horizon_;
  const std::string path_;
  Counter hints_heard_;
  mutable Mutex mutex_;
  // Moves only once what came before it is here; empty until the first time.
  std::string cursor_ TIERCACHE_GUARDED_BY(mutex_);
  std::string kept_ TIERCACHE_GUARDED_BY(mutex_);                    // the cursor in the directory
  std::optional<SteadyTime> tried_at_ TIERCACHE_GUARDED_BY(mutex_);  // to keep it there
  std::uint64_t starts_ TIERCACHE_GUARDED_BY(mutex_) = 0;            // over, with no cursor
  bool placed_ TIERCACHE_GUARDED_BY(mutex_) = true;
  bool stopped_ TIERCACHE_GUARDED_BY(mutex_) = true;
  int failures_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  std::vector<std::function<void()>> waiting_ TIERCACHE_GUARDED_BY(mutex_);
  std::shared_ptr<ChangeWatch> watch_ TIERCACHE_GUARDED_BY(mutex_);
  TierHealth unread_ TIERCACHE_GUARDED_BY(mutex_);  // not working: the last look had no answer
  mutable HintState::Kind hint_state_ TIERCACHE_GUARDED_BY(mutex_) =
      HintState::Kind::starting;                         // as last told
  std::uint64_t turn_ TIERCACHE_GUARDED_BY(mutex_) = 0;  // of the poll that is to come
  Executor::TimerId timer_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  bool polling_ TIERCACHE_GUARDED_BY(mutex_) = false;
  bool hinted_ TIERCACHE_GUARDED_BY(mutex_) = false;  // since the last poll began
  SteadyTime polled_at_ TIERCACHE_GUARDED_BY(mutex_){};
};

}  // namespace tiercache::detail
