// The in-memory tier: a bounded, sharded LRU map from key to resident entry.
//
// A shard is a slab of nodes with the key inline, an open-addressed table of node numbers and the
// nodes' order of use, a list that is kept in an array of its own, all under one short spin lock. A
// hit takes that lock for tens of nanoseconds, copies one shared_ptr and does no I/O, no allocation
// and no virtual call.
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
#include "base/lifetimes.h"
#include "base/mutex.h"
#include "memory/spare_budget.h"
#include "tiercache/detail/resident.h"
#include "tiercache/version.h"

namespace tiercache {

struct MemoryStats {
  std::uint64_t entries = 0;
  std::uint64_t bytes_charged = 0;  // keys, documents, decoded values, node and table overhead
  std::uint64_t bytes_pinned = 0;   // the part that cannot be evicted yet
  std::uint64_t evictions = 0;
  std::uint64_t refused_promotions = 0;
  std::uint64_t too_large = 0;  // arrivals that were not kept because they were too large
};

class MemoryShard;

// Thread-safe. Documents, values and keys are freed by the calling thread, outside the locks. The
// table and the nodes of a shard grow as needed and do not shrink. Each entry is charged an average
// for them; what they take beyond that, or less, is not counted.
class MemoryTier {
 public:
  // How many shards for so many processors: eight each, and more if 4 MiB or more are left to a
  // share; fewer if a share would be less than 128 KiB; at most 256. A power of two.
  static unsigned shards_for(std::size_t max_bytes, unsigned processors);

  // `max_bytes` is the budget of all shards together, in equal shares; with 0 only what is pinned
  // is kept. What is pinned takes from its shard's share first, and is never refused. For an entry
  // larger than a share all shards give up budget, up to seven eighths of theirs, until it leaves;
  // if that is not enough, the entries that came in this way longest ago are evicted. An entry that
  // is not pinned and is larger than what can be had is not kept, rather than evict all others for
  // it. `shards` is a power of two; 0 chooses by the budget alone, the same on every machine.
  // `generations` tells what other processes have changed; null if nobody is to be noticed.
  MemoryTier(std::size_t max_bytes, unsigned shards = 0,
             std::shared_ptr<const Generations> generations = nullptr);
  ~MemoryTier();
  MemoryTier(const MemoryTier&) = delete;
  MemoryTier& operator=(const MemoryTier&) = delete;

  struct Found {
    detail::ResidentPtr resident;  // null for a miss
    Lifetimes lifetimes;
    bool pinned = false;
    std::uint32_t generation = 0;  // of its file, as of when that was looked at (`Generations::of`)
    bool outdated = false;         // others have changed its file since, or one of a few others
  };
  // Looks the key up and marks it as recently used. Lifetimes are not judged; the caller compares
  // them.
  Found find(const KeyRef& key);
  // The same without changing the order of use.
  Found peek(const KeyRef& key) const;

  // How much was written so far, here and by other processes. Asked before a lower tier is read,
  // and handed back with what it served, so that memory can tell whether the key was written since.
  struct Seen {
    std::uint64_t writes = 0;  // of the key's shard
    std::uint32_t generation = 0;

    friend bool operator==(const Seen&, const Seen&) = default;
  };
  Seen seen(const KeyRef& key) const;

  enum class Pin : std::uint8_t { no, yes };
  // Replaces an entry of an older version, or of an equal one, whose clocks have then moved.
  // Returns false and does nothing if the one there is newer (I3). Counts as a write of the key for
  // promotions. A pinned node is not evicted until `unpin`; if it is replaced it stays pinned.
  // Returns true for an entry that is too large to be kept; what is older has made way for it.
  // `generation` is what others had changed, as of `seen`, when the version was chosen; without
  // it, what they have changed so far.
  bool put(const KeyRef& key, detail::ResidentPtr resident, const Lifetimes& lifetimes, Pin pin,
           std::optional<std::uint32_t> generation = std::nullopt);
  // Takes in what a lower tier has served. Returns false if the key was written (put, removed, or
  // promoted with a pin) after `seen`, or if the entry there is newer. If the key is not there, it
  // also returns false when such a write cannot be told from one of another key of the shard that
  // has left since. Otherwise it works like `put`, but is no write unless it pins.
  bool promote(const KeyRef& key, detail::ResidentPtr resident, const Lifetimes& lifetimes,
               Seen seen, Pin pin = Pin::no);
  // Gives new lifetimes to the resident, if it is still `resident`, because its file was looked at
  // after `seen`. Not a write.
  void renew(const KeyRef& key, const detail::Resident* resident, const Lifetimes& lifetimes,
             Seen seen);
  // The file of `version` is there, so the node may be evicted again, as the most recently used
  // one, unless a newer version was put with a pin since. If the shard is over its budget it is
  // evicted at once.
  void unpin(const KeyRef& key, Version version);
  // Forgets the key if its version is not above `up_to`, whether it is pinned or not. Counts as a
  // write unless a newer version stands.
  void remove(const KeyRef& key, Version up_to);
  // Forgets every key of `dataset` for which `matches` is true and whose version is below `below`,
  // whether it is pinned or not. Must be called after the lower tiers have forgotten them:
  // promotions of removed keys are refused if they began before it, and accepted if they began
  // later. `matches` runs outside the locks.
  std::size_t remove_matching(std::uint32_t dataset, Version below,
                              const std::function<bool(std::string_view)>& matches);

  MemoryStats stats() const;
  std::size_t max_bytes() const { return max_bytes_; }
  // True if more than half of the budget waits for its files and cannot be evicted.
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
  // Returns `bytes` if the shards could give up so much budget, else 0.
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
  // The entries that came in on a loan, oldest first; some of them have left since.
  std::deque<LargeKey> large_ TIERCACHE_GUARDED_BY(large_mutex_);
};

}  // namespace tiercache
