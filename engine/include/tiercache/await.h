// Opt-in: reads and writes as awaitables, for any coroutine type that takes plain awaiters.
// (Boost.Asio has its own: asio.h.)
//
//     Task<void> handle(Request request) {
//       auto snapshot = co_await tiercache::await_get(activities, request.key);
//       …
//     }
//
// Each awaitable may be awaited once, and must stay where it is until the coroutine has resumed.
// Both hold in such an expression.
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "tiercache/dataset.h"

namespace tiercache {

template <class T>
class GetAwaitable;
template <class T>
class PutAwaitable;

// Returns an awaitable for what `Dataset::get` would return. Awaiting it throws `InvalidKey` for a
// bad key. If the cache is closed and memory has no fresh value, it gives a snapshot without a
// value, as `Dataset::get_async` does.
template <class T>
GetAwaitable<T> await_get(Dataset<T> dataset, std::string key = {}, GetOptions options = {}) {
  return GetAwaitable<T>(std::move(dataset), std::move(key), options);
}

// Returns an awaitable for what `Dataset::put` would return or throw. `options.metadata` must live
// until it is awaited.
template <class T>
PutAwaitable<T> await_put(Dataset<T> dataset, std::string key, ValueType<T> value,
                          PutOptions options = {}) {
  return PutAwaitable<T>(std::move(dataset), std::move(key), std::move(value), std::move(options));
}

// --- The awaitables ---

// Suspends the coroutine until the read has ended, unless memory has a fresh value. Resumes it on
// the cache's executor, where it must not block, as the handler of `Dataset::get_async` must not.
// Once the cache is closed it may resume inside the `co_await` instead, on the caller's thread.
template <class T>
class GetAwaitable {
 public:
  // Begins nothing yet: the read is made when this is awaited.
  GetAwaitable(Dataset<T> dataset, std::string key, GetOptions options)
      : dataset_(std::move(dataset)), key_(std::move(key)), options_(options) {}

  // For the coroutine: returns true if memory has a fresh value.
  bool await_ready() {
    snapshot_ = dataset_.peek(key_);
    return snapshot_.has_value() && snapshot_.freshness() == Freshness::fresh;
  }
  // For the coroutine: begins the read, and resumes `waiting` when that has ended.
  void await_suspend(std::coroutine_handle<> waiting) {
    dataset_.get_async(key_, options_, [this, waiting](Snapshot<T> snapshot) {
      snapshot_ = std::move(snapshot);
      waiting.resume();
    });
  }
  // For the coroutine: returns the result of the read.
  Snapshot<T> await_resume() { return std::move(snapshot_); }

 private:
  Dataset<T> dataset_;
  std::string key_;
  GetOptions options_;
  Snapshot<T> snapshot_;
};

// Suspends the coroutine until the write is as durable as it was asked to be. Resumes it where
// `GetAwaitable` does. Throws what `put` throws.
template <class T>
class PutAwaitable {
 public:
  // Begins nothing yet: the write is made when this is awaited.
  PutAwaitable(Dataset<T> dataset, std::string key, ValueType<T> value, PutOptions options)
      : dataset_(std::move(dataset)),
        key_(std::move(key)),
        value_(std::move(value)),
        options_(std::move(options)) {}

  // For the coroutine: returns false, because a write always waits.
  bool await_ready() const { return false; }
  // For the coroutine: begins the write, and resumes `waiting` when that has ended.
  void await_suspend(std::coroutine_handle<> waiting) {
    dataset_.put_async(key_, value_, options_,
                       [this, waiting](PutReceipt receipt, std::exception_ptr error) {
                         receipt_ = receipt;
                         error_ = std::move(error);
                         waiting.resume();
                       });
  }
  // For the coroutine: returns the receipt, or throws.
  PutReceipt await_resume() {
    if (error_) std::rethrow_exception(error_);
    return receipt_;
  }

 private:
  Dataset<T> dataset_;
  std::string key_;
  ValueType<T> value_;
  PutOptions options_;
  PutReceipt receipt_;
  std::exception_ptr error_;
};

}  // namespace tiercache
