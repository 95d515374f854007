#include "journal/live/live_index.h"

#include <gtest/gtest.h>

#include "engine/journal/live/live_index_fixture.h"

namespace tiercache::testing {
namespace {

TEST_F(LiveIndexTest, record_is_live_until_synced_and_settled_in_any_order) {
  for (const bool file_first : {true, false}) {
    add(content("k", file_first ? 1 : 2, "1"));
    const auto sync = [&] {
      index.file_written(id_of("k"), at(2), {});
      index.files_synced(index.files_mark());
    };
    file_first ? sync() : settle(slot("k"), 2);
    EXPECT_EQ(index.live_records(), 1u);
    file_first ? settle(slot("k"), 2) : sync();
    EXPECT_EQ(index.live_records(), 0u);
    EXPECT_EQ(index.live_bytes(), 0u);
  }
}

TEST_F(LiveIndexTest, newest_version_stays_whatever_the_order_I3) {
  add(content("k", 7, "1"));
  add(content("k", 5, "1"));
  Version version;
  ASSERT_TRUE(index.is_unsettled(id_of("k"), &version));
  EXPECT_EQ(version, at(7));
  EXPECT_EQ(index.live_records(), 1u);
}

TEST_F(LiveIndexTest, settling_an_older_version_leaves_the_newer_one_unsettled) {
  add(content("k", 5, "1"));
  ASSERT_EQ(index.take(10, 1 << 20).size(), 1u);
  add(content("k", 6, "1"));
  EXPECT_TRUE(index.take(10, 1 << 20).empty()) << "the key is in flight";
  settle(slot("k"), 5);
  const auto next = index.take(10, 1 << 20);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].version, at(6));
}

TEST_F(LiveIndexTest, file_of_an_older_version_does_not_free_the_newer_one) {
  add(content("k", 5, "1"));
  index.file_written(id_of("k"), at(5), {});
  add(content("k", 6, "1"));
  index.files_synced(index.files_mark());
  settle(slot("k"), 6);
  EXPECT_EQ(index.live_records(), 1u);
  index.file_written(id_of("k"), at(6), {});
  index.files_synced(index.files_mark());
  EXPECT_EQ(index.live_records(), 0u);
}

TEST_F(LiveIndexTest, file_written_after_the_mark_is_not_synced_by_it) {
  add(content("k", 5, "1"));
  settle(slot("k"), 5);
  const std::uint64_t mark = index.files_mark();
  index.file_written(id_of("k"), at(5), {});
  index.files_synced(mark);
  EXPECT_EQ(index.live_records(), 1u);
}

TEST_F(LiveIndexTest, file_written_again_must_be_synced_again) {
  add(content("k", 5, "1"));
  settle(slot("k"), 5);
  index.file_written(id_of("k"), at(5), {});
  const std::uint64_t mark = index.files_mark();
  index.file_written(id_of("k"), at(5), {});
  index.files_synced(mark);
  EXPECT_EQ(index.live_records(), 1u);
}

TEST_F(LiveIndexTest, covered_file_write_keeps_synced_content_live) {
  add(content("k", 5, "1"));
  index.file_written(id_of("k"), at(5), {});
  index.files_synced(index.files_mark());
  EXPECT_TRUE(index.cover_file_write(id_of("k"), at(5)));
  settle(slot("k"), 5);
  EXPECT_EQ(index.live_records(), 1u);
  index.file_written(id_of("k"), at(5), {});
  index.files_synced(index.files_mark());
  EXPECT_EQ(index.live_records(), 0u);
  EXPECT_FALSE(index.cover_file_write(id_of("k"), at(5)));
}

TEST_F(LiveIndexTest, clocks_and_content_are_separate) {
  add(content("k", 5, "1"));
  add(clocks("k", 5, {ms(10), {}, {}}));
  EXPECT_EQ(index.live_records(), 2u);
  index.file_written(id_of("k"), at(5), {ms(9), {}, {}});
  index.files_synced(index.files_mark());
  settle(slot("k"), 5, {ms(9), {}, {}});
  EXPECT_EQ(index.live_records(), 1u) << "the clocks moved on since";
  index.file_written(id_of("k"), at(5), {ms(10), {}, {}});
  index.files_synced(index.files_mark());
  settle(slot("k", RecordKind::clocks), 5, {ms(10), {}, {}});
  EXPECT_EQ(index.live_records(), 0u);
}

