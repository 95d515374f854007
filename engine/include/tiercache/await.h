// Opt-in: reads and writes as awaitables, for any coroutine type that takes plain awaiters.
// (Boost.Asio has its own: asio.h.)
//
//     Task<void> handle(Request request) {
//       auto snapshot = co_await tiercache::await_get(activities, request.key);
//       …
//     }
//
// What is given to `co_await` is awaited once, and stays where it is until the coroutine has
// resumed, as it does in such an expression.
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

// `co_await` it for what `Dataset::get` would return. A bad key throws `InvalidKey`; of a closed
// cache it is a snapshot without a value (see `Dataset::get_async`), unless memory has one that is
// fresh.
template <class T>
GetAwaitable<T> await_get(Dataset<T> dataset, std::string key = {}, GetOptions options = {}) {
  return GetAwaitable<T>(std::move(dataset), std::move(key), options);
}

// `co_await` it for what `Dataset::put` would return or throw.
template <class T>
PutAwaitable<T> await_put(Dataset<T> dataset, std::string key, ValueType<T> value,
                          PutOptions options = {}) {
  return PutAwaitable<T>(std::move(dataset), std::move(key), std::move(value), std::move(options));
}

// --- What they give to `co_await` ---

// Suspends until the read has ended, unless memory serves at once. Resumes on the cache's executor.
template <class T>
class GetAwaitable {
 public:
  // Begins nothing yet: the read is made when this is awaited.
  GetAwaitable(Dataset<T> dataset, std::string key, GetOptions options)
      : dataset_(std::move(dataset)), key_(std::move(key)), options_(options) {}

  // For the coroutine: true when memory has a fresh value.
  bool await_ready() {
    snapshot_ = dataset_.peek(key_);
    return snapshot_.has_value() && snapshot_.freshness() == Freshness::fresh;
  }
  // For the coroutine: begins the read, and resumes `waiting` when it has ended.
  void await_suspend(std::coroutine_handle<> waiting) {
    dataset_.get_async(key_, options_, [this, waiting](Snapshot<T> snapshot) {
      snapshot_ = std::move(snapshot);
      waiting.resume();
    });
  }
  // For the coroutine: what the read gave.
  Snapshot<T> await_resume() { return std::move(snapshot_); }

 private:
  Dataset<T> dataset_;
  std::string key_;
  GetOptions options_;
  Snapshot<T> snapshot_;
};

// Suspends until the write is as durable as asked; throws what `put` throws. `options.metadata`
// must live until it is awaited.
template <class T>
class PutAwaitable {
 public:
  // Begins nothing yet: the write is made when this is awaited.
  PutAwaitable(Dataset<T> dataset, std::string key, ValueType<T> value, PutOptions options)
      : dataset_(std::move(dataset)),
        key_(std::move(key)),
        value_(std::move(value)),
        options_(std::move(options)) {}

  // For the coroutine: a write always waits.
  bool await_ready() const { return false; }
  // For the coroutine: begins the write, and resumes `waiting` when it has ended.
  void await_suspend(std::coroutine_handle<> waiting) {
    dataset_.put_async(key_, value_, options_,
                       [this, waiting](PutReceipt receipt, std::exception_ptr error) {
                         receipt_ = receipt;
                         error_ = std::move(error);
                         waiting.resume();
                       });
  }
  // For the coroutine: the receipt, or throws.
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
