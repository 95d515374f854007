// What an open cache runs later, on its executor.
//
// The cache's parts refer to each other plainly; they all live in one object, the owner. Whatever
// runs later has to make sure that the owner is still there, in one of two ways, and each function
// below says which: it keeps the owner alive until it has run, or it does nothing once the owner
// has gone.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "tiercache/executor.h"

namespace tiercache::detail {

// Thread-safe once it belongs to somebody.
class Tasks {
 public:
  explicit Tasks(Executor& executor) : executor_(executor) {}

  // Once, before anything else.
  void belong_to(std::weak_ptr<const void> owner) { owner_ = std::move(owner); }

  // Runs `task` as soon as the lane has room. It keeps the owner alive until then.
  void post(Lane lane, std::function<void()> task) const;
  // The same without keeping the owner alive; does nothing if that has gone by then.
  void post_if_alive(Lane lane, std::function<void()> task) const;
  // Keeps the owner alive until a time, and runs `task` then.
  Executor::TimerId at(SteadyTime when, Lane lane, std::function<void()> task) const;
  // Runs `task` at a time if the owner is still there, also while the cache closes.
  Executor::TimerId later(SteadyTime when, Lane lane, std::function<void()> task) const;
  // The same, and nothing once the cache has begun to close.
  Executor::TimerId while_open(SteadyTime when, Lane lane, std::function<void()> task) const;
  void cancel(Executor::TimerId timer) const { executor_.cancel(timer); }

  // For functions that somebody else holds: what keeps the owner alive.
  std::shared_ptr<const void> keep() const { return owner_.lock(); }
  // `fn`, which keeps the owner alive as long as it is held.
  template <class Fn>
  auto kept(Fn fn) const;
  // `fn`; once the owner has gone it does nothing, and returns a value of its type made by default.
  template <class Fn>
  auto if_alive(Fn fn) const;

  bool is_open() const { return open_.load(std::memory_order_acquire); }
  // The cache begins to close: `is_open` is false from here on.
  void close() { open_.store(false, std::memory_order_release); }

 private:
  Executor& executor_;
  std::weak_ptr<const void> owner_;
  std::atomic<bool> open_{true};
};

template <class Fn>
auto Tasks::kept(Fn fn) const {
  return [keep = keep(), fn = std::move(fn)](auto&&... arguments) {
    return fn(std::forward<decltype(arguments)>(arguments)...);
  };
}

template <class Fn>
auto Tasks::if_alive(Fn fn) const {
  return [owner = owner_, fn = std::move(fn)](auto&&... arguments) {
    using Result = decltype(fn(std::forward<decltype(arguments)>(arguments)...));
    if (const auto keep = owner.lock()) {
      return fn(std::forward<decltype(arguments)>(arguments)...);
    }
    if constexpr (!std::is_void_v<Result>) return Result();
  };
}

}  // namespace tiercache::detail