TEST_F(LiveIndexTest, clocks_that_do_not_cover_each_other_are_both_kept) {
  add(clocks("k", 5, {ms(10), {}, {}}));
  add(clocks("k", 5, {ms(8), {}, ms(9)}), 2);
  EXPECT_EQ(index.live_records(), 2u);
  const auto batch = index.take(1, 1 << 20);
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].places.size(), 2u);
  settle(slot("k", RecordKind::clocks), 5, {ms(10), {}, ms(9)});
  EXPECT_EQ(index.unsettled(), 0u);
  add(clocks("k", 5, {ms(10), {}, ms(9)}));
  EXPECT_EQ(index.live_records(), 1u) << "one that covers both replaces both";
}

TEST_F(LiveIndexTest, clocks_travel_with_unsettled_content) {
  add(clocks("k", 5, {ms(10), {}, {}}));
  add(content("k", 6, "1"));
  const auto batch = index.take(10, 1 << 20);
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].slot, slot("k"));
  EXPECT_EQ(batch[0].clocks_places.size(), 1u);
}

TEST_F(LiveIndexTest, clocks_that_moved_in_flight_are_not_settled) {
  add(clocks("k", 5, {ms(10), {}, {}}));
  ASSERT_EQ(index.take(10, 1 << 20).size(), 1u);
  add(clocks("k", 5, {ms(10), {}, {}}));  // other metadata, say
  settle(slot("k", RecordKind::clocks), 5, {ms(10), {}, {}});
  EXPECT_EQ(index.unsettled(), 1u);
}

TEST_F(LiveIndexTest, erase_hides_older_records_that_match_I4) {
  add(content("user/1", 5, "1"));
  add(clocks("user/1", 5, {ms(1), {}, {}}));
  add(content("user/2", 9, "1"));
  add(content("other", 5, "1"));
  add(erase_matching("user/*", 7));
  EXPECT_FALSE(index.is_unsettled(id_of("user/1"), nullptr));
  EXPECT_TRUE(index.is_unsettled(id_of("user/2"), nullptr));
  EXPECT_TRUE(index.is_unsettled(id_of("other"), nullptr));
  EXPECT_EQ(index.erased_below(id_of("user/1")), at(7));
  EXPECT_EQ(index.erased_below(id_of("other")), std::nullopt);
  EXPECT_EQ(index.erased_below({"another dataset", "user/1"}), std::nullopt);
  add(content("user/3", 6, "1"));
  EXPECT_FALSE(index.is_unsettled(id_of("user/3"), nullptr)) << "dead on arrival";
  EXPECT_EQ(index.live_records(), 3u);
}

TEST_F(LiveIndexTest, settled_erase_stays_while_an_older_segment_may_hold_what_it_hid_I4) {
  add(content("a", 5, "1"), 1);
  add(erase_matching("*", 7), 2);
  settle(slot("*", RecordKind::erase_matching), 7);
  index.files_erased(id_of("*"), at(7));
  index.files_synced(index.files_mark());
  EXPECT_EQ(index.erased_below(id_of("a")), std::nullopt) << "settled";
  EXPECT_EQ(index.live_in(2), 1u);
  index.remove_segment(1);
  EXPECT_EQ(index.live_in(2), 0u);
}

TEST_F(LiveIndexTest, erase_goes_on_alone_and_in_version_order) {
  add(content("b", 9, "1"));
  add(content("a", 3, "1"));
  add(erase_matching("x*", 5));
  const auto first = index.take(10, 1 << 20);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].slot, slot("a"));
  const auto second = index.take(10, 1 << 20);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].slot.kind, RecordKind::erase_matching);
  const auto third = index.take(10, 1 << 20);
  ASSERT_EQ(third.size(), 1u);
  EXPECT_EQ(third[0].slot, slot("b"));
}

TEST_F(LiveIndexTest, batch_is_bounded_by_count_and_bytes_but_never_empty) {
  for (int i = 0; i < 10; ++i) add(content("k" + std::to_string(i), 10 - i, "1"));
  EXPECT_EQ(index.take(3, 1 << 20).size(), 3u);
  EXPECT_EQ(index.take(100, 2 * 64).size(), 2u);
  EXPECT_EQ(index.take(100, 1).size(), 1u);
  EXPECT_EQ(index.take(100, 1 << 20).size(), 4u);
}

