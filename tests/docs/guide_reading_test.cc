// The code that docs/guide.md shows about opening and reading, run. What is quoted stands between
// blank lines.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "docs/bank.h"
#include "engine/cache/world.h"
#include "tiercache/json.h"
#include "tiercache/sqlite.h"
#include "tiercache/tiercache.h"

using tiercache::testing::World;
using namespace std::chrono_literals;
using guide::Bank;
using guide::Response;
using tiercache::TierAnswer;

// Typed by nlohmann's functions.

struct Quote {
  std::string symbol;
  double price = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Quote, symbol, price)

// Typed by a codec of one's own.

struct Quota {
  int left = 0;
};

template <>
struct tiercache::Codec<Quota> {
  static std::string encode(const Quota& quota) { return std::to_string(quota.left); }
  static Quota decode(std::string_view document) { return {std::stoi(std::string(document))}; }
  static std::size_t memory_bytes(const Quota&) { return sizeof(Quota); }
};

namespace {

TEST(Guide, opening_on_a_real_directory) {
  std::string pattern = (std::filesystem::temp_directory_path() / "tiercache-XXXXXX").string();
  const std::filesystem::path directory = ::mkdtemp(pattern.data());
  {
    tiercache::Cache cache({
        .project = "price-service",
        .directory = directory / "cache",
        .store = tiercache::sqlite::open((directory / "store.db").string()),
    });

    auto rates = cache.dataset("rates");
    EXPECT_TRUE(rates.put("", R"({"EUR":1.0833})").journaled);
  }
  std::filesystem::remove_all(directory);
}

TEST(Guide, one_document_with_refresh) {
  World world;
  auto opened = world.open();
  tiercache::Cache& cache = *opened;
  Bank bank;

  auto fetch_rates = [&bank](tiercache::RefreshContext&) { return bank.get("/rates").body; };
  auto rates =
      cache.dataset("rates", {.refresh_every = 1h, .stale_for = 24h, .refresh = fetch_rates});
  auto snapshot = rates.get();
  if (snapshot) std::cout << *snapshot << '\n';  // {"EUR":1.0833}

  EXPECT_EQ(*snapshot, R"({"EUR":1.0833})");
  EXPECT_TRUE(cache.warm_up());
  EXPECT_EQ(bank.calls, 1);
}

TEST(Guide, keyed_and_typed) {
  World world;
  auto opened = world.open();
  tiercache::Cache& cache = *opened;

  auto quotes = cache.dataset<Quote>("quotes", {.keyed = true, .fresh_for = 1min});
  quotes.put("ACME", {.symbol = "ACME", .price = 12.5});
  std::cout << quotes.get("ACME")->price << '\n';  // 12.5

  auto quotas = cache.dataset<Quota>("quotas", {.keyed = true});
  quotas.put("strava", {.left = 600});
  EXPECT_EQ(quotas.get("strava")->left, 600);

  const std::string key = tiercache::make_key({"session", "42", "state"});  // session:42:state

  EXPECT_EQ(key, "session:42:state");
}

TEST(Guide, reading_results) {
  World world;
  auto opened = world.open();
  tiercache::Cache& cache = *opened;
  auto quotes = cache.dataset<Quote>("quotes", {.keyed = true});
  std::string said;
  const auto answer = [&](int status, const std::string& text) {
    said = std::to_string(status) + ' ' + text;
  };

  auto reply = [&](const std::string& symbol) {
    auto snapshot = quotes.get(symbol);
    if (snapshot) return answer(200, std::to_string(snapshot->price));
    const TierAnswer source = snapshot.passage().source;
    const bool is_certain = source == TierAnswer::not_asked || source == TierAnswer::gone ||
                            source == TierAnswer::not_found;
    if (is_certain && snapshot.gone()) return answer(410, "it was deleted");
    if (is_certain && snapshot.not_found()) return answer(404, "the exchange does not list it");
    answer(503, snapshot.passage().summary());
  };

  reply("ACME");
  EXPECT_EQ(said, "503 memory: miss; files: miss; store: miss");
  quotes.put("ACME", {"ACME", 2});
  reply("ACME");
  EXPECT_EQ(said.substr(0, 5), "200 2");
  quotes.erase("ACME");
  reply("ACME");
  EXPECT_EQ(said, "410 it was deleted");
}

TEST(Guide, options_of_one_call) {
  World world;
  auto opened = world.open();
  auto quotes = opened->dataset<Quote>("quotes", {.keyed = true, .fresh_for = 1min});
  quotes.put("ACME", {"ACME", 2});
  using tiercache::Reach;

  auto quick = quotes.get("ACME", {.deadline = 50ms, .reach = Reach::local});
  auto exact = quotes.get("ACME", {.max_stale = 0s});     // fresh, or nothing
  auto lenient = quotes.get("ACME", {.max_stale = 24h});  // a day past fresh is good enough

  auto rates = opened->dataset("rates");
  rates.put("", "1");

  auto current = rates.get("", {.deadline = 50ms});

  EXPECT_EQ(*current, "1");
  EXPECT_TRUE(quick && exact && lenient);
  world.executor->run_for(1h);
  EXPECT_FALSE(quotes.get("ACME"));
  EXPECT_FALSE(quotes.get("ACME", {.max_stale = 0s}));
  EXPECT_TRUE(quotes.get("ACME", {.max_stale = 24h}));

  const std::vector<std::string> symbols = {"ACME", "INIT"};
  auto snapshots = quotes.get_many(symbols);  // in the order of the keys

  EXPECT_EQ(snapshots.size(), 2u);
}

class GuideRefresh : public ::testing::Test {
 protected:
  World world;
  std::unique_ptr<tiercache::Cache> opened = world.open();
  tiercache::Cache& cache = *opened;
  Bank bank;
};

TEST_F(GuideRefresh, callback_in_full) {
  using tiercache::NotFound;
  using tiercache::NotModified;

  auto fetch = [&](tiercache::RefreshContext& context) -> tiercache::RefreshAnswer<std::string> {
    const Response response =
        bank.get("/quotes/" + context.key(), context.previous_metadata("etag"));
    if (response.status == 304) return NotModified{};
    if (response.status == 404) return NotFound{};
    if (response.status == 429) throw tiercache::RetryAfter(response.retry_after, "too many calls");
    if (response.status != 200)
      throw std::runtime_error("the bank answers " + std::to_string(response.status));
    const nlohmann::json metadata = {{"etag", response.etag}};
    return tiercache::Refreshed<std::string>{.value = response.body, .metadata = metadata.dump()};
  };
  auto quotes = cache.dataset(
      "quotes", {.keyed = true, .fresh_for = 1min, .stale_for = 1h, .refresh = fetch});

  EXPECT_EQ(*quotes.get("ACME"), bank.next.body);
  EXPECT_EQ(bank.last_path, "/quotes/ACME");
  world.executor->run_for(2min);
  quotes.get("ACME");
  world.executor->run_for(1s);
  EXPECT_EQ(cache.stats().datasets.at(0).not_modified, 1u);
  EXPECT_EQ(quotes.get("ACME").freshness(), tiercache::Freshness::fresh);
  bank.next.status = 404;
  EXPECT_TRUE(quotes.get("NONE").not_found());
  bank.next = {.status = 429, .body = {}, .etag = {}, .retry_after = 60s};
  EXPECT_FALSE(quotes.get("BUSY"));
  const int calls = bank.calls;
  world.executor->run_for(30s);
  EXPECT_FALSE(quotes.get("BUSY"));
  EXPECT_EQ(bank.calls, calls) << "left alone for a minute";
}

TEST_F(GuideRefresh, rich) {
  auto profile = cache.dataset(
      "profile",
      {.refresh_every = 1h,
       .rich_refresh_every = 24h,
       .refresh = [&](tiercache::RefreshContext&) { return std::string(R"({"name":"A"})"); },
       .rich_refresh =
           [&](tiercache::RefreshContext& context) {
             auto document = nlohmann::json::parse(*context.previous()->document);
             document["history"] = {1, 2, 3};
             return document.dump();
           }});

  EXPECT_EQ(*profile.get(), R"({"history":[1,2,3],"name":"A"})");
}

TEST_F(GuideRefresh, get_or_load_and_refresh_on_request) {
  auto sessions = cache.dataset("sessions", {.keyed = true});
  const auto load_session = [](tiercache::RefreshContext& context) {
    return '"' + context.key() + '"';
  };

  auto session = sessions.get_or_load("42", load_session, tiercache::ttl::kSession);

  EXPECT_EQ(*session, "\"42\"");
  const auto shared_bank = std::make_shared<Bank>();
  const std::string user = "7";

  auto visits = sessions.get_or_load(
      "43", tiercache::owning(
                [](tiercache::RefreshContext& context, const std::shared_ptr<Bank>& source,
                   const std::string& who) {
                  return source->get("/visits/" + who + "?session=" + context.key()).body;
                },
                shared_bank, user));

  EXPECT_EQ(*visits, shared_bank->next.body);
  EXPECT_EQ(shared_bank->last_path, "/visits/7?session=43");
  auto rates = cache.dataset(
      "rates", {.refresh = [&](tiercache::RefreshContext&) { return bank.get("/").body; }});

  auto now = rates.refresh();  // asks the source, whatever the age
  const bool answered = now.passage().source == tiercache::TierAnswer::hit;

  EXPECT_TRUE(answered);
}

TEST_F(GuideRefresh, fallback) {
  auto banner = cache.dataset("banner", {.fallback = R"({"text":"Welcome"})"});
  auto shown = banner.get();
  const bool last_resort = shown.is_fallback();  // tier none, freshness expired

  EXPECT_TRUE(last_resort);
  EXPECT_EQ(*shown, R"({"text":"Welcome"})");
}

}  // namespace
