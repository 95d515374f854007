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
#include "memory/spare_budget.h"
#include "memory/spin_lock.h"

namespace tiercache {

// Thread-safe. The calls mean what those of `MemoryTier` mean.
//
// At all times its bytes are within the budget or all of them are pinned. The budget is its share
// of the tier's, less what it has lent, and the charges of its own entries on loan: those too large
// for a share, for which others gave up budget. What was lent comes back by way of the spare budget
// once such an entry leaves.
//
// Under the lock nothing is allocated or freed. A write that needs room gives up the lock, makes it
// in its `Baggage`, and starts over; residents and long keys that leave go into it, to die after
// unlock.
class alignas(128) MemoryShard {
 public:
  using Found = MemoryTier::Found;
  using Pin = MemoryTier::Pin;

  // What comes in by `put` (no stamp) or `promote`.
  struct Arrival {
    const KeyRef& key;
    detail::ResidentPtr resident;
    const Lifetimes& lifetimes;
    std::size_t charge;
    Pin pin;
    std::uint32_t generation;
    std::optional<std::uint64_t> stamp;  // the shard's count of writes
    std::size_t loan = 0;                // budget brought along: `charge` or nothing
  };

  // Before first use.
  void set_budget(std::size_t share, SpareBudget* spare);

  Found find(const KeyRef& key);
  Found peek(const KeyRef& key) const;
  // How many came so far.
  std::uint64_t writes() const;
  // `put` and `promote`. A loan that was used is 0 afterwards.
  bool admit(Arrival& arrival);
  void renew(const KeyRef& key, const detail::Resident* resident, const Lifetimes& lifetimes,
             std::uint32_t generation);
  void unpin(const KeyRef& key, Version version);
  void remove(const KeyRef& key, Version up_to);
  std::size_t remove_matching(std::uint32_t dataset, Version below,
                              const std::function<bool(std::string_view)>& matches);
  void add_to(MemoryStats* total) const;

  // The least of its share that a shard keeps for itself.
  static constexpr std::size_t kept_of(std::size_t share) { return share / 8; }
  // Gives up to `wanted` bytes of its budget away, evicting for that; how many.
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
  void return_loan(Node& node) TIERCACHE_REQUIRES(lock_);
  // Gets back what was lent, as far as there is spare budget.
  void refill() TIERCACHE_REQUIRES(lock_);
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
  std::size_t budget_ TIERCACHE_GUARDED_BY(lock_) = 0;
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
  std::size_t on_loan_ TIERCACHE_GUARDED_BY(lock_) = 0;  // charges of its entries on loan
  std::size_t share_ = 0;
  SpareBudget* spare_ = nullptr;
};

}  // namespace tiercache
