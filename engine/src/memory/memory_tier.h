// The in-memory tier: a bounded, sharded LRU map from key to resident entry.
//
// A shard is a slab of nodes with the key inline, an open-addressed table of node numbers and an
// LRU list through the nodes, under one short spin lock. A hit takes that lock for tens of
// nanoseconds, copies one shared_ptr and does no I/O, no allocation and no virtual call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/annotations.h"
#include "base/generations.h"
#include "base/key_ref.h"
#include "base/mutex.h"
#include "memory/spare_budget.h"
#include "tiercache/detail/resident.h"
#include "tiercache/version.h"

namespace tiercache {

// Monotonic milliseconds, the resolution of memory lifetimes.
using Ticks = std::int64_t;
inline constexpr Ticks kForeverTicks = INT64_MAX;

// Until when a resident may be served, and how.
struct Lifetimes {
  Ticks trusted_until = 0;  // before: without looking at the file (memory.ttl)
  Ticks fresh_until = 0;    // before: fresh
  Ticks stale_until = 0;    // before: stale; from then on expired
  Ticks fetched_at = 0;     // for the age; may be negative
};

struct MemoryStats {
  std::uint64_t entries = 0;
  std::uint64_t bytes_charged = 0;  // keys, documents, decoded values, node and table overhead
  std::uint64_t bytes_pinned = 0;   // the part that cannot be evicted yet
  std::uint64_t evictions = 0;
  std::uint64_t refused_promotions = 0;
  std::uint64_t too_large = 0;  // arrivals that were not kept, being too large
};

class MemoryShard;

// Thread-safe. Documents, values and keys are freed by the calling thread and outside the locks.
// The table and the nodes of a shard grow as needed and do not shrink; what they lack or have spare
// beside what their entries are charged is not counted.
class MemoryTier {
 public:
  // How many shards for so many processors: eight each, and more where 4 MiB or more are left to a
  // share; fewer where a share would be less than 128 KiB; at most 256. A power of two.
  static unsigned shards_for(std::size_t max_bytes, unsigned processors);

  // `max_bytes`: the budget over all shards, shared out evenly; 0 keeps only what is pinned. What
  // is pinned takes from its shard's share first and is never refused. For an entry larger than a
  // share all shards give up budget, up to seven eighths of theirs, until it leaves; where that is
  // not enough, the entries that came in so longest ago are evicted. An entry that is not pinned
  // and larger than what can be had is not kept, rather than evicting all others for itself.
  // `shards`: a power of two; 0 chooses by the budget alone, the same on every machine.
  // `generations`: what other processes changed; null: they are not noticed.
  MemoryTier(std::size_t max_bytes, unsigned shards = 0,
             std::shared_ptr<const Generations> generations = nullptr);
  ~MemoryTier();
  MemoryTier(const MemoryTier&) = delete;
  MemoryTier& operator=(const MemoryTier&) = delete;

  struct Found {
    detail::ResidentPtr resident;  // null: a miss
    Lifetimes lifetimes;
    bool pinned = false;
    std::uint32_t generation = 0;  // others' changes of its file, when that was looked at
    bool outdated = false;         // there were more since, or of a few other files
  };
  // Looks up and marks as recently used. Does not judge lifetimes; the caller compares.
  Found find(const KeyRef& key);
  // The same without touching the LRU order.
  Found peek(const KeyRef& key) const;

  // What was written here and by others so far, to be taken before a lower tier is read.
  struct Stamp {
    std::uint64_t writes = 0;  // of the key's shard
    std::uint32_t generation = 0;

    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  Stamp stamp(const KeyRef& key) const;

  enum class Pin : std::uint8_t { no, yes };
  // Replaces what is older by (version), or of equal version (then clocks have moved). False and
  // nothing done when what is there is newer (I3). Counts as a write of the key for promotions. A
  // pinned node is not evicted until `unpin`; replacing a pinned node keeps it pinned. True for an
  // entry too large to be kept: what is older has made way for it. `generation`: what others had
  // changed, as of `stamp`, when the version was chosen; absent: what they have changed so far.
  bool put(const KeyRef& key, detail::ResidentPtr resident, const Lifetimes& lifetimes, Pin pin,
           std::optional<std::uint32_t> generation = std::nullopt);
  // Takes in what a lower tier served. False when a write of this key (put, remove, touch) came
  // after `stamp`, or when what is there is newer; where the key is not there, also when such a
  // write cannot be told from one of another key of the shard that has left since. Otherwise as
  // `put`; without a pin it is no write.
  bool promote(const KeyRef& key, detail::ResidentPtr resident, const Lifetimes& lifetimes,
               Stamp stamp, Pin pin = Pin::no);
  // Gives new lifetimes to the resident if it is still `resident`, its file having been looked at
  // after `stamp`. Not a write.
  void renew(const KeyRef& key, const detail::Resident* resident, const Lifetimes& lifetimes,
             Stamp stamp);
  // The file of `version` is there: the node may be evicted again, as the most recently used one,
  // unless a newer version was put with a pin since.
  void unpin(const KeyRef& key, Version version);
  // Forgets the key if its version is not above `up_to`, pinned or not. Counts as a write unless a
  // newer version stands.
  void remove(const KeyRef& key, Version up_to);
  // Forgets every key of `dataset` for which `matches` is true and whose version is below `below`,
  // pinned or not. Call it after the lower tiers forgot them: promotions that began before it are
  // refused where it removed, later ones are taken. `matches` runs outside the locks.
  std::size_t remove_matching(std::uint32_t dataset, Version below,
                              const std::function<bool(std::string_view)>& matches);

  MemoryStats stats() const;
  std::size_t max_bytes() const { return max_bytes_; }
  // More than half of the budget waits for its files and cannot be evicted.
  bool is_half_pinned() const { return stats().bytes_pinned > max_bytes_ / 2; }
  // What a node of this key and resident is charged.
  static std::size_t charge(std::string_view key, const detail::Resident& resident);

 private:
  struct LargeKey {
    std::uint32_t dataset;
    std::string key;
  };

  std::size_t shards() const { return std::size_t{1} << shard_bits_; }
  MemoryShard& shard_of(const KeyRef& key) const;
  template <class Arrival>
  bool admit(Arrival arrival);
  // `bytes` of budget that the shards gave up, or 0 where there is not so much to be had.
  std::size_t borrow(std::size_t bytes);
  void remember_large(const KeyRef& key);
  std::optional<LargeKey> oldest_large();

  std::size_t max_bytes_;
  unsigned shard_bits_;
  std::size_t share_;
  SpareBudget spare_;
  std::unique_ptr<MemoryShard[]> shards_;
  const std::shared_ptr<const Generations> generations_;
  Mutex large_mutex_;
  // What came in on a loan, oldest first. Some have left since.
  std::deque<LargeKey> large_ TIERCACHE_GUARDED_BY(large_mutex_);
};

}  // namespace tiercache
