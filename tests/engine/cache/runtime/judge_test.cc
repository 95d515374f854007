// How old an entry is and what that means: clocks and policy, bound by bound.
#include "cache/runtime/judge.h"

#include <gtest/gtest.h>

#include <optional>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

constexpr AgePolicy kPolicy{.fresh_for = 10s, .stale_for = 20s, .trust_for = 5s};
constexpr Now kNow{.wall = kStart, .ticks = 1'000'000};

Entry fetched(std::optional<WallTime> last_fetch) {
  Entry entry = document(1);
  entry.clocks.last_fetch = last_fetch;
  return entry;
}

TEST(JudgeTest, lifetimes_count_from_the_fetch_and_trust_from_now) {
  const Lifetimes lifetimes = judge(fetched(kStart - 3s), kPolicy, kNow);
  EXPECT_EQ(lifetimes.trusted_until, kNow.ticks + 5'000);
  EXPECT_EQ(lifetimes.fetched_at, kNow.ticks - 3'000);
  EXPECT_EQ(lifetimes.fresh_until, kNow.ticks + 7'000);
  EXPECT_EQ(lifetimes.stale_until, kNow.ticks + 27'000);
}

TEST(JudgeTest, freshness_changes_exactly_at_its_bounds) {
  const Lifetimes lifetimes{.trusted_until = 0, .fresh_until = 10, .stale_until = 20};
  EXPECT_EQ(freshness_at(lifetimes, 9), Freshness::fresh);
  EXPECT_EQ(freshness_at(lifetimes, 10), Freshness::stale);
  EXPECT_EQ(freshness_at(lifetimes, 19), Freshness::stale);
  EXPECT_EQ(freshness_at(lifetimes, 20), Freshness::expired);
}

TEST(JudgeTest, max_stale_of_a_call_takes_the_place_of_the_datasets) {
  const Lifetimes lifetimes{.trusted_until = 0, .fresh_until = 10, .stale_until = 20};
  EXPECT_TRUE(is_servable(lifetimes, 9, 0ms)) << "what is fresh is served in any case";
  EXPECT_FALSE(is_servable(lifetimes, 10, 0ms));
  EXPECT_TRUE(is_servable(lifetimes, 14, 5ms));
  EXPECT_FALSE(is_servable(lifetimes, 15, 5ms));
  EXPECT_TRUE(is_servable(lifetimes, 19, std::nullopt));
  EXPECT_FALSE(is_servable(lifetimes, 20, std::nullopt));
  EXPECT_TRUE(is_servable(lifetimes, 1'000'000, std::chrono::milliseconds::max()));
}

TEST(JudgeTest, entry_without_a_believable_fetch_is_stale_from_now_on) {
  for (const auto last_fetch : {std::optional<WallTime>(), std::optional(kStart + 61s)}) {
    const Lifetimes lifetimes = judge(fetched(last_fetch), kPolicy, kNow);
    EXPECT_EQ(lifetimes.fresh_until, kNow.ticks);
    EXPECT_EQ(lifetimes.stale_until, kNow.ticks + 20'000);
  }
}

TEST(JudgeTest, fetch_is_believed_up_to_a_minute_ahead) {
  EXPECT_EQ(believable(kStart + 1min, kStart), kStart + 1min);
  EXPECT_EQ(believable(kStart + 1min + 1ms, kStart), std::nullopt);
  EXPECT_EQ(believable(std::nullopt, kStart), std::nullopt);
}

TEST(JudgeTest, what_was_fetched_up_to_its_invalidation_is_stale_since_then) {
  Entry entry = fetched(kStart - 3s);
  entry.clocks.invalidated_at = kStart - 3s;
  EXPECT_EQ(judge(entry, kPolicy, kNow).fresh_until, kNow.ticks - 3'000);
  entry.clocks.invalidated_at = kStart + 3s;
  EXPECT_EQ(judge(entry, kPolicy, kNow).fresh_until, kNow.ticks) << "no later than now";
  entry.clocks.invalidated_at = kStart - 3s - 1ms;
  EXPECT_EQ(judge(entry, kPolicy, kNow).fresh_until, kNow.ticks + 7'000);
}

// Freshness that was over before is not given back.
TEST(JudgeTest, invalidation_makes_nothing_fresher) {
  Entry entry = fetched(kStart - 30s);
  entry.clocks.invalidated_at = kStart;
  EXPECT_EQ(judge(entry, kPolicy, kNow).fresh_until, kNow.ticks - 20'000);
}

TEST(JudgeTest, invalidation_in_the_future_counts_as_one_of_now_and_of_what_was_fetched) {
  Clocks clocks;
  clocks.invalidated_at = kStart + 1h;
  EXPECT_EQ(believable(clocks, kStart).invalidated_at, kStart);
  clocks.last_fetch = kStart + 30s;
  EXPECT_EQ(believable(clocks, kStart).invalidated_at, kStart + 30s);
  clocks.invalidated_at = kStart + 1min;
  EXPECT_EQ(believable(clocks, kStart).invalidated_at, kStart + 1min);
}

TEST(JudgeTest, lifetime_of_an_entry_takes_the_place_of_the_datasets) {
  Entry entry = fetched(kStart);
  entry.fresh_for = 1s;
  EXPECT_EQ(judge(entry, kPolicy, kNow).fresh_until, kNow.ticks + 1'000);
  entry.fresh_for = std::chrono::milliseconds::max();
  EXPECT_GT(judge(entry, kPolicy, kNow).fresh_until, kNow.ticks);
  EXPECT_EQ(lifetime_from(-1ms), 0ms) << "computed as over already";
  EXPECT_EQ(lifetime_from(std::nullopt), std::nullopt);
}

TEST(JudgeTest, age_of_what_was_fetched_ahead_of_now_is_zero) {
  const Lifetimes lifetimes = judge(fetched(kStart + 30s), kPolicy, kNow);
  EXPECT_EQ(age_at(lifetimes, kNow.ticks), 0ms);
  EXPECT_EQ(age_at(lifetimes, kNow.ticks + 31'000), 1s);
}

}  // namespace
}  // namespace tiercache::detail
