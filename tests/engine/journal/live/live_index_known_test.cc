// What the index knows of its records without reading them.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/journal/live/live_index_fixture.h"

namespace tiercache::testing {
namespace {

class LiveIndexKnown : public LiveIndexTest {};

TEST_F(LiveIndexKnown, bytes_are_replaced_unless_the_older_record_stays) {
  EXPECT_EQ(index.replaced_bytes(content("k", 5, "1")), 0u);
  add(content("k", 5, "1"));
  EXPECT_EQ(index.replaced_bytes(content("k", 7, "1")), 64u);
  EXPECT_EQ(index.replaced_bytes(guarded("k", 7, 5)), 64u);
  EXPECT_EQ(index.replaced_bytes(guarded("k", 7, 3)), 0u) << "it has not seen version 5";
  EXPECT_EQ(index.replaced_bytes(clocks("k", 7, {})), 0u);
  add(clocks("k", 5, {ms(1), {}, {}}));
  EXPECT_EQ(index.replaced_bytes(clocks("k", 7, {})), 64u);
  settle(slot("k"), 5);
  EXPECT_EQ(index.replaced_bytes(guarded("k", 7, 3)), 64u) << "the store has it";
}

TEST_F(LiveIndexKnown, live_records_of_segments_are_told_oldest_version_first) {
  add(content("c", 9, "1"), 1);
  add(content("a", 3, "1"), 2);
  add(clocks("b", 5, {ms(1), {}, {}}), 1);
  add(erase_matching("zzz", 4), 1);
  add(guarded("b", 8, 3), 1);
  add(content("b", 7, "1"), 1);
  std::vector<std::uint64_t> versions;
  for (const SlotPlaces& item : index.live_in_any({1})) versions.push_back(item.version.time);
  EXPECT_EQ(versions, (std::vector<std::uint64_t>{4, 5, 7, 8, 9}));
  EXPECT_EQ(index.live_in_any({2}).size(), 1u);
  EXPECT_TRUE(index.live_in_any({}).empty());
}

TEST_F(LiveIndexKnown, records_that_were_not_read_are_named) {
  const Place a = add(content("a", 3, "1"), 1);
  const Place b = add(content("b", 4, "1"), 1);
  add(content("c", 5, "1"), 2);
  const auto others = index.others_in(1, {a.offset});
  ASSERT_EQ(others.size(), 1u);
  EXPECT_EQ(others[0].slot, slot("b"));
  EXPECT_EQ(others[0].version, at(4));
  EXPECT_TRUE(index.others_in(1, {a.offset, b.offset}).empty());
}

TEST_F(LiveIndexKnown, what_is_known_of_unread_records_is_all_but_their_bytes) {
  Record made = guarded("made", 7, 3);
  made.made_from.add({5, 9});
  const Place place = add(made);
  const Place gone = add(tombstone("gone", 4));
  add(clocks("moved", 5, {ms(1), ms(2), ms(3)}));
  const Place read = add(content("read", 6, "1"));
  add(content("elsewhere", 8, "1"), 2);
  settle(slot("gone"), 4);
  auto known = index.known_in(1, {read.offset});
  std::sort(known.begin(), known.end(), [](const auto& a, const auto& b) {
    return a.record.entry.version < b.record.entry.version;
  });
  ASSERT_EQ(known.size(), 3u);
  EXPECT_EQ(known[0].record.entry.kind, EntryKind::tombstone);
  EXPECT_EQ(known[0].place, gone);
  EXPECT_TRUE(known[0].confirmed);
  EXPECT_EQ(known[1].record.kind, RecordKind::clocks);
  EXPECT_EQ(known[1].record.entry.clocks, (Clocks{ms(1), ms(2), ms(3)}));
  EXPECT_EQ(known[1].place, std::nullopt) << "to be added anew";
  EXPECT_FALSE(known[1].confirmed);
  EXPECT_EQ(known[2].record.id, id_of("made"));
  EXPECT_EQ(known[2].record.entry.kind, EntryKind::document);
  EXPECT_EQ(known[2].record.not_newer_than, at(3));
  EXPECT_EQ(known[2].record.made_from, made.made_from);
  EXPECT_EQ(known[2].place, place);
}

TEST_F(LiveIndexKnown, marker_that_was_not_read_is_known_with_its_reason) {
  add(erase_matching("x*", 5), 2);
  ASSERT_TRUE(index.park(slot("x*", RecordKind::erase_matching), at(5), "no such table"));
  const Place place{1, 640, 64};
  index.add_parked_marker(parked_marker("x*", 5, RecordKind::erase_matching), place);
  const auto known = index.known_in(1, {});
  ASSERT_EQ(known.size(), 1u);
  EXPECT_EQ(known[0].record.kind, RecordKind::parked);
  EXPECT_EQ(known[0].record.subject, RecordKind::erase_matching);
  EXPECT_EQ(known[0].record.id, id_of("x*"));
  EXPECT_EQ(known[0].record.entry.version, at(5));
  EXPECT_EQ(known[0].record.why, "no such table");
  EXPECT_EQ(known[0].place, place);
  EXPECT_TRUE(index.known_in(1, {640}).empty());
}

}  // namespace
}  // namespace tiercache::testing
