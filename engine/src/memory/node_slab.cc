#include "memory/node_slab.h"

#include <cassert>
#include <utility>

namespace tiercache {

NodeSlab::Chunk::Chunk(std::size_t nodes)
    : nodes_(static_cast<Node*>(
          ::operator new (nodes * sizeof(Node), std::align_val_t{alignof(Node)}))),
      links_(std::make_unique_for_overwrite<Link[]>(nodes)),
      count_(nodes) {}

NodeSlab::NodeSlab() {
  add_chunk(Chunk(next_chunk_nodes()));
}

NodeSlab::~NodeSlab() {
  for (NodeNumber number = 1; number < end_; ++number) std::destroy_at(&(*this)[number]);
}

void NodeSlab::add_chunk(Chunk chunk) {
  assert(chunk_count_ < kMaxChunks && chunk.nodes() == next_chunk_nodes());
  capacity_ += chunk.nodes();
  chunks_[chunk_count_++] = std::move(chunk);
}

NodeNumber NodeSlab::take() {
  assert(!full());
  if (first_free_ != kNoNode) {
    const NodeNumber number = first_free_;
    first_free_ = link(number).next;
    return number;
  }
  const NodeNumber number = end_++;
  std::construct_at(&(*this)[number]);
  return number;
}

void NodeSlab::give_back(NodeNumber number) {
  Node& node = (*this)[number];
  assert(node.resident == nullptr && node.key.view().empty());
  node.state = Node::State::free;
  link(number).next = first_free_;
  first_free_ = number;
}

}  // namespace tiercache
