// One shard of the memory tier: some of the keys with their part of the budget, under one lock.
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
#include "memory/spare_budget.h"
#include "memory/spin_lock.h"

namespace tiercache {

// Thread-safe. The calls mean what those of `MemoryTier` mean.
//
// At any time the shard's bytes are within its budget, or all of them are pinned. The budget is its
// share of the tier's, less what it has lent, plus the charges of its own entries on loan. Those
// are entries too large for a share, for which other shards have given up budget. Once such an
// entry leaves, what was lent comes back by way of the spare budget.
//
// Nothing is allocated or freed while the lock is held, because others spin meanwhile. A write
// therefore takes its `Baggage` into the locked section and out again; residents and long keys that
// leave go into it too, and die after the lock is given up:
//
//     unlocked   prepare: make what the last try lacked, free what it has evicted
//     locked     try: evict into the baggage, make a node from it, put the arrival in
//                -> done, refused, or again: the baggage lacks something or is full
//
// Each round is complete in itself, so other threads may use the shard between two of them.
class alignas(128) MemoryShard {
 public:
  using Found = MemoryTier::Found;
  using Pin = MemoryTier::Pin;

  // What comes in by `put` (without `seen`) or by `promote`.
  struct Arrival {
    const KeyRef& key;
    detail::ResidentPtr resident;
    const Lifetimes& lifetimes;
    std::size_t charge;
    Pin pin;
    std::uint32_t generation;
    std::optional<std::uint64_t> seen;  // the shard's count of writes as of then
    std::size_t loan = 0;               // budget that it brings along: `charge` or nothing
  };

  // Called once, before the shard is used.
  void set_budget(std::size_t share, SpareBudget* spare);

  Found find(const KeyRef& key);
  Found peek(const KeyRef& key) const;
  // How many writes there have been so far.
  std::uint64_t writes() const;
  // Does `put` and `promote`. False if the arrival was refused. A loan that was used is 0
  // afterwards.
  bool admit(Arrival& arrival);
  void renew(const KeyRef& key, const detail::Resident* resident, const Lifetimes& lifetimes,
             std::uint32_t generation);
  void unpin(const KeyRef& key, Version version);
  void remove(const KeyRef& key, Version up_to);
  std::size_t remove_matching(std::uint32_t dataset, Version below,
                              const std::function<bool(std::string_view)>& matches);
  void add_to(MemoryStats* total) const;

  // How much of its share a shard keeps for itself at least.
  static constexpr std::size_t kept_of(std::size_t share) { return share / 8; }
  // Gives away up to `wanted` bytes of its budget, evicting entries for that. Returns how many.
  std::size_t lend(std::size_t wanted);
  // Evicts the key's entry if it is on loan and not pinned.
  void evict_on_loan(const KeyRef& key);
  bool is_on_loan(const KeyRef& key) const;

 private:
  enum class Step : std::uint8_t { done, refused, again };
  // What a call carries into the locked section and out of it.
  struct Baggage;
  // Keys copied out of the slab, to be matched outside the lock.
  struct KeyBatch;

  Step try_admit(Arrival& arrival, Baggage& baggage) TIERCACHE_REQUIRES(lock_);
  bool refuses(const Arrival& arrival, NodeNumber number) const TIERCACHE_REQUIRES(lock_);
  bool can_hold(const Arrival& arrival, NodeNumber number) const TIERCACHE_REQUIRES(lock_);
  void turn_away(const Arrival& arrival, NodeNumber number, Baggage& baggage)
      TIERCACHE_REQUIRES(lock_);
  // Evicts until `coming` bytes fit in while `leaving` bytes go. Never evicts `spared`, which must
  // be the most recently used. Returns false if `baggage` was full before that.
  bool make_room(std::size_t leaving, std::size_t coming, NodeNumber spared, Baggage& baggage)
      TIERCACHE_REQUIRES(lock_);
  // Returns `kNoNode` when `baggage` lacks what a node needs; `wanted` in it then says what.
  NodeNumber make_node(const KeyRef& key, Baggage& baggage) TIERCACHE_REQUIRES(lock_);
  // Puts the arrival in; it takes away the resident that was there.
  void fill(NodeNumber number, Arrival& arrival) TIERCACHE_REQUIRES(lock_);
  void set_state(Node& node, NodeNumber number, Node::State state) TIERCACHE_REQUIRES(lock_);
  void set_charge(Node& node, std::size_t charge) TIERCACHE_REQUIRES(lock_);
  void return_loan(Node& node) TIERCACHE_REQUIRES(lock_);
  // Takes back what was lent, as far as there is spare budget.
  void refill() TIERCACHE_REQUIRES(lock_);
  void drop(NodeNumber number, Baggage& baggage) TIERCACHE_REQUIRES(lock_);
  bool remove_below(const KeyRef& key, Version below);
  void collect(std::uint32_t dataset, KeyBatch& batch) const TIERCACHE_REQUIRES(lock_);
  // Promotions that have begun before this are refused for keys that have no node.
  void count_write_of_absent() TIERCACHE_REQUIRES(lock_) { floor_ = ++writes_; }

  NodeNumber find_node(const KeyRef& key) const TIERCACHE_REQUIRES(lock_) {
    return table_.find(static_cast<std::uint32_t>(key.hash), slab_, [&key](const Node& node) {
      return node.dataset == key.dataset && node.key.equals(key.key);
    });
  }

  // What every hit touches comes first, up to the ends of the order of use in one cache line.
  std::size_t budget_ TIERCACHE_GUARDED_BY(lock_) = 0;
  mutable SpinLock lock_;
  NodeTable table_ TIERCACHE_GUARDED_BY(lock_);
  NodeSlab slab_ TIERCACHE_GUARDED_BY(lock_);
  std::size_t bytes_ TIERCACHE_GUARDED_BY(lock_) = 0;
  std::size_t bytes_pinned_ TIERCACHE_GUARDED_BY(lock_) = 0;
  // Counts the writes. A node remembers the count at its key's last write, and no key without a
  // node was written after `floor_`.
  std::uint64_t writes_ TIERCACHE_GUARDED_BY(lock_) = 0;
  std::uint64_t floor_ TIERCACHE_GUARDED_BY(lock_) = 0;
  std::uint64_t evictions_ TIERCACHE_GUARDED_BY(lock_) = 0;
  std::uint64_t refused_promotions_ TIERCACHE_GUARDED_BY(lock_) = 0;
  std::uint64_t too_large_ TIERCACHE_GUARDED_BY(lock_) = 0;
  // The charges of this shard's entries on loan.
  std::size_t on_loan_ TIERCACHE_GUARDED_BY(lock_) = 0;
  std::size_t share_ = 0;
  SpareBudget* spare_ = nullptr;
};

}  // namespace tiercache
