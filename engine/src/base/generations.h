// How a process learns at once that another one has changed an entry file of the shared directory.
// All processes map the same counters, each of which stands for many keys, and each process keeps
// count of what it has added itself:
//
//     process A                               process B
//                                             has read key k's file into memory; remembers
//                                             of(k) = shared[k] - own[k], here 7
//     replaces k's file
//     changed(k): adds 1 to its own[k]
//                 and to shared[k]
//                                             a read of k finds of(k) = 8, not 7, and so
//                                             looks at the file again
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace tiercache {

// Returns `shared`, or if that is null as many counters as asked for that only this process has.
inline std::shared_ptr<std::uint32_t> or_private(std::shared_ptr<std::uint32_t> shared,
                                                 std::size_t count) {
  if (shared) return shared;
  return {new std::uint32_t[count]{}, std::default_delete<std::uint32_t[]>()};
}

// Whoever has replaced or removed an entry file counts it here. An entry in memory carries the
// count from before its file was read, and must be looked up again once the count differs. A
// process does not count its own changes, so a process that is alone never looks twice. Counters
// wrap around: after exactly 2^32 changes between two looks, a change goes unnoticed until
// `memory.ttl`. Thread-safe.
class Generations {
 public:
  // Keys share counters, so a change also makes memory look up a few other keys in vain.
  static constexpr std::size_t kCounters = 1 << 14;

  // The counter of a key. It is found by other bits of the hash than those by which memory finds
  // shard and node.
  static std::size_t place(std::uint64_t hash) { return (hash >> 32) % kCounters; }

  // `shared` holds `kCounters` counters at least; null if they cannot be shared, and then no change
  // is noticed.
  explicit Generations(std::shared_ptr<std::uint32_t> shared = nullptr)
      : own_(new std::atomic<std::uint32_t>[kCounters] {}) {
    mapped_.push_back(or_private(std::move(shared), kCounters));
    shared_.store(mapped_.back().get(), std::memory_order_release);
  }

  // Counts in these counters from now on, as the other processes on the directory do, because their
  // file was deleted and made anew. Everything in memory must be looked up again. Only one thread
  // at a time may call this.
  void share(std::shared_ptr<std::uint32_t> shared) {
    std::uint32_t* const next = shared.get();
    std::uint32_t* const last = shared_.load(std::memory_order_relaxed);
    mapped_.push_back(std::move(shared));  // the earlier ones stay, as readers may still use them
    for (std::size_t i = 0; i < kCounters; ++i) {
      const std::uint32_t seen = value(last[i]) - own_[i].load(std::memory_order_relaxed);
      own_[i].store(value(next[i]) - (seen + 1), std::memory_order_relaxed);
    }
    shared_.store(next, std::memory_order_release);
  }

  // How often other processes have changed the file of a key with this hash (`KeyRef::hash`).
  std::uint32_t of(std::uint64_t hash) const {
    const std::uint32_t all = counter(hash).load(std::memory_order_acquire);
    return all - own_[place(hash)].load(std::memory_order_relaxed);
  }
  // Counts a change of the key's file by this process; readers must see the new file already.
  void changed(std::uint64_t hash) {
    // In this order a reader in between may look once too often; in the other one it could miss
    // another process's change.
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
