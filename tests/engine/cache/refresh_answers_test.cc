// What becomes of each answer that a callback can give.
#include "engine/cache/refresh_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace tiercache::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

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

TEST_F(RefreshAnswers, not_found_of_what_is_cached_is_believed_as_long_as_the_dataset_says) {
  plain = [](RefreshContext&) { return NotFound{}; };
  for (const auto stale_for : {0h, 24h}) {
    world.wipe();
    cache = world.open();
    auto data = open({.stale_for = stale_for, .not_found_for = 10s});
    data.put("k", "0");
    world.executor->run_for(2h);
    plain_calls = 0;
    for (int i = 0; i < 50; ++i) {
      const auto answer = data.get("k");
      EXPECT_EQ(answer.has_value(), stale_for > 0h);
      EXPECT_EQ(answer.not_found(), stale_for == 0h);
      if (i > 1) {
        EXPECT_THAT(answer.passage().source_why, HasSubstr("the source said that it has none"));
      }
      world.executor->run_for(100ms);
    }
    EXPECT_EQ(plain_calls, 1);
    world.executor->run_for(6s);
    data.get("k");
    world.executor->run_for(1s);
    EXPECT_EQ(plain_calls, 2);
  }
}

TEST_F(RefreshAnswers, not_found_of_what_is_cached_is_not_believed_where_that_is_not_wanted) {
  plain = [](RefreshContext&) { return NotFound{}; };
  auto data = open({.not_found_for = 0s});
  data.put("k", "0");
  world.executor->run_for(2h);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(data.get("k").not_found());
  EXPECT_EQ(plain_calls, 5);
}

// Whoever invalidates or writes has heard of something that the source did not say.
TEST_F(RefreshAnswers, not_found_is_believed_no_longer_once_the_key_is_written_or_invalidated) {
  plain = [](RefreshContext&) { return NotFound{}; };
  auto data = open({.stale_for = 24h, .not_found_for = 1h});
  data.put("k", "0");
  world.executor->run_for(2h);
  data.get("k");
  world.executor->run_for(1s);
  ASSERT_EQ(plain_calls, 1);
  data.invalidate("k");
  data.get("k");
  world.executor->run_for(1s);
  EXPECT_EQ(plain_calls, 2);
  data.put("k", "2", {.fresh_for = 0s});
  data.get("k");
  world.executor->run_for(1s);
  EXPECT_EQ(plain_calls, 3);
}

TEST_F(RefreshAnswers, refresh_by_hand_and_by_turn_ask_although_nothing_was_found) {
  plain = [](RefreshContext&) { return NotFound{}; };
  auto data = open({.refresh_every = 1min, .stale_for = 24h, .not_found_for = 1h});
  data.put("k", "0");
  world.executor->run_for(10min);
  EXPECT_GE(plain_calls, 8);
  plain_calls = 0;
  EXPECT_EQ(data.refresh("k").passage().source, TierAnswer::not_found);
  EXPECT_EQ(plain_calls, 1);
}

// The source may have it again.
TEST_F(RefreshAnswers, only_document_that_the_source_has_erased_is_asked_for_by_its_turns) {
  bool there = false;
  int calls = 0;
  const DatasetOptions<JsonText> options{.refresh_every = 1h,
                                         .refresh_jitter = 0ms,
                                         .not_found_erases = true,
                                         .refresh = [&](RefreshContext&) -> Answer {
                                           ++calls;
                                           if (!there) return NotFound{};
                                           return std::string("1");
                                         }};
  auto data = cache->dataset("one", options);
  data.put("", "0");
  world.executor->run_for(61min);
  ASSERT_EQ(calls, 1);
  ASSERT_FALSE(data.get("", {.reach = Reach::local}));
  world.executor->run_for(1h);
  EXPECT_EQ(calls, 2);
  cache->close();
  there = true;
  cache = world.open();
  data = cache->dataset("one", options);
  ASSERT_TRUE(cache->warm_up());
  EXPECT_EQ(calls, 3) << "whether it was asked for since it was erased is kept nowhere";
  EXPECT_EQ(*data.get("", {.reach = Reach::local}), "1");
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
