// A user's file: every public header, and the templates in them made for types of the user's.
// run.sh compiles it with more warnings than most people switch on.
#include <tiercache/asio.h>
#include <tiercache/await.h>
#include <tiercache/http.h>
#include <tiercache/json.h>
#include <tiercache/postgres.h>
#include <tiercache/sqlite.h>
#include <tiercache/testing/faulty_proxy.h>
#include <tiercache/testing/manual_clock.h>
#include <tiercache/testing/memory_file_system.h>
#include <tiercache/testing/memory_store.h>
#include <tiercache/testing/seeded_executor.h>
#include <tiercache/tiercache.h>

#include <chrono>
#include <coroutine>
#include <exception>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace user {

using namespace std::chrono_literals;
using tiercache::RefreshContext;

struct Quote {
  double price = 0;
  std::vector<std::string> places;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Quote, price, places)

struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};

template <class T>
void use(tiercache::Dataset<T> dataset, const T& value) {
  dataset.put("key", value, {.metadata = "{}"});
  dataset.put_async("key", value, {}, [](tiercache::PutReceipt, std::exception_ptr) {});
  dataset.get_async("key", {.deadline = 200ms}, [](tiercache::Snapshot<T>) {});
  const auto snapshot = dataset.get("key", {.max_stale = 5min});
  if (snapshot.has_value()) dataset.put("other", *snapshot);
  dataset.get_or_load(
      "key", tiercache::owning([](RefreshContext&, const T& kept) { return T(kept); }, value));
}

template <class T>
Task wait_for(tiercache::Dataset<T> dataset, tiercache::ValueType<T> value) {
  co_await tiercache::await_put(dataset, "key", value);
  const auto snapshot = co_await tiercache::await_get(dataset, "key");
  if (snapshot.has_value()) co_await tiercache::await_put(dataset, "other", *snapshot);
}

// With a handler: Boost 1.74 has awaitables for g++ alone.
template <class T>
void use_on_asio(tiercache::Dataset<T> dataset, const T& value) {
  tiercache::async_put(dataset, "key", value, {}, [](std::exception_ptr, tiercache::PutReceipt) {});
  tiercache::async_get(dataset, "key", {.deadline = 200ms}, [](tiercache::Snapshot<T>) {});
}

void use_all(tiercache::Cache& cache) {
  const auto texts = cache.dataset("texts", {.keyed = true, .fresh_for = 5min});
  const auto quotes = cache.dataset<Quote>(
      "quotes", {.refresh = tiercache::http::source({.url = "https://example.com/{key}"})});
  const auto numbers = cache.dataset<std::map<std::string, int>>(
      "numbers", {.refresh = [](RefreshContext&) { return std::map<std::string, int>{}; }});
  use<Quote>(quotes, {.price = 1, .places = {}});
  use<std::map<std::string, int>>(numbers, {});
  wait_for<tiercache::JsonText>(texts, "{}");
  wait_for<Quote>(quotes, {});
  use_on_asio<Quote>(quotes, {});
}

std::unique_ptr<tiercache::Cache> open(bool postgres) {
  return std::make_unique<tiercache::Cache>(tiercache::CacheOptions{
      .project = "user",
      .directory = "/nowhere",
      .store = postgres ? tiercache::postgres::open({.url = "postgresql://localhost/user"})
                        : tiercache::sqlite::open({.path = "/nowhere/store.db"})});
}

std::unique_ptr<tiercache::Cache> open_for_a_test() {
  auto clock = std::make_shared<tiercache::testing::ManualClock>();
  return std::make_unique<tiercache::Cache>(
      tiercache::CacheOptions{.project = "user",
                              .directory = "/nowhere",
                              .store = std::make_shared<tiercache::testing::MemoryStore>(clock),
                              .ports = {.clock = clock}});
}

}  // namespace user
