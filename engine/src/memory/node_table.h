// Finds nodes by the hash of their key.
#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "memory/node_slab.h"

namespace tiercache {

// An open-addressed table of node numbers, each beside a tag of 32 bits of the key's hash. The tag
// decides the place, so the table moves and grows without looking at a node, and nearly every slot
// of another key is passed over without touching its node. Probing is linear, so that a search
// reads one or two cache lines in a row. Erasing shifts back what follows, so that there are no
// tombstones to clean up (Knuth, "The Art of Computer Programming" 3, 6.4, algorithm R). Not
// thread-safe; allocates only in its constructor.
class NodeTable {
 public:
  struct Slot {
    std::uint32_t tag = 0;
    NodeNumber node = kNoNode;
  };
  // An average: between loads of 3/8 and 3/4 a node takes 11 to 21 bytes of the table.
  static constexpr std::size_t kBytesPerNode = 16;

  // Slots for a table, made outside the lock. `slots` is a power of two.
  class Room {
   public:
    Room() = default;
    explicit Room(std::size_t slots) : slots_(std::make_unique<Slot[]>(slots)), mask_(slots - 1) {
      assert(std::has_single_bit(slots));
    }
    std::size_t slots() const { return slots_ ? mask_ + 1 : 0; }

   private:
    friend class NodeTable;
    std::unique_ptr<Slot[]> slots_;
    std::size_t mask_ = 0;
  };

  NodeTable() : room_(kFirstSlots) {}

  // The node in `slab` that has this tag and for which `is_it` is true; `kNoNode` if there is none.
  template <class Predicate>
  NodeNumber find(std::uint32_t tag, const NodeSlab& slab, Predicate is_it) const {
    for (std::size_t at = home(tag);; at = after(at)) {
      const Slot slot = room_.slots_[at];
      if (slot.node == kNoNode) return kNoNode;
      if (slot.tag == tag && is_it(slab[slot.node])) return slot.node;
    }
  }

  // True when the table must grow before the next `insert`.
  bool full() const { return size_ >= room_.slots() / 4 * 3; }
  std::size_t next_slots() const { return room_.slots() * 2; }
  // Moves everything over. `room` holds the old slots afterwards, which can then be freed outside
  // the lock.
  void grow_into(Room& room);

  // The node must not be in the table yet, and the table must not be `full()`.
  void insert(std::uint32_t tag, NodeNumber node);
  // The node must be in the table.
  void erase(std::uint32_t tag, NodeNumber node);
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kFirstSlots = 64;

  std::size_t home(std::uint32_t tag) const { return tag & room_.mask_; }
  std::size_t after(std::size_t at) const { return (at + 1) & room_.mask_; }
  // How far `at` lies behind `from`, going round at the end.
  std::size_t distance(std::size_t from, std::size_t at) const { return (at - from) & room_.mask_; }
  void place(Slot slot);

  Room room_;
  std::size_t size_ = 0;
};

}  // namespace tiercache
