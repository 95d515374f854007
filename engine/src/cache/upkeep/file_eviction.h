// Keeps the entry files within `files.max_bytes` and `files.max_entries`. Only what the store is
// seen to have goes, so that an eviction never takes the last copy.
//
// Entries that memory does not hold go first, and of those the ones whose `last_fetch` is longest
// ago. `Candidate::operator<` is the one place that says so. Datasets of one document, and
// tombstones, never go. To order by something else, add it to `Candidate`, fill it in in `choose`,
// and look at `evict_one`, which leaves what was read since it was chosen. Nothing on disk says
// when an entry was last read: `IndexItem` (files/index.h) has clocks and size, and another figure
// there changes the format of the index. `FileOptions` (options.h), configuration.md and decision
// 21 tell users the order.
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
#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/counters.h"
#include "cache/runtime/runtime.h"
#include "cache/store/store_calls.h"
#include "cache/upkeep/file_bounds.h"
#include "files/index/index.h"
#include "tiercache/entry.h"
#include "tiercache/time.h"

namespace tiercache::detail {

// Thread-safe. Blocks: nothing that others call.
class FileEviction {
 public:
  FileEviction(Runtime& runtime, LocalTiers& local, FileWriter& file_writer, StoreCalls& calls,
               const FileBounds& bounds)
      : runtime_(runtime),
        local_(local),
        file_writer_(file_writer),
        calls_(calls),
        bounds_(bounds) {}

  // Files came in: if there are too many now, begins to evict some on the store lane.
  void begin_if_full();
  std::uint64_t evicted() const { return evicted_.read(); }

 private:
  struct Candidate {
    bool in_memory = false;
    WallTime last_fetch;
    EntryId id;
    IndexItem item;

    // Orders by who goes first: what memory does not hold, then what was fetched longest ago.
    friend bool operator<(const Candidate& a, const Candidate& b) {
      return std::tie(a.in_memory, a.last_fetch, a.id) < std::tie(b.in_memory, b.last_fetch, b.id);
    }
  };
  enum class Progress : std::uint8_t { some, none, store_away };

  void schedule(std::chrono::milliseconds delay);
  void run();
  void start_over();
  // Chooses those that go next, in order, beginning after `passed_`.
  void choose();
  // The next of those left: as many as have to go, and as one load may ask for.
  std::span<const Candidate> next_batch() const;
  Progress evict(std::span<const Candidate> candidates);
  bool evict_one(const Candidate& candidate, const EntryPtr& row);

  Runtime& runtime_;
  LocalTiers& local_;
  FileWriter& file_writer_;
  StoreCalls& calls_;
  const FileBounds& bounds_;
  std::atomic<bool> running_{false};
  // These are touched only by the one task that runs. `passed_` is the last that was looked at
  // since `began_`; those up to it that still exist cannot go for now.
  std::optional<Candidate> passed_;
  SteadyTime began_{};
  std::vector<Candidate> chosen_;
  std::span<const Candidate> left_;  // the part of `chosen_` that was not looked at yet
  bool all_chosen_ = false;          // nothing comes after those chosen
  Counter evicted_;
};

}  // namespace tiercache::detail
