#include "memory/shard.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>
#include <vector>

namespace tiercache {

struct MemoryShard::Baggage {
  // The residents and long keys that have left, to be freed after the lock is given up.
  static constexpr std::size_t kDoomed = 4;
  std::array<detail::ResidentPtr, kDoomed> residents;
  std::array<KeyBlock, kDoomed> keys;
  std::size_t doomed = 0;

  // What a new node may need. `wanted` says what of it the last try lacked.
  KeyBlock key;
  NodeSlab::Chunk chunk;
  NodeTable::Room room;
  struct Wanted {
    bool key = false;
    std::size_t chunk_nodes = 0;
    std::size_t slots = 0;
  } wanted;

  bool full() const { return doomed == kDoomed; }

  // Called between two tries, outside the lock.
  void prepare(std::string_view key_text) {
    for (; doomed > 0; --doomed) {
      residents[doomed - 1].reset();
      keys[doomed - 1].reset();
    }
    if (wanted.key) key = NodeKey::make_block(key_text);
    if (wanted.chunk_nodes > 0) chunk = NodeSlab::Chunk(wanted.chunk_nodes);
    if (wanted.slots > 0) room = NodeTable::Room(wanted.slots);
    wanted = {};
  }
};

namespace {

// Fetches the cache line in which `resident` counts its references; it lies just before the object,
// where `std::make_shared` has put it. Counting is a locked instruction, which waits for all
// earlier stores and would begin to fetch the line only then.
inline void prefetch_count(const detail::ResidentPtr& resident) {
  constexpr std::uintptr_t kBefore = 2 * sizeof(void*);
  const auto at = reinterpret_cast<std::uintptr_t>(resident.get()) - kBefore;
  __builtin_prefetch(reinterpret_cast<const void*>(at), 1);
}

inline MemoryTier::Found found(const Node& node) {
  return {.resident = node.resident,
          .lifetimes = node.lifetimes,
          .pinned = node.state == Node::State::pinned,
          .generation = node.generation};
}

}  // namespace

MemoryShard::Found MemoryShard::find(const KeyRef& key) {
  const SpinGuard lock(lock_);
  const NodeNumber number = find_node(key);
  if (number == kNoNode) return {};
  const Node& node = slab_[number];
  prefetch_count(node.resident);
  if (node.state != Node::State::pinned) slab_.move_to_front(number);
  return found(node);
}

MemoryShard::Found MemoryShard::peek(const KeyRef& key) const {
  const SpinGuard lock(lock_);
  const NodeNumber number = find_node(key);
  if (number == kNoNode) return {};
  return found(slab_[number]);
}

std::uint64_t MemoryShard::writes() const {
  const SpinGuard lock(lock_);
  return writes_;
}

void MemoryShard::set_budget(std::size_t share, SpareBudget* spare) {
  const SpinGuard lock(lock_);
  share_ = budget_ = share;
  spare_ = spare;
}

bool MemoryShard::admit(Arrival& arrival) {
  for (Baggage baggage;; baggage.prepare(arrival.key.key)) {
    const SpinGuard lock(lock_);
    const Step step = try_admit(arrival, baggage);
    if (step != Step::again) return step == Step::done;
  }
}

MemoryShard::Step MemoryShard::try_admit(Arrival& arrival, Baggage& baggage) {
  NodeNumber number = find_node(arrival.key);
  if (refuses(arrival, number)) {
    if (arrival.seen) ++refused_promotions_;
    return Step::refused;
  }
  // The key was not written since `seen` was asked, so `seen` may be moved up to now. What
  // this call evicts to make room may raise the floor above the old one, and the arrival would
  // then be refused on its next try.
  if (arrival.seen) arrival.seen = writes_;
  if (bytes_ + arrival.charge > budget_) refill();
  if (!can_hold(arrival, number)) {
    turn_away(arrival, number, baggage);
    return Step::done;
  }
  // An entry on loan brings its own budget and takes it away again, so it needs no room here.
  const std::size_t coming = arrival.charge - arrival.loan;
  std::size_t leaving = 0;
  if (number != kNoNode) {
    leaving = slab_[number].on_loan ? 0 : slab_[number].charge;
    if (slab_[number].state == Node::State::evictable) slab_.move_to_front(number);
  }
  if (!make_room(leaving, coming, number, baggage)) return Step::again;
  if (number == kNoNode) number = make_node(arrival.key, baggage);
  if (number == kNoNode) return Step::again;
  fill(number, arrival);
  return Step::done;
}

bool MemoryShard::refuses(const Arrival& arrival, NodeNumber number) const {
  if (number == kNoNode) return arrival.seen && floor_ > *arrival.seen;
  const Node& node = slab_[number];
  if (arrival.seen && node.written_at > *arrival.seen) return true;
  return arrival.resident->entry.version < node.resident->entry.version;
}

bool MemoryShard::can_hold(const Arrival& arrival, NodeNumber number) const {
  if (arrival.pin == Pin::yes) return true;
  if (number != kNoNode && slab_[number].state == Node::State::pinned) return true;
  const std::size_t leaving_loan =
      number != kNoNode && slab_[number].on_loan ? slab_[number].charge : 0;
  return bytes_pinned_ + arrival.charge - arrival.loan + leaving_loan <= budget_;
}

void MemoryShard::turn_away(const Arrival& arrival, NodeNumber number, Baggage& baggage) {
  ++too_large_;
  if (!arrival.seen) count_write_of_absent();
  if (number != kNoNode) drop(number, baggage);
}

bool MemoryShard::make_room(std::size_t leaving, std::size_t coming, NodeNumber spared,
                            Baggage& baggage) {
  while (bytes_ - leaving + coming > budget_) {
    const NodeNumber victim = slab_.least_recent();
    if (victim == kNoNode || victim == spared) return true;
    if (baggage.full()) return false;
    drop(victim, baggage);
    ++evictions_;
  }
  return true;
}

NodeNumber MemoryShard::make_node(const KeyRef& key, Baggage& baggage) {
  const bool lacks_chunk = slab_.full() && baggage.chunk.nodes() != slab_.next_chunk_nodes();
  const bool lacks_slots = table_.full() && baggage.room.slots() != table_.next_slots();
  const bool lacks_key = NodeKey::needs_block(key.key) && baggage.key == nullptr;
  if (lacks_chunk) baggage.wanted.chunk_nodes = slab_.next_chunk_nodes();
  if (lacks_slots) baggage.wanted.slots = table_.next_slots();
  baggage.wanted.key = lacks_key;
  if (lacks_chunk || lacks_slots || lacks_key) return kNoNode;

  if (slab_.full()) slab_.add_chunk(std::move(baggage.chunk));
  if (table_.full()) table_.grow_into(baggage.room);
  const NodeNumber number = slab_.take();
  Node& node = slab_[number];
  node.key.assign(key.key, std::move(baggage.key));
  node.dataset = key.dataset;
  node.tag = static_cast<std::uint32_t>(key.hash);
  node.written_at = floor_;
  table_.insert(node.tag, number);
  return number;
}

void MemoryShard::fill(NodeNumber number, Arrival& arrival) {
  Node& node = slab_[number];
  std::swap(node.resident, arrival.resident);
  node.lifetimes = arrival.lifetimes;
  node.generation = arrival.generation;
  if (!arrival.seen || arrival.pin == Pin::yes) node.written_at = ++writes_;
  set_charge(node, arrival.charge);
  if (arrival.loan > 0) {
    node.on_loan = true;
    on_loan_ += arrival.loan;
    budget_ += std::exchange(arrival.loan, 0);
  }
  if (arrival.pin == Pin::yes) {
    node.pin_for(node.resident->entry.version);
    set_state(node, number, Node::State::pinned);
  } else if (node.state == Node::State::free) {
    set_state(node, number, Node::State::evictable);
  }
}

void MemoryShard::set_state(Node& node, NodeNumber number, Node::State state) {
  if (node.state == state) return;
  if (node.state == Node::State::evictable) slab_.unlink(number);
  if (node.state == Node::State::pinned) bytes_pinned_ -= node.charge;
  node.state = state;
  if (state == Node::State::evictable) slab_.push_front(number);
  if (state == Node::State::pinned) bytes_pinned_ += node.charge;
}

void MemoryShard::set_charge(Node& node, std::size_t charge) {
  if (node.on_loan) return_loan(node);
  bytes_ += charge - node.charge;
  if (node.state == Node::State::pinned) bytes_pinned_ += charge - node.charge;
  node.charge = charge;
}

void MemoryShard::return_loan(Node& node) {
  node.on_loan = false;
  on_loan_ -= node.charge;
  budget_ -= node.charge;
  spare_->give(node.charge);
}

void MemoryShard::refill() {
  const std::size_t own = budget_ - on_loan_;
  if (own < share_) budget_ += spare_->take(share_ - own);
}

std::size_t MemoryShard::lend(std::size_t wanted) {
  for (Baggage baggage;; baggage.prepare({})) {
    const SpinGuard lock(lock_);
    const std::size_t own = budget_ - on_loan_;
    wanted = std::min(wanted, own - std::min(own, kept_of(share_)));
    if (!make_room(0, wanted, kNoNode, baggage)) continue;
    const std::size_t given = std::min(wanted, budget_ - std::min(budget_, bytes_));
    budget_ -= given;
    return given;
  }
}

void MemoryShard::evict_on_loan(const KeyRef& key) {
  Baggage baggage;
  const SpinGuard lock(lock_);
  const NodeNumber number = find_node(key);
  if (number == kNoNode || !slab_[number].on_loan) return;
  if (slab_[number].state != Node::State::evictable) return;
  drop(number, baggage);
  ++evictions_;
}

bool MemoryShard::is_on_loan(const KeyRef& key) const {
  const SpinGuard lock(lock_);
  const NodeNumber number = find_node(key);
  return number != kNoNode && slab_[number].on_loan;
}

void MemoryShard::drop(NodeNumber number, Baggage& baggage) {
  assert(!baggage.full());
  Node& node = slab_[number];
  table_.erase(node.tag, number);
  set_charge(node, 0);
  set_state(node, number, Node::State::free);
  floor_ = std::max(floor_, node.written_at);
  baggage.residents[baggage.doomed] = std::move(node.resident);
  baggage.keys[baggage.doomed] = node.key.release_block();
  ++baggage.doomed;
  slab_.give_back(number);
}

void MemoryShard::renew(const KeyRef& key, const detail::Resident* resident,
                        const Lifetimes& lifetimes, std::uint32_t generation) {
  const SpinGuard lock(lock_);
  const NodeNumber number = find_node(key);
  if (number == kNoNode || slab_[number].resident.get() != resident) return;
  slab_[number].lifetimes = lifetimes;
  slab_[number].generation = generation;
}

void MemoryShard::unpin(const KeyRef& key, Version version) {
  Baggage baggage;
  const SpinGuard lock(lock_);
  const NodeNumber number = find_node(key);
  if (number == kNoNode) return;
  Node& node = slab_[number];
  if (node.state != Node::State::pinned || node.pinned_for() > version) return;
  if (bytes_ <= budget_) {
    set_state(node, number, Node::State::evictable);
  } else {
    drop(number, baggage);
    ++evictions_;
  }
}

void MemoryShard::remove(const KeyRef& key, Version up_to) {
  Baggage baggage;
  const SpinGuard lock(lock_);
  const NodeNumber number = find_node(key);
  if (number != kNoNode && slab_[number].resident->entry.version > up_to) return;
  count_write_of_absent();
  if (number != kNoNode) drop(number, baggage);
}

bool MemoryShard::remove_below(const KeyRef& key, Version below) {
  Baggage baggage;
  const SpinGuard lock(lock_);
  const NodeNumber number = find_node(key);
  if (number == kNoNode || slab_[number].resident->entry.version >= below) return false;
  drop(number, baggage);
  return true;
}

struct MemoryShard::KeyBatch {
  static constexpr std::size_t kNodes = 128;  // as many are visited under the lock at a time
  NodeNumber next = 1;
  bool more = true;
  std::string chars;
  std::vector<std::size_t> ends;  // where each key ends in `chars`
  std::size_t wanted = 16 << 10;  // how much room `chars` is given

