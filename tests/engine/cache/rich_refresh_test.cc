// The two callbacks of a dataset: which of them runs when, and what one means for the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "engine/cache/refresh_answers.h"

namespace tiercache::testing {
namespace {

using ::testing::HasSubstr;

class RichRefresh : public RefreshAnswers {};

TEST_F(RichRefresh, rich_callback_is_given_what_the_plain_one_brought) {
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

TEST_F(RichRefresh, rich_callback_that_adds_nothing_leaves_what_the_plain_one_brought) {
  DatasetOptions<JsonText> options;
  with_rich(options);
  rich = [](RefreshContext&) { return NotModified{}; };
  auto data = open(options);
  EXPECT_EQ(*data.get("k"), "1");
  EXPECT_EQ(rich_calls, 1);
  EXPECT_EQ(data.info("k")->last_fetch, data.info("k")->last_rich_fetch);
}

TEST_F(RichRefresh, rich_callback_is_not_asked_about_what_there_is_not) {
  DatasetOptions<JsonText> options;
  with_rich(options);
  plain = [](RefreshContext&) { return NotFound{}; };
  auto data = open(options);
  EXPECT_TRUE(data.get("k").not_found());
  EXPECT_EQ(plain_calls, 1);
  EXPECT_EQ(rich_calls, 0);
}

TEST_F(RichRefresh, rich_callback_that_fails_does_not_withhold_what_the_plain_one_brought) {
  for (const bool throws : {true, false}) {
    world.wipe();
    cache = world.open();
    DatasetOptions<JsonText> options{.retry_first = 1min};
    with_rich(options);
    rich_calls = 0;
    rich = [throws](RefreshContext&) {
      if (throws) throw std::runtime_error("the rich one is down");
      return Answer("{no JSON");
    };
    auto data = open(options);
    const std::string key = throws ? "throws" : "unfit";
    const auto answer = data.get(key);
    ASSERT_TRUE(answer) << throws;
    EXPECT_EQ(*answer, "1");
    EXPECT_EQ(answer.passage().source, TierAnswer::hit);
    EXPECT_EQ(data.info(key)->last_fetch, world.clock->wall_now());
    EXPECT_EQ(data.info(key)->last_rich_fetch, std::nullopt);
    EXPECT_EQ(rich_calls, 1);
    EXPECT_EQ(cache->stats().datasets.at(0).refresh_failures, 1u);
    const TierHealth source = cache->health().sources.at(0).second;
    EXPECT_FALSE(source.working);
    EXPECT_THAT(source.why, HasSubstr(throws ? "the rich one is down" : "not acceptable"));
  }
}

TEST_F(RichRefresh, rich_source_that_asks_for_time_in_an_emergency_gets_it) {
  DatasetOptions<JsonText> options{.rich_refresh_every = 1h};
  with_rich(options);
  rich = [](RefreshContext&) -> Answer { throw RetryAfter(10min, "not so fast"); };
  auto data = open(options);
  ASSERT_TRUE(data.get("k"));
  rich = [](RefreshContext&) { return Answer("\"rich\""); };
  world.executor->run_for(10min - 1s);
  EXPECT_EQ(rich_calls, 1);
  world.executor->run_for(2s);
  EXPECT_EQ(rich_calls, 2);
  EXPECT_EQ(*data.get("k"), "\"rich\"");
  EXPECT_TRUE(cache->health().sources.at(0).second.working);
}

// The two cadences of one document: what one source does is no reason to leave the other alone.
TEST_F(RichRefresh, source_of_one_cadence_that_fails_or_asks_for_time_does_not_hold_up_the_other) {
  for (const bool rich_fails : {true, false}) {
    world.wipe();
    cache = world.open();
    DatasetOptions<JsonText> options{.refresh_every = 1min, .rich_refresh_every = 1min};
    with_rich(options);
    auto data = open(options);
    data.put("k", "0");
    const auto works = [](RefreshContext&) { return Answer("1"); };
    const auto fails = [](RefreshContext&) -> Answer { throw RetryAfter(24h, "tomorrow"); };
    plain = rich_fails ? std::function<Answer(RefreshContext&)>(works) : fails;
    rich = rich_fails ? std::function<Answer(RefreshContext&)>(fails) : works;
    plain_calls = rich_calls = 0;
    world.executor->run_for(1h + 5min);
    EXPECT_GE(rich_fails ? plain_calls : rich_calls, 58);
    EXPECT_EQ(rich_fails ? rich_calls : plain_calls, 1);
    EXPECT_FALSE(cache->health().sources.at(0).second.working);
    if (rich_fails) {
      EXPECT_EQ(data.get("k").freshness(), Freshness::fresh);
    }
  }
}

// It is a reader of the plain document who waits, and the plain source would serve him.
TEST_F(RichRefresh, reader_who_joined_a_rich_refresh_that_fails_gets_the_plain_one) {
  DatasetOptions<JsonText> options{.rich_refresh_every = 1min, .fresh_for = 30s};
  with_rich(options);
  auto data = open(options);
  data.put("k", "0");
  for (const bool throws : {true, false}) {
    rich = [](RefreshContext&) { return Answer("\"rich\""); };
    world.executor->run_for(5min);
    bool begun = false;
    rich = [&](RefreshContext&) -> Answer {
      begun = true;
      world.executor->sleep_for(1s);
      if (throws) throw std::runtime_error("down");
      return NotFound{};
    };
    ASSERT_TRUE(world.run_until([&] { return begun; }, 1h));
    const auto answer = data.get("k", {.deadline = 10s});
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer, "1");
    EXPECT_EQ(answer.passage().source, TierAnswer::hit);
  }
}

TEST_F(RichRefresh, refresh_of_what_is_there_runs_the_plain_callback_alone) {
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

// He has something to go on with.
TEST_F(RichRefresh, reader_who_waits_softly_for_the_fresh_one_has_the_plain_callback_run_alone) {
  DatasetOptions<JsonText> options{.stale_for = 24h, .soft_timeout = 1s};
  with_rich(options);
  auto data = open(options);
  data.put("k", "0");
  world.clock->advance(2h);
  EXPECT_EQ(*data.get("k"), "1");
  EXPECT_EQ(plain_calls, 1);
  EXPECT_EQ(rich_calls, 0);
}

TEST_F(RichRefresh, rich_callback_behind_the_plain_one_is_told_that_its_time_has_passed) {
  DatasetOptions<JsonText> options{.hard_timeout = 1s};
  with_rich(options);
  bool before = true, after = false;
  rich = [&](RefreshContext& context) {
    before = context.cancelled();
    world.executor->sleep_for(2s);
    after = context.cancelled();
    return Answer("2");
  };
  auto data = open(options);
  data.get("k", {.deadline = 10s});
  world.executor->run_for(10s);
  EXPECT_FALSE(before);
  EXPECT_TRUE(after);
}

TEST_F(RichRefresh, both_callbacks_run_where_what_was_there_has_expired) {
  DatasetOptions<JsonText> options;
  with_rich(options);
  auto data = open(options);
  data.put("k", "0");
  world.clock->advance(2h);
  EXPECT_EQ(*data.get("k"), "\"rich\"");
  EXPECT_EQ(plain_calls, 1);
  EXPECT_EQ(rich_calls, 1);
}

// A rich turn asks for the plain document where there is none. That is one call an interval, also
// if there is nothing to be had, and after failures one at the end of each pause.
TEST_F(RichRefresh, turns_of_a_document_that_the_source_does_not_have_ask_once_an_interval) {
  for (const auto every : {0ms, 3'600'000ms}) {
    for (const bool throws : {false, true}) {
      for (const bool erases : {false, true}) {
        world.wipe();
        cache = world.open();
        int calls = 0;
        DatasetOptions<JsonText> options{.refresh_every = every,
                                         .rich_refresh_every = 24h,
                                         .retry_first = 1min,
                                         .not_found_erases = erases};
        with_rich(options);
        rich_calls = 0;
        options.refresh = [&](RefreshContext&) -> Answer {
          if (++calls == 1 && erases) return std::string("1");
          if (throws) throw std::runtime_error("down");
          return NotFound{};
        };
        cache->dataset(
            "d" + std::to_string(every.count()) + (throws ? "t" : "n") + (erases ? "e" : ""),
            options);
        world.executor->run_for(12h);
        EXPECT_GE(calls, 1);
        EXPECT_LE(calls, throws ? 12 * 60 : 14) << every.count() << throws << erases;
        EXPECT_LE(rich_calls, 2);
      }
    }
  }
}

TEST_F(RichRefresh, rich_callback_alone_brings_a_document_too) {
  auto data = cache->dataset("alone", {.rich_refresh_every = 1h, .rich_refresh = rich});
  ASSERT_TRUE(world.run_until([&] { return data.info().has_value(); }, 2h));
  EXPECT_EQ(*data.get("", {.reach = Reach::local, .max_stale = 24h}), "\"rich\"");
}

TEST_F(RichRefresh, callback_of_the_call_runs_alone) {
  DatasetOptions<JsonText> options;
  with_rich(options);
  auto data = open(options);
  EXPECT_EQ(*data.get_or_load(
                "k", [](RefreshContext&) { return "7"; }, 1h),
            "7");
  EXPECT_EQ(plain_calls + rich_calls, 0);
  EXPECT_EQ(data.info("k")->last_rich_fetch, std::nullopt);
}

TEST_F(RichRefresh, each_cadence_moves_its_own_clock) {
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

TEST_F(RichRefresh, callback_is_told_how_long_it_has) {
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

}  // namespace
}  // namespace tiercache::testing
