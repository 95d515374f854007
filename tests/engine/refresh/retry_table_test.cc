#include "refresh/retry_table.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tiercache {
namespace {

using namespace std::chrono_literals;

const EntryId kKey{"prices", "eur"};
constexpr SteadyTime kNow{std::chrono::hours(1)};
constexpr BackoffOptions kBackoff{.first = 100ms, .cap = 10s};

class RetryTableTest : public ::testing::Test {
 protected:
  void fail(const EntryId& id, std::chrono::milliseconds source_delay = 0ms,
            SteadyTime now = kNow) {
    table_.note_failure(id, kBackoff, source_delay, now, random_);
  }
  std::chrono::nanoseconds wait(const EntryId& id) const {
    return table_.retry_at(id, kNow).value_or(kNow) - kNow;
  }

  RetryTable table_{100};
  Random random_{1};
};

TEST_F(RetryTableTest, key_that_never_failed_may_be_tried_now) {
  EXPECT_FALSE(table_.retry_at(kKey, kNow));
}

TEST_F(RetryTableTest, waits_grow_with_failures_up_to_the_cap) {
  std::chrono::nanoseconds longest{0};
  for (int failures = 0; failures < 1000; ++failures) {
    fail(kKey);
    const auto bound = failures < 7 ? 100ms * (1 << failures) : 10'000ms;
    EXPECT_GT(wait(kKey), 0ms);
    EXPECT_LE(wait(kKey), bound);
    longest = std::max(longest, wait(kKey));
  }
  EXPECT_GT(longest, 9s);
}

TEST_F(RetryTableTest, wait_ends_at_its_time) {
  fail(kKey);
  const SteadyTime end = *table_.retry_at(kKey, kNow);
  EXPECT_TRUE(table_.retry_at(kKey, end - 1ns));
  EXPECT_FALSE(table_.retry_at(kKey, end));
}

TEST_F(RetryTableTest, last_failure_is_told_until_a_success) {
  EXPECT_EQ(table_.last_failure(kKey, kNow), "");
  table_.note_failure(kKey, {.first = 1ms, .cap = 1ms}, 60s, kNow, random_, "HTTP 503");
  EXPECT_EQ(table_.last_failure(kKey, kNow + 12s),
            "last failure 12 s ago: HTTP 503; the source asked to be left alone; next try in 48 s");
  EXPECT_EQ(table_.last_failure(kKey, kNow + 60s), "last failure 60 s ago: HTTP 503");
  table_.note_failure(kKey, {.first = 1ms, .cap = 1ms}, 0ms, kNow + 70s, random_, "HTTP 500");
  EXPECT_EQ(table_.last_failure(kKey, kNow + 70s),
            "last failure 0 ms ago: HTTP 500; next try in 1 ms");
  table_.note_success(kKey);
  EXPECT_EQ(table_.last_failure(kKey, kNow + 80s), "");
}

TEST_F(RetryTableTest, failure_without_a_reason_is_told_without_one) {
  table_.note_failure(kKey, {.first = 1ms, .cap = 1ms}, 60s, kNow, random_);
  EXPECT_EQ(table_.last_failure(kKey, kNow + 60s), "last failure 60 s ago");
}

TEST_F(RetryTableTest, success_starts_over) {
  for (int i = 0; i < 20; ++i) fail(kKey);
  table_.note_success(kKey);
  EXPECT_FALSE(table_.retry_at(kKey, kNow));
  EXPECT_EQ(table_.size(), 0u);
  fail(kKey);
  EXPECT_LE(wait(kKey), 100ms);
}

TEST_F(RetryTableTest, source_delay_is_honoured_and_held_to_a_day) {
  fail(kKey, 1h);
  EXPECT_EQ(wait(kKey), 1h);
  EXPECT_EQ(table_.source_retry_at(kKey, kNow), kNow + 1h);
  fail(kKey, std::chrono::milliseconds::max());
  EXPECT_EQ(wait(kKey), 24h);
}

TEST_F(RetryTableTest, later_failure_does_not_shorten_what_the_source_asked_for) {
  fail(kKey, 1h);
  fail(kKey);
  EXPECT_EQ(wait(kKey), 1h);
  EXPECT_EQ(table_.source_retry_at(kKey, kNow), kNow + 1h);
}

TEST_F(RetryTableTest, negative_source_delay_counts_as_none) {
  fail(kKey, -1h);
  EXPECT_GT(wait(kKey), 0ms);
  EXPECT_FALSE(table_.source_retry_at(kKey, kNow));
}

TEST_F(RetryTableTest, full_table_forgets_the_wait_that_ends_soonest_I8) {
  for (int i = 0; i < 100; ++i) fail({"d", std::to_string(i)}, 1h + i * 1s);
  fail({"d", "one more"}, 2h);
  EXPECT_EQ(table_.size(), 100u);
  EXPECT_FALSE(table_.retry_at(EntryId{"d", "0"}, kNow));
  EXPECT_TRUE(table_.retry_at(EntryId{"d", "1"}, kNow));
  EXPECT_TRUE(table_.retry_at(EntryId{"d", "one more"}, kNow));
  for (int i = 0; i < 10'000; ++i) fail({"other", std::to_string(i)}, 3h);
  EXPECT_EQ(table_.size(), 100u);
}

TEST_F(RetryTableTest, full_table_forgets_no_key_in_the_place_of_one_that_went_before) {
  fail({"d", "well again"}, 1s);
  for (int i = 0; i < 99; ++i) fail({"d", std::to_string(i)}, 1h + i * 1s);
  table_.note_success(EntryId{"d", "well again"});
  fail({"d", "hundredth"}, 5h);
  fail({"d", "one more"}, 5h);
  EXPECT_EQ(table_.size(), 100u);
  EXPECT_FALSE(table_.retry_at(EntryId{"d", "0"}, kNow));
  EXPECT_TRUE(table_.retry_at(EntryId{"d", "hundredth"}, kNow));
}

TEST_F(RetryTableTest, table_for_no_key_remembers_the_newest_alone) {
  RetryTable small(0);
  for (const char* key : {"a", "b"})
    small.note_failure(EntryId{"d", key}, kBackoff, 1h, kNow, random_);
  EXPECT_EQ(small.size(), 1u);
  EXPECT_TRUE(small.retry_at(EntryId{"d", "b"}, kNow));
}

TEST_F(RetryTableTest, key_that_fails_again_takes_no_second_place) {
  for (int i = 0; i < 100; ++i) fail({"d", std::to_string(i)}, 1h);
  fail({"d", "0"}, 2h);
  EXPECT_EQ(table_.size(), 100u);
  for (int i = 0; i < 100; ++i)
    EXPECT_TRUE(table_.retry_at(EntryId{"d", std::to_string(i)}, kNow)) << i;
}

}  // namespace
}  // namespace tiercache
