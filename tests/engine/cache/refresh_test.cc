#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

TEST(RefreshPath, missing_document_is_fetched_at_once_then_every_interval) {
  World world;
  auto cache = world.open();
  int calls = 0;
  auto data = cache->dataset(
      "d", {.refresh_every = 1h, .refresh_jitter = 0ms, .refresh = [&](RefreshContext&) {
              return std::to_string(++calls);
            }});
  ASSERT_TRUE(cache->warm_up());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(*data.get(), "1");
  world.executor->run_for(59min);
  EXPECT_EQ(calls, 1);
  world.executor->run_for(2min);
  EXPECT_EQ(calls, 2);
  world.executor->run_for(24h);
  EXPECT_EQ(calls, 26);
  EXPECT_EQ(data.get().freshness(), Freshness::fresh);
}

TEST(RefreshPath, restart_neither_skips_nor_doubles_a_turn) {
  World world;
  int calls = 0;
  DatasetOptions<JsonText> options{
      .refresh_every = 1h, .refresh_jitter = 0ms, .refresh = [&](RefreshContext&) {
        return std::to_string(++calls);
      }};
  auto cache = world.open();
  cache->dataset("d", options);
  ASSERT_TRUE(cache->warm_up());
  world.executor->run_for(30min);
  cache->close();
  cache = world.open();
  cache->dataset("d", options);
  ASSERT_TRUE(cache->warm_up());
  EXPECT_EQ(calls, 1);
  world.executor->run_for(29min);
  EXPECT_EQ(calls, 1);
  world.executor->run_for(2min);
  EXPECT_EQ(calls, 2);
  cache->close();
  world.clock->advance(90min);
  cache = world.open();
  cache->dataset("d", options);
  ASSERT_TRUE(cache->warm_up());
  EXPECT_EQ(calls, 3) << "overdue: once, at once";
}

TEST(RefreshPath, empty_directory_takes_the_stores_timestamps_before_judging) {
  World world;
  int calls = 0;
  DatasetOptions<JsonText> options{
      .refresh_every = 1h, .refresh_jitter = 0ms, .refresh = [&](RefreshContext&) {
        return std::to_string(++calls);
      }};
  auto cache = world.open();
  cache->dataset("d", options);
  ASSERT_TRUE(cache->warm_up());
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.wipe();
  cache = world.open();
  auto data = cache->dataset("d", options);
  ASSERT_TRUE(cache->warm_up());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(*data.get(), "1");
}

TEST(RefreshPath, refresh_gives_what_it_fetched_also_when_it_is_stale_by_then) {
  for (const auto fresh_for : {0ms, 100ms}) {
    World world;
    auto cache = world.open();
    int calls = 0;
    auto data =
        cache->dataset("d", {.fresh_for = fresh_for,
                             .refresh = [&](RefreshContext& context) -> RefreshAnswer<std::string> {
                               world.executor->sleep_for(200ms);
                               if (++calls > 2 && context.previous()) return NotModified{};
                               return std::to_string(calls);
                             }});
    EXPECT_EQ(*data.get(), "1");
    const auto asked = data.refresh();
    ASSERT_TRUE(asked);
    EXPECT_EQ(*asked, "2");
    EXPECT_EQ(asked.passage().source, TierAnswer::hit);
    EXPECT_EQ(asked.freshness(), Freshness::expired);
    const auto confirmed = data.refresh();
    ASSERT_TRUE(confirmed);
    EXPECT_EQ(*confirmed, "2");
    EXPECT_EQ(confirmed.tier(), Tier::source);
  }
}

TEST(RefreshPath, refresh_that_failed_serves_no_more_than_a_read_would) {
  World world;
  auto cache = world.open();
  bool works = true;
  auto data = cache->dataset("d", {.fresh_for = 1s, .refresh = [&](RefreshContext&) {
                                     if (!works) throw std::runtime_error("no");
                                     return std::string("1");
                                   }});
  EXPECT_TRUE(data.get());
  works = false;
  world.executor->run_for(2s);
  EXPECT_FALSE(data.refresh());
}

