// How many shards a tier has, and that a small budget in many of them does what it does in one.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "engine/memory/residents.h"
#include "memory/memory_tier.h"

namespace tiercache {
namespace {

using namespace memory_test;

constexpr std::size_t kKiB = 1 << 10;
constexpr std::size_t kDocumentBytes = kKiB;

bool hit(MemoryTier& tier, const std::string& key) {
  return tier.find(KeyRef(1, key)).resident != nullptr;
}

TEST(MemoryTierShards, go_by_processors_and_by_budget) {
  struct Row {
    std::size_t max_bytes;
    unsigned processors;
    unsigned shards;
  };
  for (const Row& row : std::vector<Row>{{0, 2, 1},
                                         {100 * kKiB, 64, 1},
                                         {256 * kKiB, 1, 2},
                                         {kMiB, 1, 8},
                                         {kMiB, 2, 8},
                                         {kMiB, 64, 8},
                                         {5 * kMiB, 1, 8},
                                         {5 * kMiB, 2, 16},
                                         {5 * kMiB, 3, 32},
                                         {5 * kMiB, 64, 32},
                                         {64 * kMiB, 2, 16},
                                         {64 * kMiB, 16, 128},
                                         {64 * kMiB, 0, 16},
                                         {5 * kMiB, 0, 1},
                                         {1024 * kMiB, 2, 256},
                                         {64'000 * kMiB, 512, 256}}) {
    EXPECT_EQ(MemoryTier::shards_for(row.max_bytes, row.processors), row.shards)
        << row.max_bytes << " bytes, " << row.processors << " processors";
  }
}

TEST(MemoryTierShards, entry_of_half_a_small_budget_is_kept_beside_small_ones_I8) {
  MemoryTier tier(5 * kMiB, MemoryTier::shards_for(5 * kMiB, 64));
  for (int i = 0; i < 10'000; ++i) put_bytes(tier, std::to_string(i), kDocumentBytes);
  put_bytes(tier, "large", 5 * kMiB / 2);
  EXPECT_TRUE(hit(tier, "large"));
  for (int i = 0; i < 1'000; ++i) put_bytes(tier, std::to_string(i), kDocumentBytes);
  EXPECT_TRUE(hit(tier, "large"));
  EXPECT_GT(tier.stats().entries, 1'000u);
  EXPECT_LE(tier.stats().bytes_charged, tier.max_bytes());
}

// Of a hundred thousand reads by Zipf's law, ten times as many keys as there is room for.
double hit_ratio(unsigned shards) {
  constexpr std::size_t kBudget = 5 * kMiB;
  constexpr int kKeys = 36'000;
  constexpr int kReads = 100'000;
  MemoryTier tier(kBudget, shards);
  std::vector<double> weights;
  for (int i = 1; i <= kKeys; ++i) weights.push_back(1 / std::pow(i, 0.99));
  std::discrete_distribution<int> zipf(weights.begin(), weights.end());
  std::mt19937_64 random(1);
  int hits = 0;
  for (int i = 0; i < 2 * kReads; ++i) {
    const std::string key = std::to_string(zipf(random));
    const bool there = hit(tier, key);
    if (!there) put_bytes(tier, key, kDocumentBytes);
    if (i >= kReads) hits += there ? 1 : 0;
  }
  EXPECT_LE(tier.stats().bytes_charged, tier.max_bytes());
  return static_cast<double>(hits) / kReads;
}

TEST(MemoryTierShards, many_of_a_small_budget_hit_nearly_as_often_as_one) {
  const double one = hit_ratio(1);
  EXPECT_GT(one, 0.5);
  EXPECT_GT(hit_ratio(8), one - 0.005);
  EXPECT_GT(hit_ratio(32), one - 0.01);
}

}  // namespace
}  // namespace tiercache
