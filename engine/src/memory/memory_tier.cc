#include "memory/memory_tier.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <string>
#include <utility>

#include "memory/shard.h"

namespace tiercache {
namespace {

constexpr std::size_t kUsualShare = 4 << 20;
// Room for some dozens of entries. A shard of that size evicts nearly the same ones as a single
// order of use for all shards would.
constexpr std::size_t kLeastShare = 128 << 10;
constexpr std::size_t kMostShards = 256;
// Enough that two threads seldom want the same shard at once.
constexpr std::size_t kShardsPerProcessor = 8;
// How many bits of the hash, from the top, may choose the shard.
constexpr unsigned kShardHashBits = 16;

unsigned shard_bits(unsigned shards) {
  return std::min(static_cast<unsigned>(std::bit_width(std::max(shards, 1U))) - 1, kShardHashBits);
}

// What an allocation takes from the heap: the usual malloc puts 8 bytes before it and rounds up to
// 16.
constexpr std::size_t heap_bytes(std::size_t size) {
  return std::max<std::size_t>(32, (size + 8 + 15) / 16 * 16);
}

// What `std::make_shared` allocates: a vtable pointer and two counts before the object.
template <class T>
constexpr std::size_t kSharedBytes = heap_bytes(sizeof(T) + 16);

// What a string takes from the heap, which is nothing for a short one.
std::size_t heap_bytes(const std::string& text) {
  static const std::size_t in_place = std::string().capacity();
  return text.capacity() > in_place ? heap_bytes(text.capacity() + 1) : 0;
}

std::size_t document_bytes(const std::shared_ptr<const std::string>& document) {
  return document ? kSharedBytes<std::string> + heap_bytes(*document) : 0;
}

// Counters in which nothing ever changes, for a tier that shares none with other processes.
std::shared_ptr<const Generations> nobody_else() {
  static const auto alone = std::make_shared<const Generations>();
  return alone;
}

}  // namespace

unsigned MemoryTier::shards_for(std::size_t max_bytes, unsigned processors) {
  const std::size_t by_processors = std::bit_ceil(kShardsPerProcessor * processors);
  const std::size_t wanted =
      std::max(max_bytes / kUsualShare, std::min(max_bytes / kLeastShare, by_processors));
  return static_cast<unsigned>(std::bit_floor(std::clamp<std::size_t>(wanted, 1, kMostShards)));
}

MemoryTier::MemoryTier(std::size_t max_bytes, unsigned shards,
                       std::shared_ptr<const Generations> generations)
    : max_bytes_(max_bytes),
      shard_bits_(shard_bits(shards > 0 ? shards : shards_for(max_bytes, 0))),
      share_(max_bytes >> shard_bits_),
      shards_(std::make_unique<MemoryShard[]>(std::size_t{1} << shard_bits_)),
      generations_(generations ? std::move(generations) : nobody_else()) {
  for (std::size_t i = 0; i < this->shards(); ++i) shards_[i].set_budget(share_, &spare_);
}

MemoryTier::~MemoryTier() = default;

MemoryShard& MemoryTier::shard_of(const KeyRef& key) const {
  return shards_[key.hash >> (64 - kShardHashBits) >> (kShardHashBits - shard_bits_)];
}

// The counter is read first, so that its load is under way while the shard's lock is taken.
MemoryTier::Found MemoryTier::find(const KeyRef& key) {
  const std::uint32_t generation = generations_->of(key.hash);
  Found found = shard_of(key).find(key);
  found.outdated = found.generation != generation;
  return found;
}

MemoryTier::Found MemoryTier::peek(const KeyRef& key) const {
  const std::uint32_t generation = generations_->of(key.hash);
  Found found = shard_of(key).peek(key);
  found.outdated = found.generation != generation;
  return found;
}

MemoryTier::Seen MemoryTier::seen(const KeyRef& key) const {
  const std::uint32_t generation = generations_->of(key.hash);
  return {.writes = shard_of(key).writes(), .generation = generation};
}

bool MemoryTier::put(const KeyRef& key, detail::ResidentPtr resident, const Lifetimes& lifetimes,
                     Pin pin, std::optional<std::uint32_t> generation) {
  const std::size_t charged = charge(key.key, *resident);
  return admit(MemoryShard::Arrival{.key = key,
                                    .resident = std::move(resident),
                                    .lifetimes = lifetimes,
                                    .charge = charged,
                                    .pin = pin,
                                    .generation = generation.value_or(generations_->of(key.hash)),
                                    .seen = std::nullopt});
}

bool MemoryTier::promote(const KeyRef& key, detail::ResidentPtr resident,
                         const Lifetimes& lifetimes, Seen seen, Pin pin) {
  const std::size_t charged = charge(key.key, *resident);
  return admit(MemoryShard::Arrival{.key = key,
                                    .resident = std::move(resident),
                                    .lifetimes = lifetimes,
                                    .charge = charged,
                                    .pin = pin,
                                    .generation = seen.generation,
                                    .seen = seen.writes});
}

template <class Arrival>
bool MemoryTier::admit(Arrival arrival) {
  MemoryShard& shard = shard_of(arrival.key);
  if (arrival.charge <= share_) return shard.admit(arrival);
  const std::size_t borrowed = arrival.loan = borrow(arrival.charge);
  const bool admitted = shard.admit(arrival);
  if (borrowed > 0 && arrival.loan == 0) remember_large(arrival.key);
  spare_.give(arrival.loan);
  return admitted;
}

// Budget is taken first from what nobody has, then a fair part from each shard, then more from
// those that can give it, and at last from entries that came in on a loan before.
std::size_t MemoryTier::borrow(std::size_t bytes) {
  if (bytes > (share_ - MemoryShard::kept_of(share_)) * shards()) return 0;
  std::size_t got = spare_.take(bytes);
  for (std::size_t i = 0; i < shards() && got < bytes; ++i) {
    const std::size_t left = shards() - i;
    got += shards_[i].lend((bytes - got + left - 1) / left);
  }
  for (std::size_t i = 0; i < shards() && got < bytes; ++i) got += shards_[i].lend(bytes - got);
  while (got < bytes) {
    const std::optional<LargeKey> oldest = oldest_large();
    if (!oldest) break;
    const KeyRef key(oldest->dataset, oldest->key);
    shard_of(key).evict_on_loan(key);
    got += spare_.take(bytes - got);
  }
  if (got == bytes) return bytes;
  spare_.give(got);
  return 0;
}

void MemoryTier::remember_large(const KeyRef& key) {
  Lock lock(large_mutex_);
  const auto left = [&](const LargeKey& large) {
    const KeyRef ref(large.dataset, large.key);
    return (large.dataset == key.dataset && large.key == key.key) || !shard_of(ref).is_on_loan(ref);
  };
  // Each of these entries is larger than a share, so there cannot be more of them than shards; when
  // the list is longer, some have left.
  if (large_.size() > shards()) std::erase_if(large_, left);
  large_.push_back({key.dataset, std::string(key.key)});
}

std::optional<MemoryTier::LargeKey> MemoryTier::oldest_large() {
  Lock lock(large_mutex_);
  if (large_.empty()) return std::nullopt;
  LargeKey oldest = std::move(large_.front());
  large_.pop_front();
  return oldest;
}

void MemoryTier::renew(const KeyRef& key, const detail::Resident* resident,
                       const Lifetimes& lifetimes, Seen seen) {
  shard_of(key).renew(key, resident, lifetimes, seen.generation);
}

void MemoryTier::unpin(const KeyRef& key, Version version) {
  shard_of(key).unpin(key, version);
}

void MemoryTier::remove(const KeyRef& key, Version up_to) {
  shard_of(key).remove(key, up_to);
}

std::size_t MemoryTier::remove_matching(std::uint32_t dataset, Version below,
                                        const std::function<bool(std::string_view)>& matches) {
  std::size_t removed = 0;
  for (std::size_t i = 0; i < shards(); ++i) {
    removed += shards_[i].remove_matching(dataset, below, matches);
  }
  return removed;
}

MemoryStats MemoryTier::stats() const {
  MemoryStats total;
  for (std::size_t i = 0; i < shards(); ++i) shards_[i].add_to(&total);
  return total;
}

std::size_t MemoryTier::charge(std::string_view key, const detail::Resident& resident) {
  const std::size_t key_block = NodeKey::needs_block(key) ? heap_bytes(key.size()) : 0;
  return NodeSlab::kBytesPerNode + NodeTable::kBytesPerNode + key_block +
         kSharedBytes<detail::Resident> + document_bytes(resident.entry.document) +
         heap_bytes(resident.entry.metadata) + heap_bytes(resident.entry.cache_version) +
         resident.value_bytes;
}

}  // namespace tiercache