TEST(RefreshPath, callback_that_outlives_its_call_has_what_it_owns) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true});
  {
    std::string user = "a long enough name to lie on the heap";
    const auto shared = std::make_shared<int>(7);
    const auto answer = data.get_or_load(
        "k",
        owning(
            [](RefreshContext& context, const std::string& who, const std::string& literal,
               const std::shared_ptr<int>& number, const std::function<void()>& wait) {
              wait();
              return '"' + context.key() + literal + who + std::to_string(*number) + '"';
            },
            user, ":", shared,
            std::function<void()>([executor = world.executor] { executor->sleep_for(5s); })),
        {}, {.deadline = 1s});
    EXPECT_FALSE(answer);
    EXPECT_EQ(answer.passage().source, TierAnswer::timed_out);
    user.assign(user.size(), 'x');
  }
  world.executor->run_for(10s);
  EXPECT_EQ(*data.get("k"), "\"k:a long enough name to lie on the heap7\"");
}

TEST(RefreshPath, not_modified_moves_clocks_only) {
  World world;
  auto cache = world.open();
  int calls = 0;
  auto data =
      cache->dataset("d", {.refresh_every = 1h,
                           .refresh_jitter = 0ms,
                           .refresh = [&](RefreshContext& context) -> RefreshAnswer<std::string> {
                             if (++calls == 1) {
                               return Refreshed<std::string>{
                                   .value = "1", .metadata = R"({"etag":"x"})", .fresh_for = {}};
                             }
                             EXPECT_EQ(context.previous_metadata("etag"), "x");
                             EXPECT_EQ(*context.previous()->document, "1");
                             return NotModified{};
                           }});
  ASSERT_TRUE(cache->warm_up());
  const Version version = data.get().version();
  world.executor->run_for(61min);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(data.get().version(), version);
  EXPECT_LT(data.get().age(), 2min);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(world.store->row("test", {"d", ""})->version, version);
  EXPECT_EQ(world.store->row("test", {"d", ""})->clocks.last_fetch, data.get().clocks().last_fetch);
  cache->close();
  cache = world.open();
  data = cache->dataset("d", {});
  EXPECT_LT(data.get().age(), 2min);
  EXPECT_EQ(data.get().metadata(), R"({"etag":"x"})");
}

TEST(RefreshPath, entry_that_does_not_decode_is_no_previous_one) {
  for (const bool other_version : {true, false}) {
    World world;
    auto cache = world.open();
    cache->dataset("d", {.keyed = true}).put("k", "1", {.metadata = R"({"etag":"x"})"});
    cache->close();
    cache = world.open();
    bool had_previous = true;
    DatasetOptions<JsonText> options{.keyed = true, .refresh = [&](RefreshContext& context) {
                                       had_previous = context.previous() != nullptr;
                                       return std::string("{}");
                                     }};
    if (other_version) {
      options.cache_version = "2";
    } else {
      options.validate = [](const std::string& text) { return text.starts_with('{'); };
    }
    auto data = cache->dataset("d", options);
    EXPECT_EQ(*data.get("k"), "{}");
    EXPECT_FALSE(had_previous);
  }
}

TEST(RefreshPath, refused_document_keeps_the_last_good_one) {
  World world;
  auto cache = world.open();
  std::string answer = "[1]";
  auto data =
      cache->dataset("d", {.refresh_every = 1h,
                           .refresh_jitter = 0ms,
                           .stale_for = 48h,
                           .refresh = [&](RefreshContext&) { return answer; },
                           .validate = [](const std::string& text) { return text != "[]"; }});
  ASSERT_TRUE(cache->warm_up());
  for (const char* bad : {"[]", "{\"a\":1,\"a\":2}", "<html>busy</html>", ""}) {
    answer = bad;
    world.executor->run_for(2h);
    EXPECT_EQ(*data.get(), "[1]") << bad;
  }
  EXPECT_FALSE(cache->health().sources.at(0).second.working);
  EXPECT_GT(cache->stats().datasets.at(0).refresh_failures, 0u);
  answer = "[2]";
  world.executor->run_for(10min);
  EXPECT_EQ(*data.get(), "[2]");
  EXPECT_TRUE(cache->health().sources.at(0).second.working);
}

