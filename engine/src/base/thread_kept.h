// A value that each thread keeps from one use to the next, so that using it allocates nothing.
#pragma once

#include <optional>

namespace tiercache {

// Made on the stack, by one user per thread and type at a time. At exit the thread's own values are
// destroyed before the program's static ones; a static cache that closes after that gets a value of
// its own.
template <class T>
class ThreadKept {
 public:
  ThreadKept() : value_(kept()) {
    if (value_ == nullptr) value_ = &own_.emplace();
  }
  ThreadKept(const ThreadKept&) = delete;
  ThreadKept& operator=(const ThreadKept&) = delete;

  T& operator*() { return *value_; }
  T* operator->() { return value_; }

 private:
  struct Slot {
    T value;
    ~Slot() { gone_ = true; }
  };
  static T* kept() {
    if (gone_) return nullptr;
    thread_local Slot slot;
    return &slot.value;
  }

  static inline thread_local bool gone_ = false;
  std::optional<T> own_;
  T* value_;
};

}  // namespace tiercache
