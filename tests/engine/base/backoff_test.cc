#include "base/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>

namespace tiercache {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, delay_stays_within_its_bound_and_reaches_both_ends) {
  const BackoffOptions options{milliseconds(4), milliseconds(100)};
  Random random(1);
  for (int failures = 0; failures < 80; ++failures) {
    const auto bound = failures >= 5 ? milliseconds(100) : milliseconds(4) * (1 << failures);
    auto least = milliseconds::max();
    auto most = milliseconds::min();
    for (int round = 0; round < 5'000; ++round) {
      const auto delay = backoff_delay(options, failures, random);
      least = std::min(least, delay);
      most = std::max(most, delay);
    }
    EXPECT_EQ(least, milliseconds(1)) << failures;
    EXPECT_EQ(most, bound) << failures;
  }
}

TEST(Backoff, delay_is_spread_evenly) {
  const BackoffOptions options{milliseconds(10'000), milliseconds(10'000)};
  Random random(2);
  std::array<int, 10> buckets{};
  for (int round = 0; round < 100'000; ++round) {
    const auto delay = backoff_delay(options, 3, random).count();
    ++buckets[static_cast<std::size_t>(std::min<std::int64_t>(delay / 1000, 9))];
  }
  for (int count : buckets) EXPECT_NEAR(count, 10'000, 500);
}

TEST(Backoff, extreme_counts_and_options_stay_in_bounds) {
  Random random(3);
  const auto longest = milliseconds::max();
  for (int failures : {std::numeric_limits<int>::min(), -1, 0, 1, 62, 63, 64, 1'000,
                       std::numeric_limits<int>::max()}) {
    for (auto first : {milliseconds::min(), milliseconds(0), milliseconds(1), longest}) {
      for (auto cap : {milliseconds::min(), milliseconds(0), milliseconds(1), longest}) {
        const auto delay = backoff_delay({first, cap}, failures, random);
        EXPECT_GE(delay, milliseconds(1));
        EXPECT_LE(delay, std::max(cap, milliseconds(1)));
      }
    }
  }
}

TEST(Backoff, cap_below_first_wins) {
  Random random(4);
  for (int round = 0; round < 1'000; ++round) {
    EXPECT_LE(backoff_delay({milliseconds(500), milliseconds(3)}, 0, random), milliseconds(3));
  }
}

TEST(Backoff, bound_is_doubled_as_long_as_it_stays_within_the_cap) {
  Random random(6);
  auto most = milliseconds::min();
  for (int round = 0; round < 1'000; ++round) {
    most = std::max(most, backoff_delay({milliseconds(2), milliseconds(5)}, 1, random));
  }
  EXPECT_EQ(most, milliseconds(4));
}

TEST(RandomNumbers, same_seed_gives_the_same_numbers) {
  Random a(42);
  Random b(42);
  Random other(43);
  bool differs = false;
  for (int round = 0; round < 100; ++round) {
    const auto value = a.next();
    EXPECT_EQ(value, b.next());
    differs = differs || value != other.next();
  }
  EXPECT_TRUE(differs);
}

// The published reference output for seed 1234567.
TEST(RandomNumbers, next_is_splitmix64) {
  Random random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317u);
  EXPECT_EQ(random.next(), 3203168211198807973u);
  EXPECT_EQ(random.next(), 9817491932198370423u);
}

TEST(RandomNumbers, below_is_within_its_bound_and_covers_it) {
  Random random(5);
  EXPECT_EQ(random.below(0), 0u);
  EXPECT_EQ(random.below(1), 0u);
  std::array<int, 7> seen{};
  for (int round = 0; round < 7'000; ++round) {
    const auto value = random.below(7);
    ASSERT_LT(value, 7u);
    ++seen[value];
  }
  for (int count : seen) EXPECT_NEAR(count, 1'000, 200);
  const std::uint64_t large = (1ull << 63) + 1;
  for (int round = 0; round < 1'000; ++round) EXPECT_LT(random.below(large), large);
}

// Draws below 2^64 modulo the bound would make small results likelier.
TEST(RandomNumbers, below_throws_uneven_draws_away_and_no_others) {
  const std::uint64_t first = 6457827717110365317u;  // what this seed draws
  const std::uint64_t third = 9817491932198370423u;  // the second is smaller than the first
  EXPECT_EQ(Random(1234567).below(0 - first), first) << "the least that is even";
  EXPECT_EQ(Random(1234567).below(0 - first - 1), third);
}

}  // namespace
}  // namespace tiercache
