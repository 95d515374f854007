// Opt-in: reads and writes as Boost.Asio operations, for any completion token.
//
//     auto snapshot =
//         co_await tiercache::async_get(activities, "key", {}, boost::asio::use_awaitable);
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "tiercache/dataset.h"

namespace tiercache {

namespace detail {
template <class Handler>
auto resume_on_executor(Handler&& handler);
}

// Reads as `Dataset::get` does, and completes on the handler's executor with a `Snapshot<T>`. For a
// bad key or a closed cache that has no value, as with `Dataset::get_async`.
template <class T, class Token>
auto async_get(Dataset<T> dataset, std::string key, GetOptions options, Token&& token) {
  return boost::asio::async_initiate<Token, void(Snapshot<T>)>(
      [](auto&& handler, Dataset<T> from, std::string of, GetOptions with) {
        from.get_async(std::move(of), with,
                       detail::resume_on_executor(std::forward<decltype(handler)>(handler)));
      },
      token, std::move(dataset), std::move(key), options);
}

// Writes as `Dataset::put` does, and completes on the handler's executor with an exception pointer
// (null on success; `use_awaitable` throws it) and the receipt. `options.metadata` must live until
// the operation begins, which with lazy tokens such as `use_awaitable` is when it is awaited.
template <class T, class Token>
auto async_put(Dataset<T> dataset, std::string key, ValueType<T> value, PutOptions options,
               Token&& token) {
  return boost::asio::async_initiate<Token, void(std::exception_ptr, PutReceipt)>(
      [](auto&& handler, Dataset<T> to, std::string of, ValueType<T> what, PutOptions with) {
        auto resume = detail::resume_on_executor(std::forward<decltype(handler)>(handler));
        to.put_async(std::move(of), what, with,
                     [resume](PutReceipt receipt, std::exception_ptr error) {
                       resume(std::move(error), receipt);
                     });
      },
      token, std::move(dataset), std::move(key), std::move(value), std::move(options));
}

// --- Implementation ---

namespace detail {

// Returns a function that calls the handler on its executor, and keeps both alive until then.
template <class Handler>
auto resume_on_executor(Handler&& handler) {
  using Plain = std::decay_t<Handler>;
  auto shared = std::make_shared<Plain>(std::forward<Handler>(handler));
  auto executor = boost::asio::get_associated_executor(*shared);
  return [shared, work = boost::asio::make_work_guard(executor)](auto... results) {
    boost::asio::post(work.get_executor(), [shared, ... results = std::move(results)]() mutable {
      std::move (*shared)(std::move(results)...);
    });
  };
}

}  // namespace detail

}  // namespace tiercache
