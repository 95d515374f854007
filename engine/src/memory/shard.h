// One shard of the memory tier: a part of the keys with a part of the budget under one lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/annotations.h"
#include "memory/memory_tier.h"
#include "memory/node_slab.h"
#include "memory/node_table.h"
#include "memory/spin_lock.h"

namespace tiercache {

// Thread-safe. The calls mean what those of `MemoryTier` mean.
//
// At all times its bytes are within the budget or all of them are pinned.
//
// Under the lock nothing is allocated or freed. A write that needs room gives up the lock, makes it
// in its `Baggage`, and starts over; residents and long keys that leave go into it, to die after
// unlock.
class alignas(128) MemoryShard {
 public:
  using Found = MemoryTier::Found;
  using Stamp = MemoryTier::Stamp;
  using Pin = MemoryTier::Pin;

  // Before first use.
  void set_budget(std::size_t bytes) { budget_ = bytes; }

  Found find(const KeyRef& key);
  Found peek(const KeyRef& key) const;
  Stamp stamp() const;
  bool put(const KeyRef& key, detail::ResidentPtr resident, const Lifetimes& lifetimes, Pin pin);
  bool promote(const KeyRef& key, detail::ResidentPtr resident, const Lifetimes& lifetimes,
               Stamp stamp);
  void renew(const KeyRef& key, const detail::Resident* resident, const Lifetimes& lifetimes);
  void unpin(const KeyRef& key, Version version);
  void remove(const KeyRef& key, Version up_to);
  std::size_t remove_matching(std::uint32_t dataset, Version below,
                              const std::function<bool(std::string_view)>& matches);
  void add_to(MemoryStats* total) const;

 private:
  // What comes in by `put` (no stamp) or `promote`.
  struct Arrival {
    const KeyRef& key;
    detail::ResidentPtr resident;
    const Lifetimes& lifetimes;
    std::size_t charge;
    Pin pin;
    std::optional<Stamp> stamp;
  };
  enum class Step : std::uint8_t { done, refused, again };
  // What a call carries into the locked section and out of it.
  struct Baggage;
  // Keys copied out of the slab, to be matched outside the lock.
  struct KeyBatch;

  bool admit(Arrival arrival);
  Step try_admit(Arrival& arrival, Baggage& baggage) TIERCACHE_REQUIRES(lock_);
  bool refuses(const Arrival& arrival, NodeNumber number) const TIERCACHE_REQUIRES(lock_);
  bool can_hold(const Arrival& arrival, NodeNumber number) const TIERCACHE_REQUIRES(lock_);
  void turn_away(const Arrival& arrival, NodeNumber number, Baggage& baggage)
      TIERCACHE_REQUIRES(lock_);
  // Evicts until `coming` bytes fit where `leaving` go. Never takes `spared`, which stands in
  // front. False when `baggage` was full before that.
  bool make_room(std::size_t leaving, std::size_t coming, NodeNumber spared, Baggage& baggage)
      TIERCACHE_REQUIRES(lock_);
  // `kNoNode` when `baggage` lacks what it takes; it then says so.
  NodeNumber make_node(const KeyRef& key, Baggage& baggage) TIERCACHE_REQUIRES(lock_);
  // Puts the arrival in; the resident that was there leaves in its place.
  void fill(NodeNumber number, Arrival& arrival) TIERCACHE_REQUIRES(lock_);
  void set_state(Node& node, NodeNumber number, Node::State state) TIERCACHE_REQUIRES(lock_);
  void set_charge(Node& node, std::size_t charge) TIERCACHE_REQUIRES(lock_);
  void drop(NodeNumber number, Baggage& baggage) TIERCACHE_REQUIRES(lock_);
  bool remove_below(const KeyRef& key, Version below);
  void collect(std::uint32_t dataset, KeyBatch& batch) const TIERCACHE_REQUIRES(lock_);
  // From now on promotions that began before are refused for keys that have no node.
  void count_write_of_absent() TIERCACHE_REQUIRES(lock_) { floor_ = ++writes_; }

  NodeNumber find_node(const KeyRef& key) const TIERCACHE_REQUIRES(lock_) {
    return table_.find(static_cast<std::uint32_t>(key.hash), slab_, [&key](const Node& node) {
      return node.dataset == key.dataset && node.key.equals(key.key);
    });
  }

  // What every hit touches comes first, in one cache line up to the ends of the order of use.
  std::size_t budget_ = 0;
  mutable SpinLock lock_;
  NodeTable table_ TIERCACHE_GUARDED_BY(lock_);
  NodeSlab slab_ TIERCACHE_GUARDED_BY(lock_);
  std::size_t bytes_ TIERCACHE_GUARDED_BY(lock_) = 0;
  std::size_t bytes_pinned_ TIERCACHE_GUARDED_BY(lock_) = 0;
  // Counts writes. A node remembers the count at its key's last write; no key without a node was
  // written after `floor_`.
  std::uint64_t writes_ TIERCACHE_GUARDED_BY(lock_) = 0;
  std::uint64_t floor_ TIERCACHE_GUARDED_BY(lock_) = 0;
  std::uint64_t evictions_ TIERCACHE_GUARDED_BY(lock_) = 0;
  std::uint64_t refused_promotions_ TIERCACHE_GUARDED_BY(lock_) = 0;
  std::uint64_t too_large_ TIERCACHE_GUARDED_BY(lock_) = 0;
};

}  // namespace tiercache
