// How a process learns at once that another one changed an entry file of the shared directory:
// counters that all of them map, one for many keys.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace tiercache {

// `shared`, or where that is null so many counters of this process alone.
inline std::shared_ptr<std::uint32_t> or_private(std::shared_ptr<std::uint32_t> shared,
                                                 std::size_t count) {
  if (shared) return shared;
  return {new std::uint32_t[count]{}, std::default_delete<std::uint32_t[]>()};
}

// Whoever has replaced or removed an entry file counts it here. What memory holds remembers the
// count from before its file was read, and is to be looked up again once the counts differ. A
// process does not count its own changes, so that one alone never looks twice. Counters wrap
// around: after exactly 2^32 changes between two looks one is missed until `memory.ttl`.
// Thread-safe.
class Generations {
 public:
  // Keys share counters, so a change makes memory look up a few others for nothing.
  static constexpr std::size_t kCounters = 1 << 14;

  // The counter of a key. Other bits than those by which memory finds shard and node.
  static std::size_t place(std::uint64_t hash) { return (hash >> 32) % kCounters; }

  // `shared`: that many counters, or null where they cannot be shared: then nothing is noticed.
  explicit Generations(std::shared_ptr<std::uint32_t> shared = nullptr)
      : own_(new std::atomic<std::uint32_t>[kCounters] {}) {
    mapped_.push_back(or_private(std::move(shared), kCounters));
    shared_.store(mapped_.back().get(), std::memory_order_release);
  }

  // Counts in these from now on, as the others on the directory do: the file was deleted and made
  // anew. Whatever memory holds is to be looked up again. One thread at a time.
  void share(std::shared_ptr<std::uint32_t> shared) {
    std::uint32_t* const next = shared.get();
    std::uint32_t* const last = shared_.load(std::memory_order_relaxed);
    mapped_.push_back(std::move(shared));  // readers may still be at the last ones
    for (std::size_t i = 0; i < kCounters; ++i) {
      const std::uint32_t seen = value(last[i]) - own_[i].load(std::memory_order_relaxed);
      own_[i].store(value(next[i]) - (seen + 1), std::memory_order_relaxed);
    }
    shared_.store(next, std::memory_order_release);
  }

  // How often other processes changed the file of a key with this hash (`KeyRef::hash`).
  std::uint32_t of(std::uint64_t hash) const {
    const std::uint32_t all = counter(hash).load(std::memory_order_acquire);
    return all - own_[place(hash)].load(std::memory_order_relaxed);
  }
  // The key's file was changed here: it is what readers see by now.
  void changed(std::uint64_t hash) {
    // In this order a reader in between takes a look too many, never one too few.
    own_[place(hash)].fetch_add(1, std::memory_order_relaxed);
    counter(hash).fetch_add(1, std::memory_order_release);
  }

 private:
  std::atomic_ref<std::uint32_t> counter(std::uint64_t hash) const {
    return std::atomic_ref<std::uint32_t>(shared_.load(std::memory_order_acquire)[place(hash)]);
  }
  static std::uint32_t value(std::uint32_t& counter) {
    return std::atomic_ref<std::uint32_t>(counter).load(std::memory_order_acquire);
  }

  std::atomic<std::uint32_t*> shared_{nullptr};
  std::unique_ptr<std::atomic<std::uint32_t>[]> own_;
  std::vector<std::shared_ptr<std::uint32_t>> mapped_;
};

}  // namespace tiercache
