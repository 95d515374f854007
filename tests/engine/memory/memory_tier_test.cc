#include "memory/memory_tier.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/glob.h"
#include "engine/memory/residents.h"

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

TEST(MemoryTier, find_of_unknown_key_is_a_miss) {
  MemoryTier tier(1 << 20);
  EXPECT_EQ(tier.find(kKey).resident, nullptr);
  EXPECT_EQ(tier.peek(kKey).resident, nullptr);
}

TEST(MemoryTier, find_returns_the_very_resident_and_lifetimes_that_were_put) {
  MemoryTier tier(1 << 20);
  const auto put_in = resident(7, R"({"a":1})");
  ASSERT_TRUE(tier.put(kKey, put_in, {1, 2, 3, -4}, Pin::yes));
  const MemoryTier::Found found = tier.find(kKey);
  EXPECT_EQ(found.resident, put_in);
  EXPECT_EQ(found.lifetimes.trusted_until, 1);
  EXPECT_EQ(found.lifetimes.fresh_until, 2);
  EXPECT_EQ(found.lifetimes.stale_until, 3);
  EXPECT_EQ(found.lifetimes.fetched_at, -4);
  EXPECT_TRUE(found.pinned);
}

TEST(MemoryTier, snapshot_outlives_the_tier) {
  detail::ResidentPtr kept;
  {
    MemoryTier tier(1 << 20);
    ASSERT_TRUE(tier.put(kKey, resident(1, "[1]"), {}, Pin::no));
    kept = tier.find(kKey).resident;
  }
  EXPECT_EQ(*kept->entry.document, "[1]");
  EXPECT_EQ(kept.use_count(), 1);
}

TEST(MemoryTier, equal_keys_of_two_datasets_are_two_entries) {
  MemoryTier tier(1 << 20, 1);
  ASSERT_TRUE(tier.put(KeyRef(1, "k"), resident(1, "[1]"), {}, Pin::no));
  ASSERT_TRUE(tier.put(KeyRef(2, "k"), resident(1, "[2]"), {}, Pin::no));
  EXPECT_EQ(*tier.find(KeyRef(1, "k")).resident->entry.document, "[1]");
  EXPECT_EQ(*tier.find(KeyRef(2, "k")).resident->entry.document, "[2]");
}

// The hash alone never decides, and neither does the key without its dataset.
TEST(MemoryTier, keys_with_one_hash_are_kept_apart) {
  MemoryTier tier(1 << 20);
  KeyRef other_dataset(2, kKey.key), other_key(1, "session:43:state");
  other_dataset.hash = other_key.hash = kKey.hash;
  ASSERT_TRUE(tier.put(kKey, resident(1, "[1]"), {}, Pin::no));
  ASSERT_TRUE(tier.put(other_dataset, resident(1, "[2]"), {}, Pin::no));
  ASSERT_TRUE(tier.put(other_key, resident(1, "[3]"), {}, Pin::no));
  EXPECT_EQ(*tier.find(kKey).resident->entry.document, "[1]");
  EXPECT_EQ(*tier.find(other_dataset).resident->entry.document, "[2]");
  EXPECT_EQ(*tier.find(other_key).resident->entry.document, "[3]");
  tier.remove(kKey, version(9));
  EXPECT_EQ(tier.find(kKey).resident, nullptr);
  EXPECT_EQ(*tier.find(other_key).resident->entry.document, "[3]");
}

