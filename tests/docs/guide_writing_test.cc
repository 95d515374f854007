// The code that docs/guide.md shows about writing, waiting, operating and testing, run. What is
// quoted stands between blank lines.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "engine/cache/world.h"
#include "tiercache/asio.h"
#include "tiercache/await.h"
#include "tiercache/testing/store_conformance.h"
#include "tiercache/tiercache.h"

using tiercache::testing::World;
using namespace std::chrono_literals;

namespace {

class GuideWriting : public ::testing::Test {
 protected:
  World world;
  std::unique_ptr<tiercache::Cache> opened = world.open();
  tiercache::Cache& cache = *opened;
  tiercache::Dataset<tiercache::JsonText> carts = cache.dataset("carts", {.keyed = true});
};

TEST_F(GuideWriting, receipts_and_durability) {
  tiercache::PutReceipt receipt = carts.put("42", R"({"items":3})");
  // receipt.journaled: it survives kill -9 and power loss. receipt.version names this write.

  EXPECT_TRUE(receipt.journaled);
  EXPECT_FALSE(receipt.stored);

  receipt = carts.put("42", R"({"items":4})", {.durability = tiercache::Durability::store});
  // receipt.stored: the store has confirmed it too.

  EXPECT_TRUE(receipt.stored);

  carts.put("43", "{}", {.fresh_for = tiercache::ttl::kShort, .metadata = R"({"by":"import"})"});

  EXPECT_EQ(carts.get("43").metadata(), R"({"by":"import"})");
  const std::vector<std::pair<std::string, std::string>> many = {{"1", "{}"}, {"2", "{}"}};

  carts.put_many(many);  // one sync for all of them

  EXPECT_TRUE(carts.contains("2"));
}

TEST_F(GuideWriting, comparing_the_tiers) {
  carts.put("42", "{}");
  EXPECT_TRUE(cache.flush());

  const tiercache::ScrubReport report = cache.scrub({.repair = true, .pause = 10ms});
  std::cout << report.to_string() << '\n';

  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.keys, 1u);
}

TEST(GuideMoving, from_one_store_to_another) {
  using tiercache::Hydrate;
  World world;
  {
    auto opened = world.open();
    tiercache::Cache& cache = *opened;

    auto orders = cache.dataset("orders", {.keyed = true, .hydrate = Hydrate::all()});
    bool all_here = cache.warm_up(10min) && cache.flush(1min);

    for (const char* key : {"1", "2", "3"}) orders.put(key, key);
    EXPECT_TRUE(cache.flush());
    const auto& sqlite = world.store;
    const std::string project = "test";

    std::string cursor;
    do {
      const auto page = sqlite->scan(project, "orders", cursor, 500, tiercache::kNever);
      all_here = all_here && page.status == tiercache::StoreStatus::ok;
      for (const tiercache::ScannedEntry& row : page.entries) {
        const auto here = orders.info(row.id.key);
        all_here = all_here && here && here->version >= row.entry->version;
      }
      cursor = page.next;
    } while (!cursor.empty());

    EXPECT_TRUE(all_here);
    cache.close();
  }
  world.store = std::make_shared<tiercache::testing::MemoryStore>(world.clock);
  world.store->lose_change_cursors();  // not the first one's incarnation
  auto opened = world.open();
  tiercache::Cache& cache = *opened;
  auto orders = cache.dataset("orders", {.keyed = true, .hydrate = Hydrate::all()});
  EXPECT_TRUE(cache.warm_up());
  world.executor->run_for(10s);
  EXPECT_TRUE(cache.health().store_replaced_since);

  const tiercache::ScrubReport moved = cache.scrub({.repair = true});
  const bool in_postgres = cache.flush(10min);

  EXPECT_TRUE(moved.complete && in_postgres);
  EXPECT_FALSE(cache.health().store_replaced_since);
  for (const char* key : {"1", "2", "3"}) {
    const auto row = world.store->row("test", {"orders", key});
    ASSERT_TRUE(row) << key;
    EXPECT_EQ(*row->document, key);
  }
  EXPECT_EQ(*orders.get("2"), "2");
}

TEST_F(GuideWriting, writes_the_store_refused) {
  world.store->set_refusal([](const tiercache::StoreWrite&) { return std::string("no"); });
  carts.put("42", "{}");
  carts.put("43", "{}");
  EXPECT_TRUE(cache.flush());
  world.store->set_refusal({});

  const tiercache::Outbox outbox = cache.outbox();
  for (const tiercache::OutboxWrite& write : outbox.list({.dataset = "carts"}).writes) {
    std::cout << write.id.key << " " << write.version.to_string() << ": " << write.why << '\n';
  }
  outbox.retry({.id = {"carts", "42"}});    // the store was mended: send it again
  outbox.discard({.id = {"carts", "43"}});  // the store is right: take what it has

  EXPECT_TRUE(cache.flush());
  EXPECT_TRUE(carts.contains("42"));
  EXPECT_FALSE(carts.contains("43"));
  EXPECT_EQ(cache.health().parked, 0u);
}

TEST_F(GuideWriting, compare_and_set) {
  auto add_one = [&](const std::string& key) {
    for (;;) {
      auto snapshot = carts.get(key, {.max_stale = std::chrono::milliseconds::max()});
      const int items = snapshot ? nlohmann::json::parse(*snapshot)["items"].get<int>() : 0;
      const std::string document = nlohmann::json({{"items", items + 1}}).dump();
      try {
        return carts.put(key, document, {.if_version = snapshot.version()});
      } catch (const tiercache::VersionConflict&) {
        // Somebody else was first: read again.
      }
    }
  };

  add_one("7");
  add_one("7");
  EXPECT_EQ(*carts.get("7"), R"({"items":2})");
  world.executor->run_for(1h);
  EXPECT_FALSE(carts.get("7")) << "expired";
  add_one("7");
  EXPECT_EQ(*carts.get("7"), R"({"items":3})");
}

