// The part of the memory tier's budget that no shard has at the moment.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace tiercache {

// Thread-safe.
class SpareBudget {
 public:
  void give(std::size_t bytes) {
    if (bytes > 0) bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  // Takes up to `wanted` bytes and returns how many it got.
  std::size_t take(std::size_t wanted) {
    std::size_t there = bytes_.load(std::memory_order_relaxed);
    std::size_t taken = std::min(there, wanted);
    while (taken > 0 &&
           !bytes_.compare_exchange_weak(there, there - taken, std::memory_order_relaxed)) {
      taken = std::min(there, wanted);
    }
    return taken;
  }

 private:
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace tiercache