TEST_F(LiveIndexTest, released_write_is_taken_again_held_one_waits_for_resume) {
  add(content("k", 5, "1"));
  index.take(1, 1);
  index.release(slot("k"), at(5), false);
  EXPECT_EQ(index.take(1, 1).size(), 1u);
  index.release(slot("k"), at(5), true);
  EXPECT_TRUE(index.take(1, 1).empty());
  EXPECT_EQ(index.unsettled(), 1u);
  add(content("k", 6, "1"));
  EXPECT_EQ(index.take(1, 1).size(), 1u) << "a newer write has its own attempt";
  index.release(slot("k"), at(6), true);
  index.resume();
  EXPECT_EQ(index.take(1, 1).size(), 1u);
}

TEST_F(LiveIndexTest, held_content_holds_the_clocks_that_travelled_with_it) {
  add(content("k", 5, "1"));
  add(clocks("k", 5, {ms(1), {}, {}}));
  index.take(1, 1 << 20);
  index.release(slot("k"), at(5), true);
  EXPECT_TRUE(index.take(1, 1 << 20).empty());
  EXPECT_EQ(index.unsettled(), 2u);
}

TEST_F(LiveIndexTest, parked_write_stays_live_and_out_of_the_queue) {
  add(content("k", 5, "1"));
  EXPECT_FALSE(index.park(slot("k"), at(4), "older"));
  EXPECT_TRUE(index.park(slot("k"), at(5), "no"));
  EXPECT_EQ(index.unsettled(), 0u);
  index.file_written(id_of("k"), at(5), {});
  index.files_synced(index.files_mark());
  EXPECT_EQ(index.live_records(), 1u);
  ASSERT_EQ(index.parked().size(), 1u);
  EXPECT_EQ(index.parked()[0].why, "no");
  EXPECT_EQ(index.retry_parked(slot("k")), at(5));
  EXPECT_EQ(index.unsettled(), 1u);
  EXPECT_EQ(index.retry_parked(slot("k")), std::nullopt);
  index.park(slot("k"), at(5), "no");
  EXPECT_EQ(index.discard_parked(slot("k")), at(5));
  EXPECT_EQ(index.live_records(), 0u);
  EXPECT_EQ(index.parked_count(), 0u);
}

TEST_F(LiveIndexTest, newer_write_replaces_a_parked_one_with_its_marker) {
  add(content("k", 5, "1"));
  index.park(slot("k"), at(5), "no");
  Record marker;
  marker.kind = RecordKind::parked;
  marker.id = id_of("k");
  marker.entry.version = at(5);
  index.add_parked_marker(marker, {1, 4000, 64});
  EXPECT_EQ(index.live_records(), 2u);
  add(content("k", 6, "1"));
  EXPECT_EQ(index.live_records(), 1u);
  EXPECT_EQ(index.parked_count(), 0u);
  EXPECT_EQ(index.unsettled(), 1u);
}

TEST_F(LiveIndexTest, moved_record_leaves_its_segment_dead) {
  const Record record = content("k", 5, "1");
  const Place old = add(record);
  EXPECT_FALSE(index.dead_segments().contains(1));
  index.move(record, old, {2, 64, 64});
  EXPECT_TRUE(index.dead_segments().contains(1));
  EXPECT_EQ(index.live_in(2), 1u);
  index.move(record, old, {2, 128, 64});
  EXPECT_TRUE(index.is_live_at(record, {2, 64, 64})) << "it was not there any more";
}

TEST_F(LiveIndexTest, pinned_segment_is_not_dead) {
  index.pin(1);
  EXPECT_FALSE(index.dead_segments().contains(1));
  index.unpin(1);
  EXPECT_TRUE(index.dead_segments().contains(1));
}

TEST_F(LiveIndexTest, forgotten_segment_takes_only_its_own_records_along) {
  add(content("a", 1, "1"), 1);
  add(content("b", 1, "1"), 2);
  add(clocks("c", 1, {ms(10), {}, {}}), 1);
  add(clocks("c", 1, {ms(1), {}, ms(1)}), 2);
  index.forget_segment(2);
  EXPECT_EQ(index.live_records(), 2u);
  EXPECT_TRUE(index.is_unsettled(id_of("a"), nullptr));
  EXPECT_FALSE(index.is_unsettled(id_of("b"), nullptr));
}

