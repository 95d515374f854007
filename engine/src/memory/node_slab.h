// The nodes of a memory shard, named by 32-bit numbers, and their order of use.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "memory/memory_tier.h"
#include "memory/node_key.h"

namespace tiercache {

using NodeNumber = std::uint32_t;
inline constexpr NodeNumber kNoNode = 0;

// What a shard knows of a key. A node takes two cache lines; comparing the key needs only the
// first.
struct alignas(64) Node {
  enum class State : std::uint8_t { free, evictable, pinned };

  NodeKey key;
  std::uint32_t dataset = 0;
  std::uint32_t tag = 0;  // decides the key's place in the table
  State state = State::free;
  bool on_loan = false;  // other shards have given up the budget that its charge takes
  detail::ResidentPtr resident;

  Lifetimes lifetimes;
  std::uint64_t written_at = 0;  // the shard's count of writes when this key was last written
  std::size_t charge = 0;
  // While the node is pinned: the version whose file is awaited. Kept in two parts, which leave no
  // gap behind them.
  std::uint64_t pinned_time = 0;
  std::uint32_t pinned_writer = 0;
  std::uint32_t generation = 0;  // of its file, as of when that was last looked at

  Version pinned_for() const { return {pinned_time, pinned_writer}; }
  void pin_for(Version version) {
    pinned_time = version.time;
    pinned_writer = version.writer;
  }
};
static_assert(sizeof(Node) == 128);

// Nodes never move. They are made in chunks of doubling size and are kept for reuse, so a slab is
// as large as the largest number of nodes it has held at once. Not thread-safe; allocates only in
// its constructor.
class NodeSlab {
 public:
  // The order of use is kept apart from the nodes. Moving a node to the front writes to its
  // neighbours; eight links share a cache line, while every node takes two.
  struct Link {
    NodeNumber previous = kNoNode;
    NodeNumber next = kNoNode;
  };
  static constexpr std::size_t kBytesPerNode = sizeof(Node) + sizeof(Link);

  // Raw room for nodes, which are made in it one by one, so that room not used yet costs only
  // address space.
  class Chunk {
   public:
    Chunk() = default;
    explicit Chunk(std::size_t nodes);
    std::size_t nodes() const { return count_; }

   private:
    friend class NodeSlab;
    struct Free {
      void operator()(Node* nodes) const {
        ::operator delete (nodes, std::align_val_t{alignof(Node)});
      }
    };
    std::unique_ptr<Node, Free> nodes_;
    std::unique_ptr<Link[]> links_;
    std::size_t count_ = 0;
  };

  NodeSlab();
  ~NodeSlab();
  NodeSlab(const NodeSlab&) = delete;
  NodeSlab& operator=(const NodeSlab&) = delete;

  // True when a chunk of `next_chunk_nodes()` nodes must be added before the next `take`.
  bool full() const { return first_free_ == kNoNode && end_ == capacity_; }
  std::size_t next_chunk_nodes() const { return kFirstChunk << chunk_count_; }
  void add_chunk(Chunk chunk);

  // Returns a node in its initial state. Must not be called while `full()`.
  NodeNumber take();
  // Takes a node back. Its key and resident must have been moved out, and it must not be in the
  // order of use.
  void give_back(NodeNumber number);

  Node& operator[](NodeNumber number) {
    const Place at = place(number);
    return at.chunk.nodes_.get()[at.offset];
  }
  const Node& operator[](NodeNumber number) const {
    const Place at = place(number);
    return at.chunk.nodes_.get()[at.offset];
  }
  // All nodes made so far have numbers from 1 to below this one.
  NodeNumber end() const { return end_; }

  // The node least recently used; `kNoNode` when there is none in the order of use.
  NodeNumber least_recent() const { return ends_.previous; }
  void push_front(NodeNumber number) {
    link(number) = {.previous = kNoNode, .next = ends_.next};
    link(ends_.next).previous = number;
    ends_.next = number;
  }
  void unlink(NodeNumber number) {
    const Link at = link(number);
    link(at.previous).next = at.next;
    link(at.next).previous = at.previous;
  }
  void move_to_front(NodeNumber number) {
    if (ends_.next == number) return;
    unlink(number);
    push_front(number);
  }

 private:
  static constexpr std::size_t kFirstChunk = 64;
  static constexpr std::size_t kMaxChunks = 26;  // 2^32 - 64 nodes

  struct Place {
    const Chunk& chunk;
    std::size_t offset;
  };
  // Chunk i holds 64 * 2^i numbers from 64 * (2^i - 1) on, so the highest bit of number + 64 tells
  // i.
  Place place(NodeNumber number) const {
    const std::uint64_t shifted = number + kFirstChunk;
    const int top = std::bit_width(shifted) - 1;
    return {chunks_[static_cast<std::size_t>(top) - std::bit_width(kFirstChunk) + 1],
            shifted ^ (std::uint64_t{1} << top)};
  }
  Link& link(NodeNumber number) {
    if (number == kNoNode) return ends_;
    const Place at = place(number);
    return at.chunk.links_[at.offset];
  }

  // The order is a ring through `ends_`, which stands for number 0: its next is the most recently
  // used node, its previous the least. It comes first so that it shares the cache line of the lock
  // before the slab. The nodes given back form a list through `next`.
  Link ends_;
  NodeNumber first_free_ = kNoNode;
  NodeNumber end_ = 1;
  std::uint64_t capacity_ = 0;
  std::size_t chunk_count_ = 0;
  std::array<Chunk, kMaxChunks> chunks_;
};

}  // namespace tiercache
