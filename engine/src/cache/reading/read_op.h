// One read on its way through the tiers (docs/architecture.md): a state machine that takes no
// thread while it waits.
//
//     local()    memory, then the file, on the caller's thread
//     remote()   the store's row, then a refresh; both are shared with whoever waits for the same
//     the end    the first of: something good enough, the last tier's answer, the deadline
//                (read_op_ending.cc)
//
// What a lower tier gives goes into the upper ones on its way, unless a write, an erase or an
// invalidation came meanwhile: memory tells by what `MemoryTier::seen` said before the file was
// read.
//
// The room: `ReadOp`, and `BackgroundReads`, for reads that nobody waits for.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/annotations.h"
#include "base/key_ref.h"
#include "base/mutex.h"
#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/refreshing/refreshes.h"
#include "cache/runtime/runtime.h"
#include "cache/store/purge_horizon.h"
#include "cache/store/store_calls.h"
#include "cache/store/store_identity.h"
#include "cache/store/store_reader.h"
#include "memory/memory_tier.h"
#include "refresh/single_flight.h"
#include "tiercache/detail/dataset_core.h"

namespace tiercache::detail {

struct ReadRequest {
  DatasetState* dataset = nullptr;
  std::string key = {};
  Reach reach = Reach::source;
  SteadyTime deadline = kNever;
  std::optional<std::chrono::milliseconds> max_stale = {};
  Callback callback = {};  // of this call; empty: the dataset's
  std::optional<std::chrono::milliseconds> ttl = {};
  RefreshReason reason = RefreshReason::emergency;
  // A background read, behind the readers' backs. A stale entry does not end it, only one that is
  // fresh and, if `fetched_after` is given, was fetched later than that.
  bool behind = false;
  std::optional<WallTime> fetched_after = {};
};

// What a read asks, from the top, and whom it tells.
struct ReadParts {
  Runtime& runtime;
  LocalTiers& local;
  FileWriter& file_writer;
  StoreCalls& calls;
  StoreReader& store_reader;
  const StoreIdentity& identity;
  const PurgeHorizon& horizon;
  Refreshes& refreshes;
  // Called when a read has served something stale: a background read should look for something
  // newer.
  std::function<void(const ReadRequest&)> served_stale;
};

// What a passage says of the source after a refresh that ended with this status.
TierAnswer answer_of(FlightResult::Status status);

// Owned by shared_ptr: timers, the store reader and flights hold it. `local` and `remote` are
// called once each, in this order; the handler is called exactly once. Blocks: `local`, which reads
// the entry's file; call on the disk lane or on the thread of a user who waits.
class ReadOp : public std::enable_shared_from_this<ReadOp> {
 public:
  // `parts` live as long as the owner of `parts.runtime.tasks`, which the read keeps alive.
  ReadOp(const ReadParts& parts, ReadRequest request);

  // Asks memory and files, on this thread. Returns the answer if that ends the read.
  std::optional<ReadResult> local();
  // Asks the store, then the source. Calls `handler` on the lane that has the answer; from this
  // call if nothing is left to ask; or on the thread that calls `time_out` or closes the cache.
  void remote(ReadHandler handler);
  // The deadline has passed: ends the read with what there is. A refresh goes on behind it.
  void time_out();

 private:
  struct Candidate {
    ResidentPtr resident;
    Lifetimes lifetimes;
    Tier tier = Tier::none;
  };

  // Where the read goes after memory.
  enum class Next : std::uint8_t { end, lower, remote };
  std::optional<ReadResult> ask_local();
  Next ask_memory();
  void ask_files();
  void take_file(const EntryPtr& entry);
  // Its file was looked at and has nothing newer.
  void trust_pinned();
  // The entry, with its clocks as the journal knows them, and the candidate if that is of the same
  // version.
  EntryPtr with_known_clocks(const EntryPtr& entry) const;
  void on_store(const LoadedRow& row);
  void take_row(const EntryPtr& row);
  bool has_source() const;
  void ask_source();
  void wait_softly();
  void on_source(const FlightResult& result);
  // The source's answer is saved: serves it.
  void finish_refreshed();
  // Decodes `entry`, promotes it to memory and makes it the candidate, as the answer of `tier`.
  void consider(const EntryPtr& entry, Tier tier);
  std::optional<std::string> decode_into(Resident& resident) const;

  bool is_good_enough() const;  // the candidate ends the read
  bool can_serve() const;       // the candidate may be served if nothing better comes
  ReadResult conclude();        // the candidate if it may be served, else nothing
  ReadResult serve(const Candidate& chosen);
  ReadResult serve_nothing();
  // True if a background read is begun when this one serves something stale.
  bool asks_behind() const;
  void explain_source(bool stale_served);
  void count(const ReadResult& result);
  // Counts, and has a background read begun if something stale was served.
  void ended(const ReadResult& result);
  void finish(ReadResult result);

  void answer(Tier tier, TierAnswer said, const std::string& why = {}) TIERCACHE_EXCLUDES(mutex_);
  Passage passage() const TIERCACHE_EXCLUDES(mutex_);
  Candidate candidate() const TIERCACHE_EXCLUDES(mutex_);
  void set_candidate(Candidate candidate) TIERCACHE_EXCLUDES(mutex_);
  void drop_candidate() TIERCACHE_EXCLUDES(mutex_);
  void asking(Tier tier) TIERCACHE_EXCLUDES(mutex_);
  Tier asked() const TIERCACHE_EXCLUDES(mutex_);

  const std::shared_ptr<const void> keep_;
  const ReadParts& parts_;
  Runtime& runtime_;
  LocalTiers& local_;
  const ReadRequest request_;
  DatasetState& dataset_;
  const EntryId id_;
  const KeyRef ref_;
  const SteadyTime began_;

  // Touched only by the step at hand; the steps follow each other.
  MemoryTier::Seen seen_;
  Version newest_local_;  // the newest version that the local tiers know, tombstones included
  ResidentPtr pinned_;    // what memory has, if that is not in its file yet

  mutable Mutex mutex_;
  Candidate candidate_ TIERCACHE_GUARDED_BY(mutex_);
  Passage passage_ TIERCACHE_GUARDED_BY(mutex_);
  Tier asking_ TIERCACHE_GUARDED_BY(mutex_) = Tier::none;
  ReadHandler handler_ TIERCACHE_GUARDED_BY(mutex_);
  bool finished_ TIERCACHE_GUARDED_BY(mutex_) = false;
  Executor::TimerId deadline_timer_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  Executor::TimerId soft_timer_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace tiercache::detail
