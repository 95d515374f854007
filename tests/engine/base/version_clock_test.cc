#include "base/version_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "engine/base/fake_clock.h"

namespace tiercache {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr std::uint64_t kLastTime = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t kLastWriter = std::numeric_limits<std::uint32_t>::max();

Version at_ms(std::int64_t ms, std::uint32_t writer = 9) {
  return {static_cast<std::uint64_t>(ms) << Version::kCounterBits, writer};
}

class VersionClocks : public ::testing::Test {
 protected:
  FakeClock clock_;
  VersionClock versions_{clock_, 7};
};

TEST_F(VersionClocks, next_is_stamped_with_now_and_the_writer) {
  const Version version = versions_.next();
  EXPECT_EQ(version.stamped_at(), milliseconds(clock_.wall_ms));
  EXPECT_EQ(version.writer, 7u);
  EXPECT_EQ(versions_.writer(), 7u);
}

TEST_F(VersionClocks, next_rises_under_any_jumps_of_the_clock_I3) {
  std::mt19937_64 random(1);
  Version last;
  for (int round = 0; round < 20'000; ++round) {
    clock_.wall_ms += static_cast<std::int64_t>(random() % 7'200'001) - 3'600'000;
    const Version version = versions_.next();
    ASSERT_LT(last, version) << "round " << round;
    last = version;
  }
}

TEST_F(VersionClocks, next_before_the_epoch_and_at_the_end_of_time_still_rises) {
  Version last;
  for (std::int64_t ms :
       {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, std::int64_t{0},
        (std::int64_t{1} << 48) - 1, std::numeric_limits<std::int64_t>::max()}) {
    clock_.wall_ms = ms;
    const Version version = versions_.next();
    EXPECT_LT(last, version) << ms;
    last = version;
  }
}

TEST_F(VersionClocks, full_counter_carries_into_the_milliseconds) {
  const Version first = versions_.next();
  Version last = first;
  for (int round = 0; round < (1 << Version::kCounterBits); ++round) {
    const Version version = versions_.next();
    ASSERT_EQ(version.time, last.time + 1);
    last = version;
  }
  EXPECT_EQ(last.stamped_at(), first.stamped_at() + milliseconds(1));
}

TEST_F(VersionClocks, next_is_above_a_known_version_of_the_near_future_and_stays_above) {
  const Version known = at_ms(clock_.wall_ms + 60'000);
  EXPECT_EQ(versions_.next(known), (Version{known.time + 1, 7}));
  EXPECT_EQ(versions_.next(), (Version{known.time + 2, 7}));
}

TEST_F(VersionClocks, next_is_above_a_known_version_of_the_far_future_but_is_not_pulled) {
  const Version known = at_ms(clock_.wall_ms + 3'600'000);
  EXPECT_EQ(versions_.next(known), (Version{known.time + 1, 7}));
  EXPECT_EQ(versions_.next().stamped_at(), milliseconds(clock_.wall_ms));
}

TEST_F(VersionClocks, next_after_a_jump_back_rises_with_and_without_a_known_version) {
  Version last = versions_.next();
  clock_.wall_ms -= 3'600'000;
  for (int round = 0; round < 10; ++round) {
    const Version version = versions_.next(round % 2 == 0 ? last : Version{});
    EXPECT_EQ(version.time, last.time + 1);
    last = version;
  }
}

TEST_F(VersionClocks, next_above_the_greatest_time_raises_the_writer) {
  EXPECT_EQ(versions_.next({kLastTime - 1, 3}), (Version{kLastTime, 7}));
  EXPECT_EQ(versions_.next({kLastTime, 3}), (Version{kLastTime, 7}));
  EXPECT_EQ(versions_.next({kLastTime, 7}), (Version{kLastTime, 8}));
  EXPECT_EQ(versions_.next({kLastTime, 100}), (Version{kLastTime, 101}));
  EXPECT_EQ(versions_.next({kLastTime, kLastWriter}), (Version{kLastTime, 7}));
}

TEST_F(VersionClocks, observe_within_the_limit_pulls_and_beyond_it_does_not) {
  const std::int64_t limit_ms = clock_.wall_ms + milliseconds(minutes(10)).count();
  EXPECT_FALSE(versions_.observe(at_ms(limit_ms + 1)));
  EXPECT_FALSE(versions_.observe({kLastTime, 1}));
  EXPECT_EQ(versions_.next().stamped_at(), milliseconds(clock_.wall_ms));
  const Version last_allowed{at_ms(limit_ms).time + 0xFFFF, 9};
  EXPECT_TRUE(versions_.observe(last_allowed));
  EXPECT_EQ(versions_.next(), (Version{last_allowed.time + 1, 7}));
}

TEST_F(VersionClocks, observe_of_the_past_changes_nothing) {
  const Version last = versions_.next();
  EXPECT_TRUE(versions_.observe({}));
  EXPECT_TRUE(versions_.observe(at_ms(1)));
  EXPECT_EQ(versions_.next().time, last.time + 1);
}

TEST_F(VersionClocks, offset_moves_now_and_the_limit) {
  versions_.set_offset(minutes(30));
  EXPECT_EQ(versions_.now(), clock_.wall_now() + minutes(30));
  EXPECT_EQ(versions_.next().stamped_at(), milliseconds(clock_.wall_ms) + minutes(30));
  EXPECT_TRUE(versions_.observe(at_ms(clock_.wall_ms + milliseconds(minutes(40)).count())));
  EXPECT_FALSE(versions_.observe(at_ms(clock_.wall_ms + milliseconds(minutes(41)).count())));
}

TEST_F(VersionClocks, offset_a_little_back_keeps_versions_rising) {
  const Version last = versions_.next();
  versions_.set_offset(-minutes(9));
  EXPECT_EQ(versions_.next().time, last.time + 1);
}

TEST_F(VersionClocks, offset_far_back_starts_again_from_the_stores_time) {
  const Version wrong = versions_.next();
  versions_.set_offset(-minutes(60));
  EXPECT_EQ(versions_.next().stamped_at(), milliseconds(clock_.wall_ms) - minutes(60));
  EXPECT_GT(versions_.next(wrong), wrong);
}

TEST_F(VersionClocks, offset_beyond_reason_does_not_overflow) {
  for (auto offset : {milliseconds::max(), milliseconds::min()}) {
    versions_.set_offset(offset);
    EXPECT_GE(versions_.now(), WallTime{});
    EXPECT_LE(versions_.now(), WallTime(milliseconds((std::int64_t{1} << 48) - 1)));
    const Version first = versions_.next();
    EXPECT_LT(first, versions_.next());
  }
}

TEST_F(VersionClocks, next_at_the_end_of_time_keeps_its_writer_where_the_known_version_is_older) {
  clock_.wall_ms = (std::int64_t{1} << 48) - 1;
  ASSERT_TRUE(versions_.observe({kLastTime, 1}));
  EXPECT_EQ(versions_.next({5, 100}), (Version{kLastTime, 7}));
}

TEST_F(VersionClocks, last_time_within_the_limit_is_still_counted_on) {
  const Version last_allowed{at_ms(clock_.wall_ms + 600'000).time + 0xFFFF, 9};
  EXPECT_EQ(versions_.next({last_allowed.time - 1, 9}).time, last_allowed.time);
  EXPECT_EQ(versions_.next().time, last_allowed.time + 1);
}

TEST_F(VersionClocks, offset_that_leaves_the_last_version_within_the_limit_keeps_it) {
  const Version last_allowed{at_ms(clock_.wall_ms + 600'000).time + 0xFFFF, 9};
  ASSERT_TRUE(versions_.observe(last_allowed));
  versions_.set_offset(milliseconds(0));
  EXPECT_EQ(versions_.next().time, last_allowed.time + 1);
}

TEST_F(VersionClocks, concurrent_next_never_repeats_and_rises_per_thread_I3) {
  constexpr int kThreads = 4;
  constexpr int kEach = 20'000;
  std::vector<std::vector<Version>> stamped(kThreads);
  std::vector<std::thread> threads;
  for (auto& mine : stamped) {
    threads.emplace_back([this, &mine] {
      for (int round = 0; round < kEach; ++round) {
        if (round % 100 == 0) clock_.wall_ms += round % 200 == 0 ? 3 : -2;
        if (round % 50 == 0) versions_.observe(at_ms(clock_.wall_ms + round % 1000));
        mine.push_back(versions_.next());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<Version> all;
  for (const auto& mine : stamped) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(all.end(), mine.begin(), mine.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
  EXPECT_EQ(all.size(), std::size_t{kThreads} * kEach);
}

}  // namespace
}  // namespace tiercache