// --- Guarded records above others' unsettled ones ---

TEST_F(LiveIndexTest, write_that_a_guarded_one_has_not_seen_is_sent_first_whatever_the_order_I1) {
  for (const bool guarded_first : {true, false}) {
    const std::string key = guarded_first ? "a" : "b";
    const Record write = content(key, 5, "1");
    const Record refresh = guarded(key, 7, 3);
    add(guarded_first ? refresh : write);
    add(guarded_first ? write : refresh, 2);
    EXPECT_EQ(index.unsettled(), 2u);
    const auto first = index.take(10, 1 << 20);
    ASSERT_EQ(first.size(), 1u) << "the key is in flight";
    EXPECT_EQ(first[0].version, at(5));
    settle(slot(key), 5);
    const auto second = index.take(10, 1 << 20);
    ASSERT_EQ(second.size(), 1u);
    EXPECT_EQ(second[0].version, at(7));
    settle(slot(key), 7);
    EXPECT_EQ(index.unsettled(), 0u);
    index.file_written(id_of(key), at(7), {});
    index.files_synced(index.files_mark());
    EXPECT_EQ(index.live_records(), 0u);
    EXPECT_EQ(index.live_bytes(), 0u);
  }
}

TEST_F(LiveIndexTest, guarded_write_stands_for_what_it_has_seen) {
  add(content("k", 5, "1"));
  add(guarded("k", 7, 5));
  add(guarded("k", 9, 7));
  EXPECT_EQ(index.unsettled(), 1u);
  EXPECT_EQ(index.live_records(), 1u);
  add(content("k", 6, "1"));
  EXPECT_EQ(index.unsettled(), 1u);
}

TEST_F(LiveIndexTest, plain_write_stands_for_a_guarded_one_and_what_is_below_it) {
  add(content("k", 5, "1"));
  add(guarded("k", 7, 3));
  add(content("k", 9, "1"));
  EXPECT_EQ(index.live_records(), 1u);
  const auto next = index.take(10, 1 << 20);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].version, at(9));
}

TEST_F(LiveIndexTest, newest_of_several_guarded_ones_stays_above_what_none_has_seen) {
  add(guarded("k", 7, 3));
  add(content("k", 5, "1"));
  add(guarded("k", 8, 4));
  add(guarded("k", 6, 3));
  EXPECT_EQ(index.unsettled(), 2u);
  EXPECT_EQ(index.take(10, 1 << 20).at(0).version, at(5));
  settle(slot("k"), 5);
  EXPECT_EQ(index.take(10, 1 << 20).at(0).version, at(8));
}

TEST_F(LiveIndexTest, newer_write_below_takes_the_place_of_an_older_one) {
  add(guarded("k", 9, 3));
  add(content("k", 5, "1"));
  add(guarded("k", 7, 5));
  EXPECT_EQ(index.live_records(), 2u);
  EXPECT_EQ(index.take(10, 1 << 20).at(0).version, at(7));
}

TEST_F(LiveIndexTest, guarded_record_that_the_store_took_settles_what_is_below_it) {
  add(guarded("k", 7, 3));
  ASSERT_EQ(index.take(10, 1 << 20).size(), 1u);
  add(content("k", 5, "1"));
  settle(slot("k"), 7);
  EXPECT_EQ(index.unsettled(), 0u);
}

TEST_F(LiveIndexTest, what_is_below_comes_to_light_when_the_refused_one_has_left_the_files_I1) {
  add(guarded("k", 7, 3));
  ASSERT_EQ(index.take(10, 1 << 20).size(), 1u);
  add(content("k", 5, "1"));
  index.settle(slot("k"), at(7), {}, false);
  index.file_written(id_of("k"), at(7), {});
  index.files_synced(index.files_mark());
  Version version;
  ASSERT_TRUE(index.is_unsettled(id_of("k"), &version));
  EXPECT_EQ(version, at(5));
  EXPECT_TRUE(index.cover_file_write(id_of("k"), at(5)));
  settle(slot("k"), 5);
  EXPECT_EQ(index.live_records(), 1u) << "its file is not there yet";
  index.file_written(id_of("k"), at(5), {});
  index.files_synced(index.files_mark());
  EXPECT_EQ(index.live_records(), 0u);
}