  // Called outside the lock.
  void prepare() {
    chars.clear();
    chars.reserve(wanted);
    ends.clear();
    ends.reserve(kNodes);
  }
  bool takes(std::string_view key) const { return chars.size() + key.size() <= chars.capacity(); }
};

void MemoryShard::collect(std::uint32_t dataset, KeyBatch& batch) const {
  const NodeNumber end = slab_.end();
  for (std::size_t visited = 0; visited < KeyBatch::kNodes; ++visited, ++batch.next) {
    batch.more = batch.next < end;
    if (!batch.more) return;
    const Node& node = slab_[batch.next];
    if (node.state == Node::State::free || node.dataset != dataset) continue;
    const std::string_view key = node.key.view();
    if (!batch.takes(key)) {
      batch.wanted = std::max(batch.wanted, key.size());
      return;
    }
    batch.chars += key;
    batch.ends.push_back(batch.chars.size());
  }
}

std::size_t MemoryShard::remove_matching(std::uint32_t dataset, Version below,
                                         const std::function<bool(std::string_view)>& matches) {
  {
    const SpinGuard lock(lock_);
    count_write_of_absent();
  }
  std::size_t removed = 0;
  for (KeyBatch batch; batch.more;) {
    batch.prepare();
    {
      const SpinGuard lock(lock_);
      collect(dataset, batch);
    }
    std::size_t begin = 0;
    for (const std::size_t end : batch.ends) {
      const std::string_view key = std::string_view(batch.chars).substr(begin, end - begin);
      if (matches(key) && remove_below(KeyRef(dataset, key), below)) ++removed;
      begin = end;
    }
  }
  return removed;
}

void MemoryShard::add_to(MemoryStats* total) const {
  const SpinGuard lock(lock_);
  total->entries += table_.size();
  total->bytes_charged += bytes_;
  total->bytes_pinned += bytes_pinned_;
  total->evictions += evictions_;
  total->refused_promotions += refused_promotions_;
  total->too_large += too_large_;
}

}  // namespace tiercache
