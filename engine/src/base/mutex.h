// The locks of the engine, annotated so that clang checks who holds what. Nobody waits for work or
// I/O while holding one; `Event` is for waiting.
#pragma once

#include <mutex>

#include "base/annotations.h"

namespace tiercache {

class TIERCACHE_CAPABILITY Mutex {
 public:
  void lock() TIERCACHE_ACQUIRE() { mutex_.lock(); }
  void unlock() TIERCACHE_RELEASE() { mutex_.unlock(); }
  bool try_lock() TIERCACHE_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  std::mutex mutex_;
};

// Holds any lockable of this room for a scope.
template <class M>
class TIERCACHE_SCOPED BasicLock {
 public:
  explicit BasicLock(M& mutex) TIERCACHE_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~BasicLock() TIERCACHE_RELEASE() { mutex_.unlock(); }
  BasicLock(const BasicLock&) = delete;
  BasicLock& operator=(const BasicLock&) = delete;

 private:
  M& mutex_;
};

using Lock = BasicLock<Mutex>;

}  // namespace tiercache
