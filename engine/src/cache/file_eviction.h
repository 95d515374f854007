// Keeps the entry files within `files.max_bytes` and `files.max_entries`. Only what the store is seen
// to have goes, the longest unfetched first, so that an eviction never takes the last copy.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "cache/counters.h"
#include "files/index.h"
#include "tiercache/entry.h"
#include "tiercache/time.h"

namespace tiercache::detail {

class Core;

// Thread-safe. Its tasks hold the core.
class FileEviction {
 public:
  explicit FileEviction(Core& core) : core_(core) {}

  // Files came in: where there are too many now, evicts some behind.
  void look();
  // Nothing should be brought in that nobody asked for.
  bool is_full() const;
  std::uint64_t evicted() const { return evicted_.read(); }

 private:
  struct Candidate {
    bool in_memory = false;
    WallTime last_fetch;
    EntryId id;
    IndexItem item;

    // Whether this one stays longer.
    friend bool operator<(const Candidate& a, const Candidate& b) {
      if (a.in_memory != b.in_memory) return b.in_memory;
      return a.last_fetch < b.last_fetch;
    }
  };
  enum class Progress : std::uint8_t { some, none, store_away };

  bool is_bounded() const;
  // What has to go so that there is room for a while.
  Index::Totals excess() const;
  void schedule(std::chrono::milliseconds delay);
  void run();
  // Those that go next, in order.
  std::vector<Candidate> choose() const;
  Progress evict(std::span<const Candidate> candidates);
  bool evict_one(const Candidate& candidate, const EntryPtr& row);

  Core& core_;
  std::atomic<bool> running_{false};
  Counter evicted_;
};

}  // namespace tiercache::detail
