// The awaitable headers: a plain coroutine type, and Boost.Asio.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <coroutine>
#include <exception>
#include <filesystem>
#include <future>

#include "engine/cache/world.h"
#include "tiercache/asio.h"
#include "tiercache/await.h"

namespace tiercache::testing {
namespace {

// The least coroutine type there is.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

Detached write_and_read(Dataset<JsonText> data, std::string& seen, bool& refused) {
  const PutReceipt receipt = co_await await_put(data, "k", std::string("1"));
  auto snapshot = co_await await_get(data, "k");
  seen = *snapshot;
  refused = false;
  try {
    co_await await_put(data, "k", std::string("2"), {.if_version = Version{1, 1}});
  } catch (const VersionConflict&) {
    refused = true;
  }
  EXPECT_TRUE(receipt.journaled);
}

TEST(Awaitable, plain_coroutine_awaits_reads_and_writes) {
  World world;
  auto cache = world.open();
  std::string seen;
  bool refused = false;
  write_and_read(cache->dataset("d", {.keyed = true}), seen, refused);
  ASSERT_TRUE(world.run_until([&] { return refused; }, 1min));
  EXPECT_EQ(seen, "1");
}

#if defined(BOOST_ASIO_HAS_CO_AWAIT)
TEST(Awaitable, boost_asio_coroutine_resumes_on_its_own_executor) {
  World world;
  auto cache = world.open([](CacheOptions& options) {
    options.ports.executor = nullptr;
    options.ports.clock = nullptr;
  });
  auto data = cache->dataset("d", {.keyed = true, .refresh = [](RefreshContext& context) {
                                     return '"' + context.key() + '"';
                                   }});
  boost::asio::io_context io;
  std::string seen;
  std::exception_ptr failure;
  const auto here = std::this_thread::get_id();
  boost::asio::co_spawn(
      io,
      [&]() -> boost::asio::awaitable<void> {
        const auto loaded = co_await async_get(data, "from-source", {}, boost::asio::use_awaitable);
        EXPECT_TRUE(std::this_thread::get_id() == here);
        const auto receipt =
            co_await async_put(data, "k", "\"put\"", {}, boost::asio::use_awaitable);
        EXPECT_TRUE(receipt.journaled);
        seen = *loaded + *co_await async_get(data, "k", {}, boost::asio::use_awaitable);
        try {
          co_await async_put(data, "k", "{", {}, boost::asio::use_awaitable);
        } catch (const InvalidDocument&) {
          seen += " refused";
        }
      },
      [&](std::exception_ptr error) { failure = error; });
  io.run();
  EXPECT_FALSE(failure);
  EXPECT_EQ(seen, "\"from-source\"\"put\" refused");
}
#endif

}  // namespace
}  // namespace tiercache::testing
