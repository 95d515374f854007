#include "memory/memory_tier.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <string>
#include <utility>

#include "memory/shard.h"

namespace tiercache {
namespace {

constexpr std::size_t kLeastShare = 4 << 20;
constexpr std::size_t kMostShards = 256;
constexpr unsigned kShardHashBits = 16;  // of the hash, from the top

unsigned shard_bits(std::size_t max_bytes, unsigned shards) {
  const std::size_t wanted =
      shards > 0 ? shards : std::clamp<std::size_t>(max_bytes / kLeastShare, 1, kMostShards);
  return std::min(static_cast<unsigned>(std::bit_width(wanted)) - 1, kShardHashBits);
}

// What an allocation takes from the heap: the usual malloc puts 8 bytes before it and rounds to 16.
constexpr std::size_t heap_bytes(std::size_t size) {
  return std::max<std::size_t>(32, (size + 8 + 15) / 16 * 16);
}

// What `std::make_shared` allocates: a vtable pointer and two counts before the object.
template <class T>
constexpr std::size_t kSharedBytes = heap_bytes(sizeof(T) + 16);

// What a string has on the heap; a short one has nothing.
std::size_t heap_bytes(const std::string& text) {
  static const std::size_t in_place = std::string().capacity();
  return text.capacity() > in_place ? heap_bytes(text.capacity() + 1) : 0;
}

std::size_t document_bytes(const std::shared_ptr<const std::string>& document) {
  return document ? kSharedBytes<std::string> + heap_bytes(*document) : 0;
}

}  // namespace

MemoryTier::MemoryTier(std::size_t max_bytes, unsigned shards)
    : max_bytes_(max_bytes), shard_bits_(shard_bits(max_bytes, shards)) {
  const std::size_t count = std::size_t{1} << shard_bits_;
  shards_ = std::make_unique<MemoryShard[]>(count);
  for (std::size_t i = 0; i < count; ++i) shards_[i].set_budget(max_bytes / count);
}

MemoryTier::~MemoryTier() = default;

MemoryShard& MemoryTier::shard_of(const KeyRef& key) const {
  return shards_[key.hash >> (64 - kShardHashBits) >> (kShardHashBits - shard_bits_)];
}

MemoryTier::Found MemoryTier::find(const KeyRef& key) {
  return shard_of(key).find(key);
}

MemoryTier::Found MemoryTier::peek(const KeyRef& key) const {
  return shard_of(key).peek(key);
}

MemoryTier::Stamp MemoryTier::stamp(const KeyRef& key) const {
  return shard_of(key).stamp();
}

bool MemoryTier::put(const KeyRef& key, detail::ResidentPtr resident, const Lifetimes& lifetimes,
                     Pin pin) {
  return shard_of(key).put(key, std::move(resident), lifetimes, pin);
}

bool MemoryTier::promote(const KeyRef& key, detail::ResidentPtr resident,
                         const Lifetimes& lifetimes, Stamp stamp) {
  return shard_of(key).promote(key, std::move(resident), lifetimes, stamp);
}

void MemoryTier::renew(const KeyRef& key, const detail::Resident* resident,
                       const Lifetimes& lifetimes) {
  shard_of(key).renew(key, resident, lifetimes);
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
  for (std::size_t i = 0; i >> shard_bits_ == 0; ++i) {
    removed += shards_[i].remove_matching(dataset, below, matches);
  }
  return removed;
}

MemoryStats MemoryTier::stats() const {
  MemoryStats total;
  for (std::size_t i = 0; i >> shard_bits_ == 0; ++i) shards_[i].add_to(&total);
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