TEST(RefreshPath, emergency_refresh_runs_the_rich_callback_too_and_moves_both_clocks) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.rich_refresh_every = 24h,
                                   .refresh = [](RefreshContext&) { return "\"plain\""; },
                                   .rich_refresh =
                                       [](RefreshContext& context) {
                                         EXPECT_TRUE(context.rich());
                                         return "[" + *context.previous()->document + ",\"rich\"]";
                                       }});
  EXPECT_EQ(*data.get(), R"(["plain","rich"])");
  const auto info = data.info();
  ASSERT_TRUE(info.has_value());
  EXPECT_TRUE(info->last_fetch.has_value());
  EXPECT_EQ(info->last_fetch, info->last_rich_fetch);
}

TEST(RefreshPath, failure_of_one_cadence_does_not_bring_the_other_ones_turn_forward) {
  World world;
  auto cache = world.open();
  bool failing = false;
  int plain = 0;
  int rich = 0;
  const auto fetch = [&](int& calls) {
    return [&](RefreshContext&) -> RefreshAnswer<std::string> {
      ++calls;
      if (failing) throw std::runtime_error("the source is down");
      return std::string("\"document\"");
    };
  };
  auto data = cache->dataset("d", {.refresh_every = 10min,
                                   .rich_refresh_every = 24h,
                                   .stale_for = 24h,
                                   .refresh = fetch(plain),
                                   .rich_refresh = fetch(rich)});
  ASSERT_TRUE(cache->warm_up());
  ASSERT_EQ(plain, 1);
  ASSERT_EQ(rich, 1);
  failing = true;
  world.executor->run_for(3h);
  EXPECT_GE(plain, 10) << "tried again";
  EXPECT_EQ(rich, 1) << "not due for a day";
  failing = false;
  world.executor->run_for(20h);
  EXPECT_EQ(rich, 1);
  world.executor->run_for(3h);
  EXPECT_EQ(rich, 2) << "its own turn is kept";
}

TEST(RefreshPath, failed_turn_is_tried_again_after_the_back_off_and_not_before) {
  World world;
  auto cache = world.open();
  bool failing = true;
  std::vector<SteadyTime> asked;
  auto data = cache->dataset("d", {.refresh_every = 10min,
                                   .retry_first = 1min,
                                   .refresh = [&](RefreshContext&) -> RefreshAnswer<std::string> {
                                     asked.push_back(world.clock->steady_now());
                                     if (failing) throw std::runtime_error("the source is down");
                                     return std::string("1");
                                   }});
  world.executor->run_for(1h);
  ASSERT_GE(asked.size(), 12u) << "at most 5 min apart";
  ASSERT_LE(asked.size(), 60u);
  failing = false;
  world.executor->run_for(5min);
  EXPECT_EQ(*data.peek(), "1");
}

TEST(RefreshPath, emergency_flag_off_makes_a_miss_an_outcome) {
  World world;
  auto cache = world.open([](CacheOptions& o) { o.flags.emergency_refresh = false; });
  int calls = 0;
  auto data = cache->dataset("d", {.keyed = true, .refresh = [&](RefreshContext&) {
                                     ++calls;
                                     return std::string("1");
                                   }});
  const auto miss = data.get("k");
  EXPECT_FALSE(miss.has_value());
  EXPECT_EQ(miss.passage().source, TierAnswer::disabled);
  EXPECT_EQ(calls, 0);
}

TEST(RefreshPath, get_or_load_saves_with_its_own_lifetime) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true});
  int calls = 0;
  const auto load = [&](RefreshContext&) { return std::to_string(++calls); };
  EXPECT_EQ(*data.get_or_load("k", load, ttl::kLong), "1");
  world.executor->run_for(30min);
  EXPECT_EQ(*data.get_or_load("k", load, ttl::kLong), "1");
  world.executor->run_for(31min);
  EXPECT_EQ(*data.get_or_load("k", load, ttl::kLong), "2");
  EXPECT_EQ(calls, 2);
}

