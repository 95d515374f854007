// The lock of a memory shard. What it guards takes tens of nanoseconds, which is less than it costs
// to put a thread to sleep and wake it again, so waiting threads spin.
#pragma once

#include <atomic>

#include "base/annotations.h"
#include "base/mutex.h"

namespace tiercache {

// Tells the processor that this is a spin loop; does nothing if it has no instruction for that.
inline void spin_pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

// A test-and-test-and-set lock: waiting threads read their own copy of the cache line until it
// changes. It is neither fair nor recursive, and is never held over an allocation, I/O or a call
// into foreign code.
class TIERCACHE_CAPABILITY SpinLock {
 public:
  void lock() TIERCACHE_ACQUIRE() {
    while (taken_.exchange(true, std::memory_order_acquire)) {
      while (taken_.load(std::memory_order_relaxed)) spin_pause();
    }
  }
  void unlock() TIERCACHE_RELEASE() { taken_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> taken_{false};
};

using SpinGuard = BasicLock<SpinLock>;

}  // namespace tiercache
