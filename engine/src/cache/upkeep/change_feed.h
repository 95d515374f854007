// Brings other machines' writes into memory and files: asks the store what has changed, every
// `poll_every` and after its hints, and loads what is newer than the local tiers.
//
// The cursor is kept in the directory, so that what changed while the cache was closed, tombstones
// above all, is noticed at the next start (I4). If the store cannot say what has changed since
// then, every key known here is compared with its row.
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

// Thread-safe. Blocks: `start`, which reads the cursor, and `stop`, which syncs files before it
// keeps it; call on the thread that opens or closes the cache. The looks run on the store lane.
class ChangeFeed {
 public:
  ChangeFeed(Runtime& runtime, LocalTiers& local, FileWriter& file_writer, StoreCalls& calls,
             const StoreIdentity& identity, PurgeHorizon& horizon);

  // Begins to ask. Does nothing for a store without a feed, or if `poll_every` is zero.
  void start();
  // Runs `task` once the feed has its place, or cannot get one now. The feed will tell of whatever
  // is missing from what the task reads from the store. It runs at once, in this call, if the feed
  // has its place already or was not started; else on the store lane, or in `stop`.
  void when_placed(std::function<void()> task);
  // The directory was made anew, or belongs to another store now: every key known here is compared
  // with its row, and the cursor is kept again.
  void start_over();
  // Makes no more calls, and leaves the cursor for the next open.
  void stop();
  // How polling is doing: the looks at the feed.
  TierHealth health() const;
  // How the hints are doing.
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
  // Sets the time of the next poll, and takes back the one that was to come.
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
  std::string kept_ TIERCACHE_GUARDED_BY(mutex_);  // the cursor in the directory
  // When it was last tried to keep the cursor there.
  std::optional<SteadyTime> tried_at_ TIERCACHE_GUARDED_BY(mutex_);
  std::uint64_t starts_ TIERCACHE_GUARDED_BY(mutex_) = 0;  // how often `start_over` was called
  bool placed_ TIERCACHE_GUARDED_BY(mutex_) = true;
  bool stopped_ TIERCACHE_GUARDED_BY(mutex_) = true;
  int failures_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  std::vector<std::function<void()>> waiting_ TIERCACHE_GUARDED_BY(mutex_);
  std::shared_ptr<ChangeWatch> watch_ TIERCACHE_GUARDED_BY(mutex_);
  // Not working while the last look had no answer.
  TierHealth unread_ TIERCACHE_GUARDED_BY(mutex_);
  mutable HintState::Kind hint_state_ TIERCACHE_GUARDED_BY(mutex_) =
      HintState::Kind::starting;                         // as last told
  std::uint64_t turn_ TIERCACHE_GUARDED_BY(mutex_) = 0;  // the number of the poll that is to come
  Executor::TimerId timer_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  bool polling_ TIERCACHE_GUARDED_BY(mutex_) = false;
  bool hinted_ TIERCACHE_GUARDED_BY(mutex_) = false;  // since the last poll began
  SteadyTime polled_at_ TIERCACHE_GUARDED_BY(mutex_){};
};

}  // namespace tiercache::detail