TEST_F(LiveIndexTest, what_is_above_waits_while_what_is_below_is_held) {
  add(guarded("k", 7, 3));
  add(content("k", 5, "1"));
  add(clocks("k", 5, {ms(1), {}, {}}));
  ASSERT_EQ(index.take(10, 1 << 20).size(), 1u);
  index.release(slot("k"), at(5), true);
  EXPECT_TRUE(index.take(10, 1 << 20).empty());
  EXPECT_EQ(index.unsettled(), 3u);
  index.resume();
  EXPECT_EQ(index.take(10, 1 << 20).at(0).version, at(5));
}

TEST_F(LiveIndexTest, what_is_below_may_be_parked_retried_and_discarded_by_itself) {
  add(content("k", 5, "1"));
  add(guarded("k", 7, 3));
  ASSERT_EQ(index.take(10, 1 << 20).size(), 1u);
  ASSERT_TRUE(index.park(slot("k"), at(5), "too large"));
  ASSERT_EQ(index.parked().size(), 1u);
  EXPECT_EQ(index.parked()[0].version, at(5));
  EXPECT_EQ(index.take(10, 1 << 20).at(0).version, at(7));
  index.release(slot("k"), at(7), false);
  const SlotName below{RecordKind::content, id_of("k"), true};
  EXPECT_EQ(index.retry_parked(below), at(5));
  ASSERT_TRUE(index.park(slot("k"), at(5), "too large"));
  EXPECT_EQ(index.discard_parked(below), at(5));
  EXPECT_EQ(index.live_records(), 1u);
  EXPECT_EQ(index.parked_count(), 0u);
}

TEST_F(LiveIndexTest, both_move_by_their_places_and_leave_with_their_segment) {
  const Place write = add(content("k", 5, "1"), 1);
  const Place refresh = add(guarded("k", 7, 3), 1);
  EXPECT_TRUE(index.is_live_at(content("k", 5, "1"), write));
  EXPECT_FALSE(index.is_live_at(content("k", 5, "1"), refresh));
  index.add_segment(3);
  index.move(content("k", 5, "1"), write, {3, 64, 64});
  EXPECT_EQ(index.live_in(1), 1u);
  EXPECT_EQ(index.live_in(3), 1u);
  index.forget_segment(1);
  Version version;
  ASSERT_TRUE(index.is_unsettled(id_of("k"), &version));
  EXPECT_EQ(version, at(5));
  add(guarded("k", 8, 3), 3);
  index.forget_segment(3);
  EXPECT_EQ(index.live_records(), 0u);
  EXPECT_EQ(index.unsettled(), 0u);
}

TEST_F(LiveIndexTest, matching_erase_buries_both_I4) {
  add(content("k", 5, "1"));
  add(guarded("k", 7, 3));
  add(erase_matching("*", 9), 2);
  EXPECT_EQ(index.live_records(), 1u);
  EXPECT_FALSE(index.is_unsettled(id_of("k"), nullptr));
}

Record guarded(const std::string& key, std::uint64_t version, std::uint64_t seen) {
  Record record = content(key, version, "1");
  record.not_newer_than = at(seen);
  return record;
}

TEST(LiveIndexWithoutStore, guarded_record_replaces_like_any_other) {
  LiveIndex index(false);
  index.add_segment(1);
  index.add(content("k", 5, "1"), {1, 64, 64});
  index.add(guarded("k", 7, 3), {1, 128, 64});
  index.add(content("k", 6, "1"), {1, 192, 64});
  EXPECT_EQ(index.live_records(), 1u);
}

TEST(LiveIndexWithoutStore, record_is_live_until_its_file_is_synced) {
  LiveIndex index(false);
  index.add_segment(1);
  index.add(content("k", 5, "1"), {1, 64, 64});
  EXPECT_EQ(index.unsettled(), 0u);
  index.file_written(id_of("k"), at(5), {});
  index.files_synced(index.files_mark());
  EXPECT_EQ(index.live_records(), 0u);
}

}  // namespace
}  // namespace tiercache::testing
