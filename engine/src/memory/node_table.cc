#include "memory/node_table.h"

namespace tiercache {

void NodeTable::place(Slot slot) {
  std::size_t at = home(slot.tag);
  while (room_.slots_[at].node != kNoNode) at = after(at);
  room_.slots_[at] = slot;
}

void NodeTable::grow_into(Room& room) {
  assert(room.slots() > room_.slots());
  std::swap(room_, room);
  for (std::size_t at = 0; at < room.slots(); ++at) {
    if (room.slots_[at].node != kNoNode) place(room.slots_[at]);
  }
}

void NodeTable::insert(std::uint32_t tag, NodeNumber node) {
  assert(!full());
  place({tag, node});
  ++size_;
}

void NodeTable::erase(std::uint32_t tag, NodeNumber node) {
  std::size_t hole = home(tag);
  while (room_.slots_[hole].node != node) {
    assert(room_.slots_[hole].node != kNoNode);
    hole = after(hole);
  }
  // The next slot that may stand in the hole moves there and leaves a hole itself, until a free
  // slot ends the run.
  for (std::size_t at = after(hole); room_.slots_[at].node != kNoNode; at = after(at)) {
    const Slot slot = room_.slots_[at];
    if (distance(home(slot.tag), at) < distance(hole, at)) continue;
    room_.slots_[hole] = slot;
    hole = at;
  }
  room_.slots_[hole] = {};
  --size_;
}

}  // namespace tiercache
