// What is parked, and how what waits or is parked is listed.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/journal/live/live_index_fixture.h"

namespace tiercache::testing {
namespace {

class LiveIndexListing : public LiveIndexTest {
 protected:
  using Listing = LiveIndex::Listing;

  std::vector<std::uint64_t> listed(Listing which, const std::string& dataset = {},
                                    const SlotPosition* after = nullptr, std::size_t limit = 100) {
    std::vector<std::uint64_t> versions;
    for (const auto& one : index.list(which, dataset, after, limit)) {
      versions.push_back(one.version.time);
    }
    return versions;
  }
  std::vector<SlotPlaces> take_named(const std::vector<SlotName>& slots) {
    return index.take_named(slots);
  }
  static SlotName erase_slot(const std::string& glob) {
    return slot(glob, RecordKind::erase_matching);
  }
  static SlotName clocks_slot(const std::string& key) { return slot(key, RecordKind::clocks); }
};

// --- Parking ---

TEST_F(LiveIndexListing, nothing_is_parked_that_is_settled_or_not_there) {
  EXPECT_FALSE(index.park(slot("k"), at(5), "no"));
  EXPECT_FALSE(index.park(erase_slot("k*"), at(5), "no"));
  add(content("k", 5, "1"));
  settle(slot("k"), 5);
  EXPECT_FALSE(index.park(slot("k"), at(5), "no"));
  EXPECT_EQ(index.parked_count(), 0u);
}

TEST_F(LiveIndexListing, parked_bytes_are_of_all_places_counted_once) {
  add(clocks("k", 5, {ms(10), {}, {}}));
  add(clocks("k", 5, {ms(8), {}, ms(9)}));
  ASSERT_TRUE(index.park(clocks_slot("k"), at(5), "no"));
  EXPECT_EQ(index.parked_bytes(), 128u);
  ASSERT_TRUE(index.park(clocks_slot("k"), at(5), "still not"));
  EXPECT_EQ(index.parked_bytes(), 128u);
  EXPECT_EQ(index.parked_count(), 1u);
  EXPECT_EQ(index.parked().at(0).why, "still not");
  EXPECT_EQ(index.parked().at(0).bytes, 128u);
  EXPECT_EQ(index.parked().at(0).clocks, (Clocks{ms(10), {}, ms(9)}));
  index.retry_parked(clocks_slot("k"));
  EXPECT_EQ(index.parked_bytes(), 0u);
}

TEST_F(LiveIndexListing, only_what_is_parked_is_retried_or_discarded) {
  EXPECT_EQ(index.retry_parked(slot("k")), std::nullopt);
  EXPECT_EQ(index.discard_parked(slot("k")), std::nullopt);
  add(content("k", 5, "1"));
  EXPECT_EQ(index.retry_parked(slot("k")), std::nullopt);
  EXPECT_EQ(index.discard_parked(slot("k")), std::nullopt);
  EXPECT_EQ(index.live_records(), 1u);
}

TEST_F(LiveIndexListing, parked_ones_of_a_key_are_told_by_version_or_all) {
  add(guarded("k", 7, 3));
  add(content("k", 5, "1"));
  add(clocks("k", 6, {ms(1), {}, {}}));
  add(erase_matching("k", 2));
  for (const std::uint64_t version : {5, 7}) {
    ASSERT_TRUE(index.park(slot("k"), at(version), "no"));
  }
  ASSERT_TRUE(index.park(erase_slot("k"), at(2), "no"));
  EXPECT_EQ(index.parked_of(id_of("k"), {}).size(), 3u) << "its clocks are not";
  ASSERT_TRUE(index.park(clocks_slot("k"), at(6), "no"));
  EXPECT_EQ(index.parked_of(id_of("k"), {}).size(), 4u);
  for (const std::uint64_t version : {2, 5, 6, 7}) {
    const auto one = index.parked_of(id_of("k"), at(version));
    ASSERT_EQ(one.size(), 1u);
    EXPECT_EQ(one[0].version, at(version));
  }
  EXPECT_TRUE(index.parked_of(id_of("k"), at(4)).empty());
  EXPECT_TRUE(index.parked_of(id_of("l"), {}).empty());
}

TEST_F(LiveIndexListing, parked_content_is_neither_unsettled_nor_awaited) {
  add(content("k", 5, "1"));
  Version version;
  ASSERT_TRUE(index.is_unsettled(id_of("k"), &version));
  EXPECT_EQ(version, at(5));
  ASSERT_TRUE(index.park(slot("k"), at(5), "no"));
  EXPECT_FALSE(index.is_unsettled(id_of("k"), nullptr));
  EXPECT_FALSE(index.awaits_store(slot("k")));
  index.retry_parked(slot("k"));
  EXPECT_TRUE(index.awaits_store(slot("k")));
  settle(slot("k"), 5);
  EXPECT_FALSE(index.is_unsettled(id_of("k"), nullptr));
  EXPECT_FALSE(index.awaits_store(slot("k")));
  EXPECT_TRUE(index.holds(id_of("k"))) << "its file is not there";
}

// --- Listing ---

TEST_F(LiveIndexListing, waiting_and_held_writes_are_listed_together_by_version) {
  add(content("a", 4, "1"));
  take();
  index.release(slot("a"), at(4), true);
  add(content("b", 3, "1"));
  add(clocks("c", 5, {ms(1), {}, {}}));
  add(tombstone("d", 2));
  EXPECT_EQ(listed(Listing::waiting), (std::vector<std::uint64_t>{2, 3, 4, 5}));
  EXPECT_TRUE(listed(Listing::parked).empty());
  ASSERT_TRUE(index.park(slot("b"), at(3), "no"));
  EXPECT_EQ(listed(Listing::waiting), (std::vector<std::uint64_t>{2, 4, 5}));
  EXPECT_EQ(listed(Listing::parked), std::vector<std::uint64_t>{3});
}

TEST_F(LiveIndexListing, listed_write_is_described) {
  add(tombstone("d", 2));
  add(content("e", 3, "1"));
  add(clocks("f", 4, {ms(1), {}, ms(2)}));
  const auto all = index.list(Listing::waiting, {}, nullptr, 100);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_TRUE(all[0].tombstone);
  EXPECT_EQ(all[0].slot, slot("d"));
  EXPECT_EQ(all[0].bytes, 64u);
  EXPECT_EQ(all[0].clocks, Clocks{});
  EXPECT_TRUE(all[0].why.empty());
  EXPECT_FALSE(all[1].tombstone);
  EXPECT_EQ(all[2].clocks, (Clocks{ms(1), {}, ms(2)}));
}

TEST_F(LiveIndexListing, pages_follow_each_other_without_gap_or_repeat) {
  for (std::uint64_t version : {1, 2, 3, 4, 5, 6, 7}) {
    add(content("k" + std::to_string(version), version, "1"));
  }
  for (const std::uint64_t version : {2, 5}) {
    const SlotName name = slot("k" + std::to_string(version));
    take_named({name});
    index.release(name, at(version), true);
  }
  std::vector<std::uint64_t> met;
  SlotPosition after;
  for (const SlotPosition* from = nullptr;; from = &after) {
    const auto page = index.list(Listing::waiting, {}, from, 3);
    EXPECT_LE(page.size(), 3u);
    if (page.empty()) break;
    for (const auto& one : page) met.push_back(one.version.time);
    after = {page.back().version, page.back().slot.kind, page.back().slot.id};
    ASSERT_LE(met.size(), 7u);
  }
  EXPECT_EQ(met, (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_TRUE(listed(Listing::waiting, {}, nullptr, 0).empty());
}

TEST_F(LiveIndexListing, writes_of_one_version_are_listed_by_kind_and_key) {
  add(clocks("a", 5, {ms(1), {}, {}}));
  add(content("b", 5, "1"));
  add(content("a", 5, "1"));
  add(erase_matching("z", 5));
  const auto all = index.list(Listing::waiting, {}, nullptr, 100);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].slot, slot("a"));
  EXPECT_EQ(all[1].slot, slot("b"));
  EXPECT_EQ(all[2].slot, clocks_slot("a"));
  EXPECT_EQ(all[3].slot, erase_slot("z"));
  const SlotPosition after{at(5), RecordKind::content, id_of("b")};
  EXPECT_EQ(index.list(Listing::waiting, {}, &after, 100).size(), 2u);
}

TEST_F(LiveIndexListing, listing_of_one_dataset_counts_its_own_alone) {
  for (std::uint64_t version : {1, 2, 3, 4, 5, 6}) {
    Record record = content("k" + std::to_string(version), version, "1");
    record.id.dataset = version % 2 == 0 ? "even" : "odd";
    add(record);
  }
  EXPECT_EQ(listed(Listing::waiting, "even", nullptr, 2), (std::vector<std::uint64_t>{2, 4}));
  EXPECT_EQ(listed(Listing::waiting, "odd"), (std::vector<std::uint64_t>{1, 3, 5}));
  EXPECT_TRUE(listed(Listing::waiting, "neither").empty());
}

TEST_F(LiveIndexListing, parked_one_that_lies_below_is_listed_as_itself) {
  add(guarded("k", 7, 3));
  add(tombstone("k", 5));
  ASSERT_TRUE(index.park(slot("k"), at(5), "no"));
  const auto parked = index.parked();
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_TRUE(parked[0].slot.below);
  EXPECT_TRUE(parked[0].tombstone);
}

}  // namespace
}  // namespace tiercache::testing