TEST_F(GuideWriting, erasing) {
  carts.put("a", "1");
  carts.put("session:1", "1");

  carts.erase("a");
  carts.erase_matching("session:*");
  carts.invalidate("42");

  EXPECT_TRUE(carts.get("a").gone());
  EXPECT_FALSE(carts.contains("session:1"));
}

TEST_F(GuideWriting, handlers) {
  int answered = 0;
  carts.put("42", "{}");

  carts.get_async("42", {.deadline = 200ms}, [&](tiercache::Snapshot<tiercache::JsonText> cart) {
    if (cart) ++answered;
  });
  carts.put_async("42", "{}", {}, [&](tiercache::PutReceipt receipt, std::exception_ptr error) {
    if (!error && receipt.journaled) ++answered;
  });

  EXPECT_EQ(answered, 0) << "never inside the call";
  EXPECT_TRUE(world.run_until([&] { return answered == 2; }, 1min));
}

#if defined(BOOST_ASIO_HAS_CO_AWAIT)
using Carts = tiercache::Dataset<tiercache::JsonText>;

boost::asio::awaitable<std::string> handle(Carts carts, std::string key) {
  using boost::asio::use_awaitable;
  auto cart = co_await tiercache::async_get(carts, key, {.deadline = 200ms}, use_awaitable);
  if (cart) co_return *cart;
  co_await tiercache::async_put(carts, key, "{}", {}, use_awaitable);
  co_return "{}";
}

TEST(GuideAsio, coroutine_resumes_on_its_own_executor) {
  World world;
  auto cache = world.open([](tiercache::CacheOptions& options) {
    options.ports.executor = nullptr;
    options.ports.clock = nullptr;
  });
  boost::asio::io_context io;
  std::string seen;
  boost::asio::co_spawn(io, handle(cache->dataset("carts", {.keyed = true}), "42"),
                        [&](std::exception_ptr, std::string body) { seen = body; });
  io.run();
  EXPECT_EQ(seen, "{}");
}
#endif

TEST_F(GuideWriting, looking_at_the_cache) {
  carts.put("42", "{}");

  const tiercache::Stats stats = cache.stats();
  std::cout << stats.outbox_depth << " writes wait for the store, put p99 is under "
            << stats.put_latency.quantile(0.99).count() << " us\n";
  const tiercache::Health health = cache.health();
  if (!health.store.working) std::cout << "store: " << health.store.why << '\n';

  EXPECT_TRUE(health.all_working());

  std::optional<std::string> after;
  do {
    const tiercache::KeyPage page = carts.keys(after, 100);
    for (const std::string& key : page.keys) std::cout << key << '\n';
    after = page.next;
  } while (after);
}

TEST_F(GuideWriting, ready_and_close) {
  const bool ready = cache.warm_up(5s);

  EXPECT_TRUE(ready);
  carts.put("42", "{}");

  const tiercache::CloseReceipt receipt = cache.close(5s);
  std::cout << receipt.to_string() << '\n';

  EXPECT_EQ(receipt.left_in_outbox, 0u);
  EXPECT_EQ(receipt.dropped, 0u);
}

TEST(GuideFlags, come_from_the_environment_if_the_service_wants) {
  tiercache::CacheOptions options;
  ::setenv("SUPABASE_ENABLED", "false", 1);

  const auto is_on = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr || std::string_view(value) != "false";
  };
  options.flags = {.store_enabled = is_on("SUPABASE_ENABLED"),
                   .emergency_refresh = is_on("EMERGENCY_REFRESH"),
                   .background_retry = is_on("BACKGROUND_RETRY"),
                   .graceful_shutdown = is_on("GRACEFUL_SHUTDOWN")};

  ::unsetenv("SUPABASE_ENABLED");
  EXPECT_FALSE(options.flags.store_enabled);
  EXPECT_TRUE(options.flags.background_retry);
}

// A test of a user's service.

TEST(Rates, survive_a_day_without_the_bank) {
  using namespace tiercache::testing;
  auto clock = std::make_shared<ManualClock>();
  auto executor = std::make_shared<SeededExecutor>(clock, /*seed=*/1);
  auto store = std::make_shared<MemoryStore>(clock);
  MemoryDisk disk;
  tiercache::Cache cache({
      .project = "price-service",
      .directory = "/cache",
      .store = store,
      .ports = {.clock = clock, .executor = executor, .file_system = disk.boot()},
      .seed = 1,
  });

  bool bank_is_up = true;
  auto rates = cache.dataset(
      "rates", {.refresh_every = 1h, .stale_for = 48h, .refresh = [&](tiercache::RefreshContext&) {
                  if (!bank_is_up) throw std::runtime_error("the bank is down");
                  return std::string(R"({"EUR":1.0833})");
                }});
  ASSERT_TRUE(cache.warm_up());

  bank_is_up = false;
  executor->run_for(24h);  // in no time
  EXPECT_EQ(rates.get().freshness(), tiercache::Freshness::stale);
  store->set_fault([](const std::string&) { return StoreFault::unavailable; });
  EXPECT_TRUE(rates.get().has_value());
}

}  // namespace

// The conformance suite, on a store of one's own.

using namespace tiercache::testing;

std::shared_ptr<tiercache::Store> my_store() {
  return std::make_shared<MemoryStore>(tiercache::system_clock());
}

INSTANTIATE_TEST_SUITE_P(MyStore, StoreConformance,
                         testing::Values(StoreUnderTest{.name = "mine", .open = my_store}),
                         store_name);
