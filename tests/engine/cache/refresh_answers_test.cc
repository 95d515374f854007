// What becomes of each answer that a callback can give.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Answer = RefreshAnswer<std::string>;
using NewText = Refreshed<std::string>;

class RefreshAnswers : public ::testing::Test {
 protected:
  // A keyed dataset whose callbacks answer what `plain` and `rich` do.
  Dataset<JsonText> open(DatasetOptions<JsonText> options = {}) {
    options.keyed = true;
    if (!options.fresh_for) options.fresh_for = 1h;
    options.refresh = [this](RefreshContext& context) {
      ++plain_calls;
      return plain(context);
    };
    return cache->dataset("d", options);
  }
  void with_rich(DatasetOptions<JsonText>& options) {
    options.rich_refresh = [this](RefreshContext& context) {
      ++rich_calls;
      return rich(context);
    };
  }
  // Neither the disk nor the store takes anything from now on.
  void break_tiers() {
    world.disk.set_fault([](const std::string& operation, const std::string&) {
      const bool writes = operation == "write_at" || operation == "open" ||
                          operation == "write_file" || operation == "sync_data";
      return writes ? ENOSPC : 0;
    });
    world.store_down();
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
  std::function<Answer(RefreshContext&)> plain = [](RefreshContext&) { return Answer("1"); };
  std::function<Answer(RefreshContext&)> rich = [](RefreshContext&) { return Answer("\"rich\""); };
  int plain_calls = 0;
  int rich_calls = 0;
};

// --- Of both callbacks of an emergency ---

TEST_F(RefreshAnswers, rich_callback_is_given_what_the_plain_one_brought) {
  DatasetOptions<JsonText> options;
  with_rich(options);
  plain = [](RefreshContext&) { return NewText{.value = "1", .metadata = R"({"etag":"x"})"}; };
  rich = [](RefreshContext& context) {
    EXPECT_TRUE(context.rich());
    EXPECT_EQ(context.previous_metadata("etag"), "x");
    return "[" + *context.previous()->document + "]";
  };
  auto data = open(options);
  EXPECT_EQ(*data.get("k"), "[1]");
  EXPECT_EQ(data.info("k")->last_fetch, data.info("k")->last_rich_fetch);
}

TEST_F(RefreshAnswers, rich_callback_that_adds_nothing_leaves_what_the_plain_one_brought) {
  DatasetOptions<JsonText> options;
  with_rich(options);
  rich = [](RefreshContext&) { return NotModified{}; };
  auto data = open(options);
  EXPECT_EQ(*data.get("k"), "1");
  EXPECT_EQ(rich_calls, 1);
  EXPECT_EQ(data.info("k")->last_fetch, data.info("k")->last_rich_fetch);
}

TEST_F(RefreshAnswers, rich_callback_is_not_asked_about_what_there_is_not) {
  DatasetOptions<JsonText> options;
  with_rich(options);
  plain = [](RefreshContext&) { return NotFound{}; };
  auto data = open(options);
  EXPECT_TRUE(data.get("k").not_found());
  EXPECT_EQ(plain_calls, 1);
  EXPECT_EQ(rich_calls, 0);
}

TEST_F(RefreshAnswers, refresh_of_what_is_there_runs_the_plain_callback_alone) {
  DatasetOptions<JsonText> options;
  with_rich(options);
  auto data = open(options);
  ASSERT_TRUE(data.get("k").has_value());
  const auto rich_fetch = data.info("k")->last_rich_fetch;
  world.clock->advance(1s);
  EXPECT_EQ(*data.refresh("k"), "1");
  EXPECT_EQ(plain_calls, 2);
  EXPECT_EQ(rich_calls, 1);
  EXPECT_EQ(data.info("k")->last_fetch, world.clock->wall_now());
  EXPECT_EQ(data.info("k")->last_rich_fetch, rich_fetch);
}

TEST_F(RefreshAnswers, both_callbacks_run_where_what_was_there_has_expired) {
  DatasetOptions<JsonText> options;
  with_rich(options);
  auto data = open(options);
  data.put("k", "0");
  world.clock->advance(2h);
  EXPECT_EQ(*data.get("k"), "\"rich\"");
  EXPECT_EQ(plain_calls, 1);
  EXPECT_EQ(rich_calls, 1);
}

TEST_F(RefreshAnswers, rich_callback_alone_brings_a_document_too) {
  auto data = cache->dataset("alone", {.rich_refresh_every = 1h, .rich_refresh = rich});
  ASSERT_TRUE(world.run_until([&] { return data.info().has_value(); }, 2h));
  EXPECT_EQ(*data.get("", {.reach = Reach::local, .max_stale = 24h}), "\"rich\"");
}

TEST_F(RefreshAnswers, callback_of_the_call_runs_alone) {
  DatasetOptions<JsonText> options;
  with_rich(options);
  auto data = open(options);
  EXPECT_EQ(*data.get_or_load(
                "k", [](RefreshContext&) { return "7"; }, 1h),
            "7");
  EXPECT_EQ(plain_calls + rich_calls, 0);
  EXPECT_EQ(data.info("k")->last_rich_fetch, std::nullopt);
}

TEST_F(RefreshAnswers, each_cadence_moves_its_own_clock) {
  DatasetOptions<JsonText> options{
      .refresh_every = 1h, .refresh_jitter = 0ms, .rich_refresh_every = 10h + 30min};
  with_rich(options);
  rich = [this](RefreshContext&) -> Answer {
    if (rich_calls == 3) return NotModified{};
    return std::to_string(rich_calls);
  };
  auto data = open(options);
  ASSERT_TRUE(data.get("k").has_value());
  const auto began = *data.info("k")->last_fetch;
  plain = [](RefreshContext&) { return NotModified{}; };
  world.executor->run_for(61min);
  EXPECT_EQ(plain_calls, 2);
  EXPECT_GE(*data.info("k")->last_fetch, began + 1h);
  EXPECT_EQ(data.info("k")->last_rich_fetch, began);
  plain = [](RefreshContext&) { return "[2]"; };
  world.executor->run_for(1h);
  EXPECT_GE(*data.info("k")->last_fetch, began + 2h);
  EXPECT_EQ(data.info("k")->last_rich_fetch, began);
  for (const int turn : {2, 3}) {
    SCOPED_TRACE(turn);
    ASSERT_TRUE(world.run_until([&] { return rich_calls == turn; }, 11h));
    world.executor->run_ready();
    EXPECT_GE(*data.info("k")->last_rich_fetch, began + 10h * (turn - 1));
    EXPECT_LT(*data.info("k")->last_fetch, *data.info("k")->last_rich_fetch);
  }
}

TEST_F(RefreshAnswers, callback_is_told_how_long_it_has) {
  std::optional<SteadyTime> soft;
  std::optional<SteadyTime> hard;
  plain = [&](RefreshContext& context) {
    soft = context.soft_deadline();
    hard = context.hard_deadline();
    return Answer("1");
  };
  const SteadyTime now = world.clock->steady_now();
  auto data = open({.soft_timeout = 2s, .hard_timeout = 20s});
  ASSERT_TRUE(data.get("k").has_value());
  EXPECT_EQ(soft, now + 2s);
  EXPECT_EQ(hard, now + 20s);
  cache = world.open();
  data = open({.soft_timeout = 0ms});
  ASSERT_TRUE(data.refresh("k").has_value());
  EXPECT_EQ(soft, kNever) << "nobody is served before";
}

// --- New documents ---

TEST_F(RefreshAnswers, lifetime_of_the_call_goes_before_that_of_the_answer) {
  auto data = open({.fresh_for = 24h});
  const auto load = [](RefreshContext&) { return NewText{.value = "1", .fresh_for = 1h}; };
  data.get_or_load("answer", load, {});
  data.get_or_load("call", load, 10min);
  world.clock->advance(10min);
  EXPECT_TRUE(data.get("answer", {.reach = Reach::local}).has_value());
  EXPECT_FALSE(data.get("call", {.reach = Reach::local}).has_value());
  world.clock->advance(50min);
  EXPECT_FALSE(data.get("answer", {.reach = Reach::local}).has_value());
}

TEST_F(RefreshAnswers, document_that_validate_throws_at_is_refused_with_what_it_said) {
  auto data = open({.validate = [](const std::string& text) -> bool {
    if (text == "2") throw std::runtime_error("it is even");
    if (text == "3") throw 3;
    return true;
  }});
  plain = [](RefreshContext&) { return "2"; };
  EXPECT_THAT(data.get("a").passage().source_why, HasSubstr("it is even"));
  plain = [](RefreshContext&) { return "3"; };
  EXPECT_THAT(data.get("b").passage().source_why, HasSubstr("the source's document was refused"));
}

// --- Not modified ---

TEST_F(RefreshAnswers, not_modified_where_nothing_is_cached_is_a_failure) {
  plain = [](RefreshContext&) { return NotModified{}; };
  auto data = open();
  const auto read = data.get("k");
  EXPECT_FALSE(read.has_value());
  EXPECT_THAT(read.passage().source_why,
              HasSubstr("the source says «not modified», but nothing is cached"));
  EXPECT_EQ(cache->stats().datasets.at(0).not_modified, 0u);
}

TEST_F(RefreshAnswers, metadata_that_comes_with_not_modified_is_taken_and_none_changes_none) {
  auto data = open();
  data.put("k", "1", {.metadata = R"({"etag":"a"})"});
  plain = [](RefreshContext&) { return NotModified{}; };
  EXPECT_TRUE(data.refresh("k").has_value());
  EXPECT_EQ(data.info("k")->metadata, R"({"etag":"a"})");
  plain = [](RefreshContext&) { return NotModified{.metadata = R"({"etag":"b"})"}; };
  EXPECT_TRUE(data.refresh("k").has_value());
  EXPECT_EQ(data.info("k")->metadata, R"({"etag":"b"})");
  plain = [](RefreshContext&) { return NotModified{.metadata = "[]"}; };
  EXPECT_THAT(data.refresh("k").passage().source_why,
              HasSubstr("the metadata that came with «not modified» is JSON, but not an object"));
  EXPECT_EQ(data.info("k")->metadata, R"({"etag":"b"})");
  EXPECT_EQ(cache->stats().datasets.at(0).not_modified, 2u);
}

// --- Not found ---

TEST_F(RefreshAnswers, not_found_is_remembered_as_long_as_the_dataset_says) {
  plain = [](RefreshContext&) { return NotFound{}; };
  auto data = open({.not_found_for = 10s});
  EXPECT_TRUE(data.get("k").not_found());
  world.clock->advance(10s - 1ms);
  EXPECT_TRUE(data.get("k").not_found());
  EXPECT_EQ(plain_calls, 1);
  world.clock->advance(1ms);
  EXPECT_TRUE(data.get("k").not_found());
  EXPECT_EQ(plain_calls, 2);
  EXPECT_EQ(cache->stats().datasets.at(0).not_found, 2u);
}

TEST_F(RefreshAnswers, not_found_that_is_not_to_be_remembered_takes_no_place_in_memory) {
  plain = [](RefreshContext&) { return NotFound{}; };
  auto data = open({.not_found_for = 0ms});
  EXPECT_TRUE(data.get("k").not_found());
  EXPECT_EQ(cache->stats().memory_entries, 0u);
  EXPECT_TRUE(data.get("k").not_found());
  EXPECT_EQ(plain_calls, 2);
}

TEST_F(RefreshAnswers, not_found_erases_nothing_where_there_is_nothing) {
  plain = [](RefreshContext&) { return NotFound{}; };
  auto data = open({.not_found_erases = true});
  EXPECT_TRUE(data.get("k").not_found());
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(world.store->row("test", {"d", "k"}), nullptr);
}

TEST_F(RefreshAnswers, not_found_erases_where_the_dataset_says_so_and_only_there) {
  plain = [](RefreshContext&) { return NotFound{}; };
  for (const bool erases : {false, true}) {
    world.wipe();
    cache = world.open();
    auto data = open({.stale_for = 24h, .not_found_erases = erases});
    data.put("k", "1", {.durability = Durability::store});
    world.clock->advance(1s);
    data.refresh("k");
    EXPECT_EQ(data.get("k", {.reach = Reach::local}).has_value(), !erases);
    ASSERT_TRUE(cache->flush());
    EXPECT_EQ(world.store->row("test", {"d", "k"})->kind,
              erases ? EntryKind::tombstone : EntryKind::document);
  }
}

// --- Answers that no tier takes ---

TEST_F(RefreshAnswers, answer_that_no_tier_takes_is_a_failure_that_says_which_I13) {
  auto data = open({.stale_for = 24h, .not_found_erases = true});
  data.put("k", "\"old\"", {.durability = Durability::store});
  world.executor->run_for(10s);
  break_tiers();
  const auto why = [&] {
    world.clock->advance(10min);  // past the pause after the last failure
    return data.refresh("k").passage().source_why;
  };
  EXPECT_THAT(why(), HasSubstr("its document could not be saved: "));
  plain = [](RefreshContext&) { return NotModified{}; };
  EXPECT_THAT(why(), HasSubstr("that nothing was modified could not be saved: "));
  plain = [](RefreshContext&) { return NotFound{}; };
  EXPECT_THAT(why(), HasSubstr("that there is none could not be saved: "));
  EXPECT_EQ(cache->stats().datasets.at(0).refresh_failures, 3u);
  EXPECT_EQ(*data.get("k", {.reach = Reach::local, .max_stale = 24h}), "\"old\"");
}

// --- Warming up ---

TEST_F(RefreshAnswers, cache_is_not_warm_while_a_callback_runs) {
  bool warm = true;
  plain = [&](RefreshContext&) {
    warm = cache->warm_up(0ms);
    return Answer("1");
  };
  auto data = open({.hydrate = Hydrate::none()});
  ASSERT_TRUE(cache->warm_up());
  ASSERT_TRUE(data.get("k").has_value());
  EXPECT_FALSE(warm);
  EXPECT_TRUE(cache->warm_up(0ms));
}

TEST_F(RefreshAnswers, hydration_reads_no_page_more_than_it_wants) {
  auto data = open();
  for (int i = 0; i < 1'200; ++i) data.put("k" + std::to_string(i), "1");
  ASSERT_TRUE(cache->flush());
  const auto hydrated = [&](std::size_t most_recent) {
    cache->close();
    world.wipe();
    cache = world.open();
    const std::uint64_t before = world.store->calls("scan");
    cache->dataset("d", {.keyed = true, .hydrate = Hydrate::recent(most_recent)});
    EXPECT_TRUE(cache->warm_up());
    return std::pair(cache->stats().datasets.at(0).keys, world.store->calls("scan") - before);
  };
  EXPECT_EQ(hydrated(0), std::pair(std::uint64_t{0}, std::uint64_t{0}));
  EXPECT_EQ(hydrated(500), std::pair(std::uint64_t{500}, std::uint64_t{1}));
  EXPECT_EQ(hydrated(700), std::pair(std::uint64_t{700}, std::uint64_t{2}));
  EXPECT_EQ(hydrated(5'000), std::pair(std::uint64_t{1'200}, std::uint64_t{3}));
}

}  // namespace
}  // namespace tiercache::testing