// Around the word size, the room in a node and the longest key compared in place; bytes of any
// value.
TEST(MemoryTier, keys_of_any_length_and_bytes_are_told_apart) {
  MemoryTier tier(64 << 20);
  std::vector<std::string> keys;
  for (const std::size_t size :
       {0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1024, 100'000}) {
    keys.emplace_back(size, '\0');
    for (std::size_t at = 0; at < size; at += size < 100 ? 1 : size - 1) {
      keys.emplace_back(size, '\0');
      keys.back()[at] = '\xff';
    }
  }
  for (const std::string& key : keys) {
    KeyRef ref(1, key);
    ref.hash = 0;
    ASSERT_TRUE(tier.put(ref, resident(1, key), {}, Pin::no));
  }
  ASSERT_EQ(tier.stats().entries, keys.size());
  for (const std::string& key : keys) {
    KeyRef ref(1, key);
    ref.hash = 0;
    ASSERT_EQ(*tier.find(ref).resident->entry.document, key);
  }
}

TEST(MemoryTier, put_of_older_version_is_refused_and_changes_nothing_I3) {
  MemoryTier tier(1 << 20);
  ASSERT_TRUE(tier.put(kKey, resident(5), until(50), Pin::no));
  EXPECT_FALSE(tier.put(kKey, resident(4), until(40), Pin::yes));
  const auto found = tier.find(kKey);
  EXPECT_EQ(found.resident->entry.version, version(5));
  EXPECT_EQ(found.lifetimes.trusted_until, 50);
  EXPECT_FALSE(found.pinned);
}

TEST(MemoryTier, put_of_equal_version_replaces_the_resident) {
  MemoryTier tier(1 << 20);
  ASSERT_TRUE(tier.put(kKey, resident(5), until(50), Pin::no));
  const auto moved_clocks = resident(5);
  EXPECT_TRUE(tier.put(kKey, moved_clocks, until(60), Pin::no));
  EXPECT_EQ(tier.find(kKey).resident, moved_clocks);
  EXPECT_EQ(tier.find(kKey).lifetimes.trusted_until, 60);
}

TEST(MemoryTier, writer_breaks_the_tie_of_equal_times_I3) {
  MemoryTier tier(1 << 20);
  ASSERT_TRUE(tier.put(kKey, resident(Version{5, 2}), {}, Pin::no));
  EXPECT_FALSE(tier.put(kKey, resident(Version{5, 1}), {}, Pin::no));
  EXPECT_TRUE(tier.put(kKey, resident(Version{5, 3}), {}, Pin::no));
}

TEST(MemoryTier, least_recently_used_entry_is_evicted_first) {
  MemoryTier tier = tier_for(3);
  for (const char* key : {"a", "b", "c", "d"}) put(tier, key);
  EXPECT_FALSE(holds(tier, "a"));
  EXPECT_TRUE(holds(tier, "b") && holds(tier, "c") && holds(tier, "d"));
  EXPECT_EQ(tier.stats().evictions, 1u);
}

TEST(MemoryTier, find_marks_an_entry_as_recently_used) {
  MemoryTier tier = tier_for(3);
  for (const char* key : {"a", "b", "c"}) put(tier, key);
  tier.find(KeyRef(1, "a"));
  put(tier, "d");
  EXPECT_TRUE(holds(tier, "a"));
  EXPECT_FALSE(holds(tier, "b"));
}

TEST(MemoryTier, peek_and_renew_leave_the_order_of_use) {
  MemoryTier tier = tier_for(3);
  for (const char* key : {"a", "b", "c"}) put(tier, key);
  const auto found = tier.peek(KeyRef(1, "a"));
  tier.renew(KeyRef(1, "a"), found.resident.get(), until(9), {});
  put(tier, "d");
  EXPECT_FALSE(holds(tier, "a"));
}

TEST(MemoryTier, pinned_entry_is_never_evicted) {
  MemoryTier tier = tier_for(2);
  put(tier, "p", 1, Pin::yes);
  for (int i = 0; i < 100; ++i) put(tier, std::to_string(i));
  EXPECT_TRUE(holds(tier, "p"));
  EXPECT_EQ(tier.stats().entries, 2u);
}

TEST(MemoryTier, pinned_entries_push_out_the_others_and_may_exceed_the_budget_I8) {
  MemoryTier tier = tier_for(2);
  put(tier, "a");
  for (const char* key : {"p", "q", "r"}) put(tier, key, 1, Pin::yes);
  EXPECT_FALSE(holds(tier, "a"));
  EXPECT_EQ(tier.stats().entries, 3u);
  EXPECT_EQ(tier.stats().bytes_charged, tier.stats().bytes_pinned);
  put(tier, "b");
  EXPECT_FALSE(holds(tier, "b"));
  EXPECT_EQ(tier.stats().too_large, 1u);
}

TEST(MemoryTier, unpinned_entry_is_evictable_again_as_most_recently_used) {
  MemoryTier tier = tier_for(2);
  put(tier, "p", 1, Pin::yes);
  put(tier, "a");
  tier.unpin(KeyRef(1, "p"), version(1));
  EXPECT_EQ(tier.stats().bytes_pinned, 0u);
  put(tier, "b");
  EXPECT_TRUE(holds(tier, "p"));
  EXPECT_FALSE(holds(tier, "a"));
  put(tier, "c");
  EXPECT_FALSE(holds(tier, "p"));
}

TEST(MemoryTier, unpin_over_the_budget_evicts_at_once_I8) {
  MemoryTier tier = tier_for(1);
  for (const char* key : {"p", "q", "r"}) put(tier, key, 1, Pin::yes);
  for (const char* key : {"p", "q", "r"}) tier.unpin(KeyRef(1, key), version(1));
  EXPECT_FALSE(holds(tier, "p") || holds(tier, "q"));
  EXPECT_TRUE(holds(tier, "r"));
  EXPECT_LE(tier.stats().bytes_charged, tier.max_bytes());
}

TEST(MemoryTier, unpin_of_an_older_version_leaves_the_newer_write_pinned) {
  MemoryTier tier(1 << 20);
  put(tier, "k", 1, Pin::yes);
  put(tier, "k", 2, Pin::yes);
  tier.unpin(KeyRef(1, "k"), version(1));
  EXPECT_TRUE(tier.peek(KeyRef(1, "k")).pinned);
  tier.unpin(KeyRef(1, "k"), version(2));
  EXPECT_FALSE(tier.peek(KeyRef(1, "k")).pinned);
}

TEST(MemoryTier, replacing_a_pinned_entry_keeps_the_pin_until_the_pinned_version_is_unpinned) {
  MemoryTier tier(1 << 20);
  put(tier, "k", 1, Pin::yes);
  put(tier, "k", 2, Pin::no);
  const auto seen = tier.seen(KeyRef(1, "k"));
  ASSERT_TRUE(tier.promote(KeyRef(1, "k"), resident(3), {}, seen));
  EXPECT_TRUE(tier.peek(KeyRef(1, "k")).pinned);
  tier.unpin(KeyRef(1, "k"), version(1));
  EXPECT_FALSE(tier.peek(KeyRef(1, "k")).pinned);
}

TEST(MemoryTier, half_of_the_budget_is_pinned_from_the_first_byte_above_it) {
  MemoryTier tier = tier_for(2);
  EXPECT_FALSE(tier.is_half_pinned());
  put(tier, "a", 1, Pin::yes);
  EXPECT_FALSE(tier.is_half_pinned()) << "just half";
  put(tier, "b", 1, Pin::yes);
  EXPECT_TRUE(tier.is_half_pinned());
  tier.unpin(KeyRef(1, "a"), version(1));
  EXPECT_FALSE(tier.is_half_pinned());
}

TEST(MemoryTier, zero_budget_keeps_only_what_is_pinned) {
  MemoryTier tier(0);
  put(tier, "a");
  put(tier, "p", 1, Pin::yes);
  EXPECT_FALSE(holds(tier, "a"));
  EXPECT_TRUE(holds(tier, "p"));
  tier.unpin(KeyRef(1, "p"), version(1));
  EXPECT_FALSE(holds(tier, "p"));
  EXPECT_EQ(tier.stats().bytes_charged, 0u);
}

TEST(MemoryTier, entry_larger_than_its_share_is_not_kept_and_evicts_nothing) {
  MemoryTier tier = tier_for(3);
  for (const char* key : {"a", "b", "c"}) put(tier, key);
  const std::string large(tier.max_bytes(), ' ');
  EXPECT_TRUE(tier.put(KeyRef(1, "d"), resident(1, large), {}, Pin::no));
  EXPECT_FALSE(holds(tier, "d"));
  EXPECT_EQ(tier.stats().entries, 3u);
  EXPECT_EQ(tier.stats().evictions, 0u);
  EXPECT_EQ(tier.stats().too_large, 1u);
}

TEST(MemoryTier, entry_too_large_to_keep_still_replaces_the_older_one_I3) {
  MemoryTier tier = tier_for(3);
  put(tier, "a", 1);
  const auto seen = tier.seen(KeyRef(1, "a"));
  EXPECT_TRUE(
      tier.put(KeyRef(1, "a"), resident(2, std::string(tier.max_bytes(), ' ')), {}, Pin::no));
  EXPECT_FALSE(holds(tier, "a"));
  EXPECT_FALSE(tier.promote(KeyRef(1, "a"), resident(1), {}, seen));
}

TEST(MemoryTier, entry_of_exactly_the_share_is_kept) {
  const std::size_t charge = MemoryTier::charge("a", *resident(1));
  MemoryTier exact(charge, 1), one_less(charge - 1, 1);
  put(exact, "a");
  put(one_less, "a");
  EXPECT_TRUE(holds(exact, "a"));
  EXPECT_FALSE(holds(one_less, "a"));
}

TEST(MemoryTier, growing_an_entry_evicts_others_but_not_itself) {
  MemoryTier tier = tier_for(8);
  for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"}) put(tier, key);
  const std::size_t spare = tier.max_bytes() - 2 * MemoryTier::charge("a", *resident(1));
  ASSERT_TRUE(tier.put(KeyRef(1, "a"), resident(2, std::string(spare, ' ')), {}, Pin::no));
  EXPECT_TRUE(holds(tier, "a"));
  EXPECT_FALSE(holds(tier, "b"));
  EXPECT_LE(tier.stats().bytes_charged, tier.max_bytes());
}

TEST(MemoryTier, growing_a_lone_entry_by_a_pinned_write_keeps_it_although_it_exceeds_the_budget) {
  MemoryTier tier = tier_for(1);
  put(tier, "a", 1);
  const auto larger = resident(2, std::string(tier.max_bytes(), ' '));
  ASSERT_TRUE(tier.put(KeyRef(1, "a"), larger, {}, Pin::yes));
  EXPECT_EQ(tier.find(KeyRef(1, "a")).resident, larger);
  EXPECT_EQ(tier.stats().bytes_pinned, MemoryTier::charge("a", *larger));
  EXPECT_EQ(tier.stats().bytes_charged, tier.stats().bytes_pinned);
  EXPECT_EQ(tier.stats().evictions, 0u);
}

TEST(MemoryTier, charge_counts_everything_an_entry_brings) {
  detail::Resident plain;
  const std::size_t least = MemoryTier::charge("k", plain);
  EXPECT_GE(least, sizeof(detail::Resident) + 128);
  EXPECT_EQ(MemoryTier::charge("k2", plain), least);
  EXPECT_GE(MemoryTier::charge(std::string(1000, 'k'), plain), least + 1000);
  detail::Resident full = plain;
  full.value_bytes = 5000;
  EXPECT_EQ(MemoryTier::charge("k", full), least + 5000);
  full = plain;
  full.entry.metadata = std::string(300, 'm');
  EXPECT_GE(MemoryTier::charge("k", full), least + 300);
  full = plain;
  full.entry.document = std::make_shared<const std::string>(1000, 'd');
  EXPECT_GE(MemoryTier::charge("k", full), least + 1000 + sizeof(std::string));
}

TEST(MemoryTier, residents_die_outside_the_lock) {
  MemoryTier tier = tier_for(2);
  int died = 0;
  const auto calls_back = [&](std::uint64_t time) {
    detail::Resident made;
    made.entry.version = version(time);
    made.value = std::shared_ptr<const void>(&made, [&](const void*) {
      tier.find(KeyRef(1, "a"));
      ++died;
    });
    return std::make_shared<const detail::Resident>(std::move(made));
  };
  ASSERT_TRUE(tier.put(KeyRef(1, "a"), calls_back(1), {}, Pin::no));
  ASSERT_TRUE(tier.put(KeyRef(1, "a"), calls_back(2), {}, Pin::no));
  EXPECT_EQ(died, 1) << "replaced";
  put(tier, "b");
  put(tier, "c");
  put(tier, "d");
  EXPECT_EQ(died, 2) << "evicted";
  ASSERT_TRUE(tier.put(KeyRef(1, "e"), calls_back(1), {}, Pin::no));
  tier.remove(KeyRef(1, "e"), version(1));
  EXPECT_EQ(died, 3) << "removed";
  ASSERT_TRUE(tier.put(KeyRef(1, "f"), calls_back(1), {}, Pin::no));
  tier.remove_matching(1, version(2), [](std::string_view key) { return key == "f"; });
  EXPECT_EQ(died, 4) << "removed by pattern";
  put(tier, "p", 1, Pin::yes);
  put(tier, "q", 1, Pin::yes);
  ASSERT_TRUE(tier.put(KeyRef(1, "g"), calls_back(1), {}, Pin::yes));
  tier.unpin(KeyRef(1, "g"), version(1));
  EXPECT_EQ(died, 5) << "evicted by unpin";
  ASSERT_TRUE(tier.put(KeyRef(1, "h"), calls_back(1), {}, Pin::no));
  EXPECT_EQ(died, 6) << "not kept";
}

TEST(MemoryTier, many_evictions_for_one_arrival_stay_within_the_budget_I8) {
  MemoryTier tier = tier_for(1000);
  for (int i = 0; i < 1000; ++i) put(tier, std::to_string(i));
  const std::string large(tier.max_bytes() - 2 * MemoryTier::charge("a", *resident(1)), ' ');
  ASSERT_TRUE(tier.put(KeyRef(1, "large"), resident(1, large), {}, Pin::no));
  EXPECT_TRUE(holds(tier, "large"));
  EXPECT_LE(tier.stats().bytes_charged, tier.max_bytes());
  EXPECT_GE(tier.stats().evictions, 998u);
}

// What a promotion evicts for itself was written after `seen`; that is no write of its own key.
TEST(MemoryTier, promotion_is_not_refused_for_what_it_evicts) {
  MemoryTier tier = tier_for(100);
  const KeyRef key(1, "large");
  const auto seen = tier.seen(key);
  for (int i = 0; i < 100; ++i) put(tier, std::to_string(i));
  EXPECT_TRUE(tier.promote(key, resident(1, std::string(tier.max_bytes() / 2, ' ')), {}, seen));
  EXPECT_TRUE(holds(tier, "large"));
  EXPECT_EQ(tier.stats().refused_promotions, 0u);
}

TEST(MemoryTier, number_of_shards_does_not_change_what_is_held) {
  for (const unsigned shards : {0u, 1u, 2u, 64u, 1024u}) {
    MemoryTier tier(64 << 20, shards);
    for (int i = 0; i < 5000; ++i) put(tier, std::to_string(i));
    for (int i = 0; i < 5000; ++i) ASSERT_TRUE(holds(tier, std::to_string(i))) << shards;
  }
}

}  // namespace
}  // namespace tiercache
