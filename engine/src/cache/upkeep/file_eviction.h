// Keeps the entry files within `files.max_bytes` and `files.max_entries`. Only what the store is
// seen to have goes, the longest unfetched first, so that an eviction never takes the last copy.
//
// Begun when files came in (`LocalEvents::grew`), it runs on the store lane, one task at a time.
// Before an entry goes its row is loaded; the journal must hold nothing of it; its file is removed
// at the version that the row vouches for; then the journal is asked again (decision 21).
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "cache/local/file_bounds.h"
#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/counters.h"
#include "cache/runtime/runtime.h"
#include "cache/store/store_calls.h"
#include "files/index.h"
#include "tiercache/entry.h"
#include "tiercache/time.h"

namespace tiercache::detail {

// Thread-safe.
class FileEviction {
 public:
  FileEviction(Runtime& runtime, LocalTiers& local, FileWriter& file_writer, StoreCalls& calls,
               const FileBounds& bounds)
      : runtime_(runtime),
        local_(local),
        file_writer_(file_writer),
        calls_(calls),
        bounds_(bounds) {}

  // Files came in: where there are too many now, evicts some behind the caller's back.
  void begin_if_full();
  std::uint64_t evicted() const { return evicted_.read(); }

 private:
  struct Candidate {
    bool in_memory = false;
    WallTime last_fetch;
    EntryId id;
    IndexItem item;

    // Whether this one stays longer.
    friend bool operator<(const Candidate& a, const Candidate& b) {
      return std::tie(a.in_memory, a.last_fetch, a.id) < std::tie(b.in_memory, b.last_fetch, b.id);
    }
  };
  enum class Progress : std::uint8_t { some, none, store_away };

  void schedule(std::chrono::milliseconds delay);
  void run();
  void start_over();
  // Those that go next, in order: the first after `passed_`.
  void choose();
  // As many of those left as have to go, and as may be asked for at once.
  std::span<const Candidate> next_batch() const;
  Progress evict(std::span<const Candidate> candidates);
  bool evict_one(const Candidate& candidate, const EntryPtr& row);

  Runtime& runtime_;
  LocalTiers& local_;
  FileWriter& file_writer_;
  StoreCalls& calls_;
  const FileBounds& bounds_;
  std::atomic<bool> running_{false};
  // Touched only by the one task that runs. The last that was looked at since `began_`: those up to
  // it that are still there cannot go for now.
  std::optional<Candidate> passed_;
  SteadyTime began_{};
  std::vector<Candidate> chosen_;
  std::span<const Candidate> left_;  // of those chosen
  bool all_chosen_ = false;          // there is none after them
  Counter evicted_;
};

}  // namespace tiercache::detail