TEST(RefreshPath, future_last_fetch_is_due_at_once) {
  World world;
  Entry entry;
  entry.version = Version{1ull << 40, 1};
  entry.document = std::make_shared<const std::string>("\"old\"");
  entry.checksum = Checksum::of(*entry.document);
  entry.clocks.last_fetch = world.clock->wall_now() + 2h;
  world.store->put_row("test", {"d", ""}, entry);
  auto cache = world.open();
  int calls = 0;
  auto data = cache->dataset("d", {.refresh_every = 1h, .refresh = [&](RefreshContext&) {
                                     ++calls;
                                     return std::string("\"new\"");
                                   }});
  ASSERT_TRUE(cache->warm_up());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(*data.get(), "\"new\"");
}

TEST(RefreshPath, another_machines_fresher_row_is_taken_instead_of_asking_the_source) {
  World world;
  auto cache = world.open();
  int calls = 0;
  auto data = cache->dataset(
      "d", {.refresh_every = 1h, .refresh_jitter = 0ms, .refresh = [&](RefreshContext&) {
              return std::to_string(++calls);
            }});
  ASSERT_TRUE(cache->warm_up());
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(50min);
  Entry theirs = *world.store->row("test", {"d", ""});
  theirs.version.time += 1 << 20;
  theirs.document = std::make_shared<const std::string>("\"theirs\"");
  theirs.checksum = Checksum::of(*theirs.document);
  theirs.clocks.last_fetch = world.clock->wall_now();
  world.store->put_row("test", {"d", ""}, theirs);
  world.executor->run_for(15min);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(*data.get(), "\"theirs\"");
  world.executor->run_for(1h);
  EXPECT_EQ(calls, 2);
}

TEST(RefreshPath, hung_callback_is_abandoned_by_close_and_its_result_ignored) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true, .refresh = [&](RefreshContext&) {
                                     world.executor->sleep_for(24h);
                                     return std::string("1");
                                   }});
  std::uint64_t abandoned = 0;
  data.get_async("k", {.deadline = 1s},
                 [&](Snapshot<JsonText>) { abandoned = cache->close(100ms).abandoned_callbacks; });
  ASSERT_TRUE(world.run_until([&] { return abandoned > 0; }, 1min));
  EXPECT_EQ(abandoned, 1u);
  EXPECT_EQ(world.entry_files(), 0u);
}

TEST(RefreshOnSchedule, source_that_has_none_is_asked_once_an_interval) {
  for (const bool document : {false, true}) {
    World world;
    auto cache = world.open();
    int asked = 0;
    DatasetOptions<JsonText> options;
    options.not_found_for = 0ms;
    options.refresh_every = 1h;
    options.refresh_jitter = 0ms;
    options.refresh = [&](RefreshContext&) -> RefreshAnswer<std::string> {
      ++asked;
      return NotFound{};
    };
    auto data = cache->dataset("d", options);
    if (document) data.put("", "1");
    world.executor->run_for(4h + 30min);
    EXPECT_GE(asked, 4) << document;
    EXPECT_LE(asked, 6) << document;
  }
}

TEST(RefreshOnSchedule, rich_source_that_has_none_does_not_hold_up_the_plain_one) {
  World world;
  auto cache = world.open();
  int plain = 0, rich = 0;
  DatasetOptions<JsonText> options;
  options.refresh_every = 1h;
  options.rich_refresh_every = 24h;
  options.refresh = [&](RefreshContext&) -> RefreshAnswer<std::string> {
    return std::to_string(++plain);
  };
  options.rich_refresh = [&](RefreshContext&) -> RefreshAnswer<std::string> {
    ++rich;
    return NotFound{};
  };
  auto data = cache->dataset("d", options);
  world.executor->run_for(72h + 30min);
  EXPECT_GE(plain, 65) << "but for the jitter, one an hour";
  EXPECT_GE(rich, 3);
  EXPECT_LE(rich, 5);
}

}  // namespace
}  // namespace tiercache::testing
