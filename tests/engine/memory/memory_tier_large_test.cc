// Entries larger than a shard's share of the budget.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/memory/residents.h"
#include "memory/memory_tier.h"

namespace tiercache {
namespace {

using namespace memory_test;

using Pin = MemoryTier::Pin;

std::size_t shares_of(std::size_t share, int shares) {
  return share * static_cast<std::size_t>(shares);
}

// Small entries under `count` keys; how many of them are held.
int fill(MemoryTier& tier, int count, std::uint64_t time = 1) {
  for (int i = 0; i < count; ++i)
    put_bytes(tier, "small:" + std::to_string(i), 1000, Pin::no, time);
  int held = 0;
  for (int i = 0; i < count; ++i) held += holds(tier, "small:" + std::to_string(i)) ? 1 : 0;
  return held;
}

TEST(MemoryTierLarge, largest_document_is_kept_with_the_default_budget_I8) {
  MemoryTier tier(64 * kMiB);
  EXPECT_TRUE(put_bytes(tier, "large", 16 * kMiB));
  EXPECT_TRUE(holds(tier, "large"));
  EXPECT_EQ(tier.stats().too_large, 0u);
  EXPECT_LE(tier.stats().bytes_charged, tier.max_bytes());
}

TEST(MemoryTierLarge, written_and_promoted_ones_are_kept_alike) {
  MemoryTier tier(64 * kMiB);
  const KeyRef written(1, "written");
  put_bytes(tier, "written", 16 * kMiB, Pin::yes);
  tier.unpin(written, version(1));
  EXPECT_TRUE(holds(tier, "written"));
  const KeyRef promoted(1, "promoted");
  EXPECT_TRUE(
      tier.promote(promoted, resident(1, std::string(16 * kMiB, ' ')), {}, tier.seen(promoted)));
  EXPECT_TRUE(holds(tier, "promoted"));
  EXPECT_EQ(tier.stats().bytes_pinned, 0u);
}

TEST(MemoryTierLarge, others_give_up_a_fair_part_of_their_room_and_get_it_back) {
  constexpr int kSmall = 8000;  // more than there is room for
  MemoryTier tier(4 * kMiB, 8);
  const int before = fill(tier, kSmall);
  ASSERT_LT(before, kSmall);
  put_bytes(tier, "large", 2 * kMiB);
  ASSERT_TRUE(holds(tier, "large"));
  EXPECT_LE(tier.stats().bytes_charged, tier.max_bytes());
  tier.remove(KeyRef(1, "large"), version(1));
  EXPECT_LE(tier.stats().bytes_charged, tier.max_bytes() / 2);
  const int after = fill(tier, kSmall, 2);
  EXPECT_GE(after, before - 8) << "but for the granularity of each shard";
}

TEST(MemoryTierLarge, small_entries_keep_a_part_of_the_budget) {
  MemoryTier tier(4 * kMiB, 8);
  put_bytes(tier, "large", 3 * kMiB);
  ASSERT_TRUE(holds(tier, "large"));
  for (int i = 0; i < 50; ++i) {
    const std::string key = "small:" + std::to_string(i);
    put_bytes(tier, key, 1000);
    EXPECT_TRUE(holds(tier, key)) << key;
  }
}

TEST(MemoryTierLarge, more_than_can_be_given_up_is_turned_away_and_evicts_nothing) {
  MemoryTier tier(4 * kMiB, 8);
  const int before = fill(tier, 200);
  const std::uint64_t evictions = tier.stats().evictions;
  EXPECT_TRUE(put_bytes(tier, "large", shares_of(tier.max_bytes() / 8, 7) + 1));
  EXPECT_FALSE(holds(tier, "large"));
  EXPECT_EQ(tier.stats().too_large, 1u);
  EXPECT_EQ(tier.stats().evictions, evictions);
  EXPECT_EQ(before, 200);
}

TEST(MemoryTierLarge, newer_large_ones_take_the_place_of_older_ones) {
  MemoryTier tier(4 * kMiB, 8);
  for (int i = 0; i < 20; ++i) {
    const std::string key = "large:" + std::to_string(i);
    put_bytes(tier, key, kMiB);
    EXPECT_TRUE(holds(tier, key)) << i;
    EXPECT_LE(tier.stats().bytes_charged, tier.max_bytes());
  }
  EXPECT_TRUE(holds(tier, "large:18"));
  EXPECT_FALSE(holds(tier, "large:0"));
  EXPECT_EQ(tier.stats().evictions, 20 - tier.stats().entries);
}

// A shard lends of its own share, never of what others lent it.
TEST(MemoryTierLarge, shard_of_a_large_entry_keeps_its_part_while_others_borrow) {
  MemoryTier tier(4 * kMiB, 8);
  const int before = fill(tier, 8000);
  for (std::uint64_t round = 1; round <= 30; ++round) {
    const std::string key = "large:" + std::to_string(round);
    put_bytes(tier, key, kMiB + kMiB / 4 * (round % 9), Pin::no, round);
    ASSERT_TRUE(holds(tier, key)) << key;
    ASSERT_LE(tier.stats().bytes_charged, tier.max_bytes());
    for (int i = 0; i < 50; ++i) {
      const std::string small = "small:" + std::to_string(i);
      put_bytes(tier, small, 1000, Pin::no, round + 1);
      ASSERT_TRUE(holds(tier, small)) << small << " beside " << key;
    }
  }
  for (int round = 1; round <= 30; ++round) {
    tier.remove(KeyRef(1, "large:" + std::to_string(round)), version(100));
  }
  EXPECT_GE(fill(tier, 8000, 100), before - 8) << "all that was lent is back";
}

TEST(MemoryTierLarge, entry_that_is_replaced_again_and_again_stays) {
  MemoryTier tier(4 * kMiB, 8);
  for (std::uint64_t time = 1; time <= 50; ++time) {
    put_bytes(tier, "large", 3 * kMiB, Pin::yes, time);
    tier.unpin(KeyRef(1, "large"), version(time));
    ASSERT_TRUE(holds(tier, "large")) << time;
    ASSERT_LE(tier.stats().bytes_charged, tier.max_bytes());
  }
  put_bytes(tier, "large", 100, Pin::no, 100);
  EXPECT_TRUE(holds(tier, "large"));
  EXPECT_LE(tier.stats().bytes_charged, 1000u);
  put_bytes(tier, "other", 3 * kMiB);
  EXPECT_TRUE(holds(tier, "other")) << "the loan was given back";
}

TEST(MemoryTierLarge,
     what_is_pinned_is_kept_although_nothing_can_be_borrowed_and_goes_with_its_pin) {
  MemoryTier tier(4 * kMiB, 8);
  put_bytes(tier, "pinned", 3 * kMiB, Pin::yes);
  put_bytes(tier, "over", 3 * kMiB, Pin::yes);
  EXPECT_TRUE(holds(tier, "over"));
  put_bytes(tier, "not pinned", 3 * kMiB);
  EXPECT_FALSE(holds(tier, "not pinned"));
  tier.unpin(KeyRef(1, "over"), version(1));
  EXPECT_FALSE(holds(tier, "over"));
  EXPECT_TRUE(holds(tier, "pinned"));
  EXPECT_LE(tier.stats().bytes_charged, tier.max_bytes());
  tier.unpin(KeyRef(1, "pinned"), version(1));
  EXPECT_TRUE(holds(tier, "pinned"));
}

TEST(MemoryTierLarge, refused_promotion_gives_its_loan_back_I3) {
  MemoryTier tier(4 * kMiB, 8);
  const KeyRef key(1, "large");
  const auto seen = tier.seen(key);
  put_bytes(tier, "large", 100, Pin::no, 2);
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(tier.promote(key, resident(1, std::string(3 * kMiB, ' ')), {}, seen));
  }
  put_bytes(tier, "other", 3 * kMiB);
  EXPECT_TRUE(holds(tier, "other"));
}

TEST(MemoryTierLarge, budget_holds_and_is_not_lost_through_any_mixture_I8) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    MemoryTier tier(kMiB, 8);
    std::set<std::string> pinned;
    for (std::uint64_t step = 1; step <= 3000; ++step) {
      const std::string key = std::to_string(random() % 40);
      const std::size_t bytes =
          random() % 4 == 0 ? random() % (kMiB + kMiB / 8) : random() % 20'000;
      const KeyRef ref(1, key);
      switch (random() % 8) {
        case 0:
          tier.remove(ref, version(step));
          pinned.erase(key);
          break;
        case 1:
          put_bytes(tier, key, bytes, Pin::yes, step);
          pinned.insert(key);
          break;
        case 2:
          tier.unpin(ref, version(step));
          pinned.erase(key);
          break;
        case 3:
          tier.promote(ref, resident(step, std::string(bytes, ' ')), {}, tier.seen(ref));
          break;
        default:
          put_bytes(tier, key, bytes, Pin::no, step);
      }
      const MemoryStats stats = tier.stats();
      ASSERT_LE(stats.bytes_charged - stats.bytes_pinned, tier.max_bytes()) << seed << ' ' << step;
      if (pinned.empty()) {
        ASSERT_LE(stats.bytes_charged, tier.max_bytes()) << seed << ' ' << step;
      }
    }
    for (int key = 0; key < 40; ++key) {
      tier.remove(KeyRef(1, std::to_string(key)), version(1'000'000));
    }
    ASSERT_EQ(tier.stats().bytes_charged, 0u);
    put_bytes(tier, "last", kMiB / 8 * 7 - 2000, Pin::no, 1);
    EXPECT_TRUE(holds(tier, "last")) << "all of the budget is there again, seed " << seed;
  }
}

TEST(MemoryTierLarge, threads_lend_and_borrow_side_by_side_I8) {
  MemoryTier tier(4 * kMiB, 8);
  std::atomic<std::uint64_t> time{1};
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      std::mt19937_64 random(static_cast<std::uint64_t>(number));
      for (int step = 0; step < 400; ++step) {
        const std::string key = std::to_string(random() % 30);
        const std::size_t bytes = random() % 3 == 0 ? kMiB + random() % kMiB : random() % 50'000;
        put_bytes(tier, key, bytes, Pin::no, ++time);
        tier.find(KeyRef(1, std::to_string(random() % 30)));
        if (random() % 10 == 0) tier.remove(KeyRef(1, key), version(++time));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(tier.stats().bytes_charged, tier.max_bytes());
  for (int key = 0; key < 30; ++key) {
    tier.remove(KeyRef(1, std::to_string(key)), version(1'000'000));
  }
  put_bytes(tier, "last", 3 * kMiB);
  EXPECT_TRUE(holds(tier, "last"));
}

}  // namespace
}  // namespace tiercache
