// Promotions against writes, and what removes entries.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/glob.h"
#include "engine/memory/residents.h"
#include "memory/memory_tier.h"

namespace tiercache {
namespace {

using memory_test::holds;
using memory_test::kKey;
using memory_test::put;
using memory_test::resident;
using memory_test::tier_for;
using memory_test::until;
using memory_test::version;
using Pin = MemoryTier::Pin;

TEST(MemoryTier, promotion_into_an_untouched_key_is_taken) {
  MemoryTier tier(1 << 20);
  EXPECT_TRUE(tier.promote(kKey, resident(3), until(30), tier.seen(kKey)));
  EXPECT_EQ(tier.find(kKey).lifetimes.trusted_until, 30);
  EXPECT_FALSE(tier.find(kKey).pinned);
}

TEST(MemoryTier, promotion_begun_before_a_put_is_refused_I3) {
  MemoryTier tier(1 << 20);
  const auto seen = tier.seen(kKey);
  put(tier, kKey.key, 5);
  EXPECT_FALSE(tier.promote(kKey, resident(6), {}, seen));
  EXPECT_EQ(tier.find(kKey).resident->entry.version, version(5));
  EXPECT_EQ(tier.stats().refused_promotions, 1u);
}

TEST(MemoryTier, promotion_begun_after_a_put_may_bring_a_newer_version_but_no_older_I3) {
  MemoryTier tier(1 << 20);
  put(tier, kKey.key, 5);
  const auto seen = tier.seen(kKey);
  EXPECT_FALSE(tier.promote(kKey, resident(4), {}, seen));
  EXPECT_TRUE(tier.promote(kKey, resident(5), {}, seen));
  EXPECT_TRUE(tier.promote(kKey, resident(6), {}, seen));
  EXPECT_FALSE(tier.promote(kKey, resident(5), {}, seen));
}

TEST(MemoryTier, promotion_is_not_a_write_for_other_promotions) {
  MemoryTier tier(1 << 20);
  const auto seen = tier.seen(kKey);
  ASSERT_TRUE(tier.promote(kKey, resident(5), {}, seen));
  EXPECT_EQ(tier.seen(kKey), seen);
  EXPECT_TRUE(tier.promote(kKey, resident(6), {}, seen));
}

TEST(MemoryTier, promotion_begun_before_a_put_is_refused_after_its_eviction_too_I3) {
  MemoryTier tier = tier_for(1);
  const auto seen = tier.seen(KeyRef(1, "a"));
  put(tier, "a", 5);
  put(tier, "b");
  ASSERT_FALSE(holds(tier, "a"));
  EXPECT_FALSE(tier.promote(KeyRef(1, "a"), resident(4), {}, seen));
  EXPECT_TRUE(tier.promote(KeyRef(1, "a"), resident(5), {}, tier.seen(KeyRef(1, "a"))));
}

// The promoted node that came between must not wash away what the shard knew of the write.
TEST(MemoryTier, promotion_begun_before_a_put_is_refused_after_a_later_promotion_left_I3) {
  MemoryTier tier = tier_for(1);
  const KeyRef a(1, "a");
  const auto seen = tier.seen(a);
  put(tier, "a", 5);
  put(tier, "b");
  ASSERT_TRUE(tier.promote(a, resident(5), {}, tier.seen(a)));
  EXPECT_FALSE(tier.promote(a, resident(6), {}, seen));
  put(tier, "c");
  ASSERT_FALSE(holds(tier, "a"));
  EXPECT_FALSE(tier.promote(a, resident(4), {}, seen));
}

TEST(MemoryTier, promotion_begun_before_an_erase_is_refused_I4) {
  MemoryTier tier(1 << 20);
  put(tier, kKey.key, 5);
  const auto seen = tier.seen(kKey);
  tier.remove(kKey, version(6));
  EXPECT_FALSE(tier.promote(kKey, resident(5), {}, seen));
  EXPECT_FALSE(tier.promote(kKey, resident(5), {}, seen));
  EXPECT_EQ(tier.find(kKey).resident, nullptr);
}

TEST(MemoryTier, promotion_begun_before_an_erase_of_an_absent_key_is_refused_I4) {
  MemoryTier tier(1 << 20);
  const auto seen = tier.seen(kKey);
  tier.remove(kKey, version(6));
  EXPECT_FALSE(tier.promote(kKey, resident(5), {}, seen));
  EXPECT_TRUE(tier.promote(kKey, resident(7), {}, tier.seen(kKey)));
}

TEST(MemoryTier, promotion_begun_before_an_erase_is_refused_after_another_put_left_I4) {
  MemoryTier tier = tier_for(1);
  const auto seen = tier.seen(KeyRef(1, "a"));
  tier.remove(KeyRef(1, "a"), version(6));
  put(tier, "b");
  put(tier, "c");
  EXPECT_FALSE(tier.promote(KeyRef(1, "a"), resident(5), {}, seen));
}

TEST(MemoryTier, remove_forgets_pinned_entries_up_to_the_version_and_no_newer) {
  MemoryTier tier(1 << 20);
  put(tier, "k", 5, Pin::yes);
  tier.remove(KeyRef(1, "k"), version(4));
  EXPECT_TRUE(holds(tier, "k"));
  tier.remove(KeyRef(1, "k"), version(5));
  EXPECT_FALSE(holds(tier, "k"));
  EXPECT_EQ(tier.stats().bytes_charged, 0u);
  EXPECT_EQ(tier.stats().bytes_pinned, 0u);
}

TEST(MemoryTier, renew_changes_lifetimes_of_that_resident_only) {
  MemoryTier tier(1 << 20);
  const auto first = resident(1), second = resident(2);
  ASSERT_TRUE(tier.put(kKey, first, until(10), Pin::no));
  tier.renew(kKey, first.get(), until(20), {});
  EXPECT_EQ(tier.find(kKey).lifetimes.trusted_until, 20);
  ASSERT_TRUE(tier.put(kKey, second, until(30), Pin::no));
  tier.renew(kKey, first.get(), until(99), {});
  EXPECT_EQ(tier.find(kKey).lifetimes.trusted_until, 30);
  tier.renew(KeyRef(1, "absent"), first.get(), until(99), {});
  EXPECT_EQ(tier.stats().entries, 1u);
}

TEST(MemoryTier, entry_is_outdated_from_a_change_after_it_was_seen_until_it_is_renewed_I10) {
  const auto shared = std::shared_ptr<std::uint32_t>(new std::uint32_t[Generations::kCounters]{},
                                                     std::default_delete<std::uint32_t[]>());
  const auto mine = std::make_shared<Generations>(shared);
  Generations others(shared);
  MemoryTier tier(1 << 20, 0, mine);
  const auto one = resident(5);
  const auto seen = tier.seen(kKey);
  others.changed(kKey.hash);
  ASSERT_TRUE(tier.promote(kKey, one, until(30), seen));
  EXPECT_TRUE(tier.find(kKey).outdated) << "its file may have been read before the change";
  tier.renew(kKey, one.get(), until(40), tier.seen(kKey));
  EXPECT_FALSE(tier.find(kKey).outdated);
  mine->changed(kKey.hash);
  EXPECT_FALSE(tier.find(kKey).outdated);
  others.changed(kKey.hash);
  EXPECT_TRUE(tier.peek(kKey).outdated);
  ASSERT_TRUE(tier.put(kKey, resident(6), until(50), Pin::no));
  EXPECT_FALSE(tier.find(kKey).outdated);
}

TEST(MemoryTier, renew_is_not_a_write_for_promotions) {
  MemoryTier tier(1 << 20);
  const auto first = resident(1);
  ASSERT_TRUE(tier.put(kKey, first, until(10), Pin::no));
  const auto seen = tier.seen(kKey);
  tier.renew(kKey, first.get(), until(20), {});
  EXPECT_TRUE(tier.promote(kKey, resident(2), {}, seen));
}

TEST(MemoryTier, remove_matching_takes_the_dataset_the_glob_and_the_version_into_account) {
  MemoryTier tier(64 << 20, 8);
  const std::string long_tail(40'000, 'x');  // more than a batch of copied keys holds
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "user:" + std::to_string(i) + (i % 100 == 0 ? long_tail : "");
    ASSERT_TRUE(tier.put(KeyRef(1, key), resident(i % 2 ? 5 : 10), {}, i % 3 ? Pin::no : Pin::yes));
    ASSERT_TRUE(tier.put(KeyRef(2, key), resident(5), {}, Pin::no));
  }
  put(tier, "other", 5);
  ASSERT_EQ(tier.stats().entries, 4001u);
  const auto matches = [](std::string_view key) { return glob_matches("user:*", key); };
  EXPECT_EQ(tier.remove_matching(1, version(10), matches), 1000u);
  EXPECT_EQ(tier.stats().entries, 3001u);
  EXPECT_TRUE(holds(tier, "other"));
  EXPECT_FALSE(holds(tier, "user:1"));
  EXPECT_TRUE(holds(tier, "user:2"));
  EXPECT_NE(tier.peek(KeyRef(2, "user:1")).resident, nullptr);
}

TEST(MemoryTier, promotion_begun_before_remove_matching_is_refused_I4) {
  MemoryTier tier(1 << 20, 4);
  const KeyRef present(1, "user:1"), absent(1, "user:2");
  put(tier, "user:1", 5);
  const auto of_present = tier.seen(present), of_absent = tier.seen(absent);
  tier.remove_matching(1, version(10), [](std::string_view) { return true; });
  EXPECT_FALSE(tier.promote(present, resident(5), {}, of_present));
  EXPECT_FALSE(tier.promote(absent, resident(5), {}, of_absent));
  EXPECT_EQ(tier.stats().entries, 0u);
}

TEST(MemoryTier, predicate_of_remove_matching_may_use_the_tier) {
  MemoryTier tier(1 << 20, 1);
  put(tier, "a", 1);
  put(tier, "b", 1);
  const std::size_t removed = tier.remove_matching(1, version(2), [&](std::string_view key) {
    return tier.find(KeyRef(1, key)).resident != nullptr && key == "b";
  });
  EXPECT_EQ(removed, 1u);
  EXPECT_TRUE(holds(tier, "a"));
}

// A destructor of a decoded value may call back; nothing may die under a shard's lock.
}  // namespace
}  // namespace tiercache
