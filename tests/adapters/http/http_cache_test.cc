// A whole cache on an HTTP source.
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

#include "adapters/http/servers.h"
#include "lib/scratch.h"
#include "tiercache/http.h"
#include "tiercache/json.h"
#include "tiercache/tiercache.h"

namespace tiercache::http {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;
using testing::RawServer;
using testing::Server;

struct Rate {
  std::string currency;
  double rate = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Rate, currency, rate)

class HttpCache : public ::testing::Test {
 protected:
  Cache& open() {
    cache_.reset();
    cache_.emplace(CacheOptions{.project = "test", .directory = scratch_.path() / "cache"});
    return *cache_;
  }

  const tiercache::testing::ScratchDirectory scratch_{"http"};
  std::optional<Cache> cache_;
};

TEST_F(HttpCache, document_is_fetched_confirmed_by_304_and_kept_over_a_restart) {
  const Server server([](const httplib::Request& request, httplib::Response& response) {
    response.set_header("ETag", "\"v1\"");
    if (request.get_header_value("If-None-Match") == "\"v1\"") {
      response.status = 304;
      return;
    }
    response.set_content(R"([{"currency":"EUR","rate":1.5}])", "application/json");
  });
  const auto open_rates = [&] {
    return open().dataset<std::vector<Rate>>(
        "rates", {.stale_for = 1h, .refresh = source({.url = server.url()})});
  };
  EXPECT_EQ(open_rates().get("", {.deadline = 60s})->front().currency, "EUR");
  auto again = open_rates();
  const auto before = again.info()->last_fetch;
  const auto snapshot = again.refresh("", 60s);
  EXPECT_EQ(snapshot->front().rate, 1.5);
  EXPECT_GE(again.info()->last_fetch, before);
  EXPECT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(cache_->stats().datasets.at(0).not_modified, 1u);
}

TEST_F(HttpCache, keyed_untyped_dataset_asks_by_key) {
  const Server server([](const httplib::Request& request, httplib::Response& response) {
    if (request.path == "/none") {
      response.status = 404;
      return;
    }
    response.set_content("{\"data\":[\"" + request.path + "\"]}", "application/json");
  });
  auto items = open().dataset(
      "items",
      {.keyed = true, .refresh = source({.url = server.url("/{key}"), .select = "/data"})});
  EXPECT_EQ(*items.get("a b", {.deadline = 60s}), R"(["/a b"])");
  EXPECT_TRUE(items.get("none", {.deadline = 60s}).not_found());
}

TEST_F(HttpCache, document_that_is_no_json_leaves_the_entry_and_is_reported) {
  std::atomic<bool> broken{false};
  const Server server([&](const httplib::Request&, httplib::Response& response) {
    response.set_content(broken ? "{\"a\":\"\xff\"}" : "{\"a\":1}", "application/json");
  });
  auto data = open().dataset("data", {.refresh = source({.url = server.url()})});
  EXPECT_EQ(*data.get("", {.deadline = 60s}), "{\"a\":1}");
  broken = true;
  const auto snapshot = data.refresh("", 60s);
  EXPECT_EQ(*snapshot, "{\"a\":1}");
  EXPECT_THAT(snapshot.passage().source_why, HasSubstr("UTF-8"));
}

TEST_F(HttpCache, close_ends_a_transfer_under_way) {
  std::promise<void> hung_up;
  RawServer server([&](RawServer::Peer& peer) {
    peer.wait_for_hang_up();
    hung_up.set_value();
  });
  Cache& cache = open();
  auto data = cache.dataset(
      "data", {.hard_timeout = 1h, .refresh = source({.url = server.url(), .timeout = 1h})});
  data.get_async("", {.deadline = 1h}, [](const auto&) {});
  server.wait_until_asked(1);
  cache.close(30s);
  EXPECT_EQ(hung_up.get_future().wait_for(60s), std::future_status::ready);
}

TEST_F(HttpCache, failure_in_health_holds_no_secret_I11) {
  const Server server([](const httplib::Request&, httplib::Response& response) {
    response.status = 500;
    response.set_content("secret", "text/plain");
  });
  Cache& cache = open();
  auto data = cache.dataset(
      "data",
      {.refresh = source({.url = server.url("/x?key=secret"), .bearer = [] { return "secret"; }})});
  EXPECT_FALSE(data.get("", {.deadline = 60s}));
  const auto health = cache.health();
  ASSERT_EQ(health.sources.size(), 1u);
  EXPECT_THAT(health.sources.begin()->second.why,
              AllOf(HasSubstr("answered 500"), HasSubstr("/x?key=…"), Not(HasSubstr("secret"))));
}

}  // namespace
}  // namespace tiercache::http
