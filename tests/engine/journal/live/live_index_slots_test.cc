// What a slot holds, what takes its place, and what the segments know of it.
#include <gtest/gtest.h>

#include "engine/journal/live/live_index_fixture.h"

namespace tiercache::testing {
namespace {

class LiveIndexSlots : public LiveIndexTest {};

// --- Segments ---

TEST_F(LiveIndexSlots, segment_that_holds_nothing_yet_is_dead) {
  EXPECT_EQ(index.dead_segments(), (std::set<std::uint64_t>{1, 2}));
  EXPECT_EQ(index.live_in(7), 0u) << "nobody knows it";
}

TEST_F(LiveIndexSlots, pinned_segment_is_dead_only_once_nobody_reads_it_and_nothing_lives_in_it) {
  add(content("k", 5, "1"));
  index.pin(1);
  index.pin(1);
  index.unpin(1);
  settle(slot("k"), 5);
  sync_file("k", 5);
  EXPECT_FALSE(index.dead_segments().contains(1)) << "it is still read";
  index.unpin(1);
  EXPECT_TRUE(index.dead_segments().contains(1));
  add(content("l", 6, "1"));
  index.pin(1);
  index.unpin(1);
  EXPECT_FALSE(index.dead_segments().contains(1)) << "something lives in it";
}

TEST_F(LiveIndexSlots, clocks_in_two_segments_keep_the_place_that_is_left) {
  for (const std::uint64_t gone : {1, 2}) {
    LiveIndex own(true);
    own.add_segment(1);
    own.add_segment(2);
    own.add_segment(3);
    own.add(clocks("c", 1, {ms(10), {}, {}}), {1, 64, 64});
    own.add(clocks("c", 1, {ms(1), {}, ms(1)}), {2, 64, 64});
    own.add(clocks("c", 1, {ms(1), ms(1), {}}), {3, 64, 64});
    ASSERT_EQ(own.live_records(), 3u);
    own.forget_segment(gone);
    EXPECT_EQ(own.live_records(), 2u);
    SlotPlaces left;
    Clocks merged;
    ASSERT_TRUE(own.find_clocks(id_of("c"), &left, &merged));
    ASSERT_EQ(left.places.size(), 2u);
    for (const Place& place : left.places) EXPECT_NE(place.segment, gone);
    EXPECT_NE(left.places[0], left.places[1]);
    own.forget_segment(3);
    own.forget_segment(3 - gone);
    EXPECT_EQ(own.live_records(), 0u);
    EXPECT_FALSE(own.holds(id_of("c")));
  }
}

TEST_F(LiveIndexSlots, erase_that_is_done_is_forgotten_once_and_a_later_one_counts_anew) {
  add(erase_matching("*", 7), 2);
  settle(slot("*", RecordKind::erase_matching), 7);
  index.files_erased(id_of("*"), at(7));
  index.files_synced(index.files_mark());
  index.remove_segment(1);
  EXPECT_EQ(index.live_records(), 0u);
  index.add_segment(3);
  index.remove_segment(3);
  EXPECT_EQ(index.live_records(), 0u);
  EXPECT_EQ(index.live_bytes(), 0u);
  add(erase_matching("*", 6), 2);
  EXPECT_EQ(index.erased_below(id_of("k")), at(6)) << "nothing is left of the one before";
}

TEST_F(LiveIndexSlots, segment_that_goes_leaves_an_erase_that_is_not_done) {
  add(erase_matching("a*", 7), 2);
  add(erase_matching("b*", 8), 2);
  settle(slot("a*", RecordKind::erase_matching), 7);
  index.files_erased(id_of("b*"), at(8));
  index.files_synced(index.files_mark());
  index.remove_segment(1);
  EXPECT_EQ(index.erased_below(id_of("a1")), at(7)) << "its files may be there";
  EXPECT_EQ(index.erased_below(id_of("b1")), at(8)) << "the store has not done it";
}

// --- Slots of a key ---

TEST_F(LiveIndexSlots, key_is_held_until_nothing_of_it_is_live) {
  EXPECT_FALSE(index.holds(id_of("k")));
  add(content("k", 5, "1"));
  add(clocks("k", 5, {ms(1), {}, {}}));
  settle(slot("k"), 5, {ms(1), {}, {}});
  index.file_written(id_of("k"), at(5), {});
  index.files_synced(index.files_mark());
  EXPECT_TRUE(index.holds(id_of("k"))) << "its clocks are not in the file";
  sync_file("k", 5, {ms(1), {}, {}});
  EXPECT_FALSE(index.holds(id_of("k")));
}

TEST_F(LiveIndexSlots, clocks_alone_are_no_content) {
  add(clocks("k", 5, {ms(1), {}, {}}));
  Place place;
  EXPECT_FALSE(index.find_content(id_of("k"), &place));
  EXPECT_FALSE(index.is_unsettled(id_of("k"), nullptr));
  EXPECT_FALSE(index.awaits_store(slot("k")));
  EXPECT_TRUE(index.awaits_store(slot("k", RecordKind::clocks)));
  settle(slot("k", RecordKind::clocks), 5, {ms(1), {}, {}});
  sync_file("k", 5, {ms(1), {}, {}});
  SlotPlaces places;
  Clocks none;
  EXPECT_FALSE(index.find_clocks(id_of("k"), &places, &none));
}

TEST_F(LiveIndexSlots, content_is_live_whatever_its_key_held_once) {
  add(clocks("k", 5, {ms(1), {}, {}}));
  add(content("k", 7, "1"));
  settle(slot("k"), 7);
  sync_file("k", 7);
  Place place;
  ASSERT_FALSE(index.find_content(id_of("k"), &place));
  const Place older = add(content("k", 6, "1"));
  ASSERT_TRUE(index.find_content(id_of("k"), &place));
  EXPECT_EQ(place, older);
}

TEST_F(LiveIndexSlots, record_that_is_met_twice_stays_where_it_was_met_first) {
  const Record record = guarded("k", 7, 3);
  const Place first = add(record);
  add(record, 2);
  EXPECT_TRUE(index.is_live_at(record, first));
  EXPECT_EQ(index.live_records(), 1u);
  const Record below = guarded("k", 6, 3);
  const Place first_below = add(below);
  add(below, 2);
  EXPECT_TRUE(index.is_live_at(below, first_below));
  EXPECT_EQ(index.live_records(), 2u);
  const Record erase = erase_matching("x*", 5);
  const Place first_erase = add(erase);
  add(erase, 2);
  EXPECT_TRUE(index.is_live_at(erase, first_erase));
  EXPECT_EQ(index.live_records(), 3u);
}

TEST_F(LiveIndexSlots, key_that_is_emptied_in_flight_is_not_taken_until_the_call_has_ended) {
  add(content("k", 5, "1"));
  ASSERT_EQ(take().size(), 1u);
  add(erase_matching("k*", 7));
  settle(slot("k*", RecordKind::erase_matching), 7);
  add(content("k", 9, "1"));
  EXPECT_TRUE(take().empty()) << "the older one may still arrive";
  index.release(slot("k"), at(5), false);
  ASSERT_EQ(take().size(), 1u);
}

TEST_F(LiveIndexSlots, key_that_was_emptied_in_flight_is_forgotten_when_the_call_ends) {
  add(content("k", 5, "1"));
  ASSERT_EQ(take().size(), 1u);
  add(erase_matching("k*", 7));
  EXPECT_TRUE(index.holds(id_of("k")));
  index.release(slot("k"), at(5), false);
  EXPECT_FALSE(index.holds(id_of("k")));
  settle(slot("k"), 5);
  EXPECT_FALSE(index.park(slot("k"), at(5), "no"));
}

// --- Guards ---

TEST_F(LiveIndexSlots, guard_and_lineage_are_told_of_their_version_until_it_is_settled) {
  Record record = guarded("k", 7, 3);
  record.made_from.add({5, 9});
  add(record);
  add(content("plain", 7, "1"));
  const auto guard = index.guard_of(id_of("k"), at(7));
  ASSERT_TRUE(guard);
  EXPECT_EQ(guard->not_newer_than, at(3));
  EXPECT_EQ(guard->made_from, record.made_from);
  EXPECT_FALSE(index.guard_of(id_of("k"), at(6)));
  EXPECT_FALSE(index.guard_of(id_of("plain"), at(7)));
  EXPECT_FALSE(index.guard_of(id_of("nobody"), at(7)));
  settle(slot("k"), 7);
  EXPECT_FALSE(index.guard_of(id_of("k"), at(7)));
}

TEST_F(LiveIndexSlots, guard_of_what_is_below_is_told_by_its_version) {
  add(guarded("k", 9, 3));
  add(guarded("k", 7, 4));
  EXPECT_EQ(index.guard_of(id_of("k"), at(9))->not_newer_than, at(3));
  EXPECT_EQ(index.guard_of(id_of("k"), at(7))->not_newer_than, at(4));
}

TEST_F(LiveIndexSlots, write_stands_for_those_it_was_made_from_whatever_the_order) {
  Record record = guarded("k", 7, 3);
  record.made_from.add(at(5));
  for (const bool made_first : {true, false}) {
    LiveIndex own(true);
    own.add_segment(1);
    own.add(made_first ? record : content("k", 5, "1"), {1, 64, 64});
    own.add(made_first ? content("k", 5, "1") : record, {1, 128, 64});
    EXPECT_EQ(own.unsettled(), 1u);
    EXPECT_EQ(own.take(9, 1 << 20).at(0).version, at(7));
  }
}

TEST_F(LiveIndexSlots, older_write_does_not_replace_a_newer_one_below_that_stands_for_it_I3) {
  add(guarded("k", 9, 3));
  add(content("k", 7, "1"));
  add(content("k", 5, "1"));
  EXPECT_EQ(index.live_records(), 2u);
  EXPECT_EQ(take().at(0).version, at(7));
}

TEST_F(LiveIndexSlots, write_that_one_below_has_not_seen_takes_its_place) {
  add(guarded("k", 9, 3));
  add(guarded("k", 7, 4));
  add(content("k", 5, "1"));
  EXPECT_EQ(index.live_records(), 2u);
  EXPECT_EQ(take().at(0).version, at(5));
}

TEST_F(LiveIndexSlots, file_of_what_sank_does_not_free_what_is_above_it_I1) {
  add(content("k", 5, "1"));
  index.file_written(id_of("k"), at(5), {});
  add(guarded("k", 7, 3));
  index.files_synced(index.files_mark());
  settle(slot("k"), 5);
  settle(slot("k"), 7);
  EXPECT_EQ(index.live_records(), 1u) << "the file of version 7 is not there";
  sync_file("k", 7);
  EXPECT_EQ(index.live_records(), 0u);
}

TEST_F(LiveIndexSlots, what_comes_to_light_waits_for_its_own_file_I1) {
  add(guarded("k", 7, 3));
  add(content("k", 5, "1"));
  index.settle(slot("k"), at(7), {}, false);
  sync_file("k", 7);
  settle(slot("k"), 5);
  EXPECT_EQ(index.live_records(), 1u);
  sync_file("k", 5);
  EXPECT_EQ(index.live_records(), 0u);
}

TEST_F(LiveIndexSlots, either_of_two_may_be_parked_by_its_version) {
  add(content("k", 5, "1"));
  add(guarded("k", 7, 3));
  ASSERT_TRUE(index.park(slot("k"), at(7), "no"));
  ASSERT_EQ(index.parked().size(), 1u);
  EXPECT_EQ(index.parked()[0].version, at(7));
  EXPECT_FALSE(index.parked()[0].slot.below);
  EXPECT_EQ(take().at(0).version, at(5));
}

// --- Clocks ---

TEST_F(LiveIndexSlots, later_clocks_wait_for_a_file_of_their_own_I1) {
  add(clocks("k", 5, {ms(1), {}, {}}));
  sync_file("k", 5, {ms(1), {}, {}});
  add(clocks("k", 5, {ms(2), {}, {}}));
  settle(slot("k", RecordKind::clocks), 5, {ms(2), {}, {}});
  EXPECT_EQ(index.live_records(), 1u);
  sync_file("k", 5, {ms(2), {}, {}});
  EXPECT_EQ(index.live_records(), 0u);
}

TEST_F(LiveIndexSlots, newer_clocks_are_sent_once_by_the_newer_version) {
  add(clocks("k", 5, {ms(1), {}, {}}));
  add(clocks("k", 6, {ms(2), {}, {}}));
  EXPECT_EQ(index.unsettled(), 1u);
  EXPECT_EQ(index.live_records(), 1u);
  ASSERT_EQ(take().size(), 1u);
  EXPECT_TRUE(take().empty());
}

TEST_F(LiveIndexSlots, older_clocks_that_say_nothing_new_are_dead_on_arrival) {
  const Record newer = clocks("k", 6, {ms(2), {}, {}});
  const Place place = add(newer);
  add(clocks("k", 5, {ms(2), {}, {}}), 2);
  EXPECT_EQ(index.live_records(), 1u);
  EXPECT_TRUE(index.is_live_at(newer, place));
  add(clocks("k", 5, {ms(3), {}, {}}), 2);
  EXPECT_EQ(index.live_records(), 2u) << "a later clock counts, whatever its version";
}

TEST_F(LiveIndexSlots, clocks_without_metadata_replace_all_but_metadata_of_their_version) {
  add(silent_clocks("silent", 5, {ms(1), {}, {}}));
  add(silent_clocks("silent", 5, {ms(2), {}, {}}));
  EXPECT_EQ(index.live_in(1), 1u) << "neither has any";
  add(clocks("older", 5, {ms(1), {}, {}}));
  add(silent_clocks("older", 6, {ms(2), {}, {}}));
  EXPECT_EQ(index.live_in(1), 2u) << "of an older version it says nothing";
  add(clocks("same", 5, {ms(1), {}, {}}));
  add(silent_clocks("same", 5, {ms(2), {}, {}}));
  EXPECT_EQ(index.live_in(1), 4u) << "it is on the disk alone";
  add(silent_clocks("same", 5, {ms(3), {}, {}}));
  EXPECT_EQ(index.live_in(1), 5u) << "still";
  add(clocks("same", 5, {ms(3), {}, {}}));
  EXPECT_EQ(index.live_in(1), 3u) << "this one says all";
}

TEST_F(LiveIndexSlots, metadata_of_an_older_version_is_forgotten_with_it) {
  add(clocks("k", 5, {ms(1), {}, {}}));
  add(silent_clocks("k", 6, {ms(2), {}, {}}));
  add(silent_clocks("k", 6, {ms(3), {}, {}}));
  EXPECT_EQ(index.live_records(), 1u);
}

TEST_F(LiveIndexSlots, erased_clocks_are_dead_on_arrival_and_later_ones_live_I4) {
  add(erase_matching("k*", 7));
  add(clocks("k", 6, {ms(2), {}, {}}));
  EXPECT_FALSE(index.holds(id_of("k")));
  add(clocks("k", 7, {ms(2), {}, {}}));
  EXPECT_TRUE(index.holds(id_of("k"))) << "not below the erase's version";
}

TEST_F(LiveIndexSlots, erase_buries_what_is_below_its_version_alone_I4) {
  add(content("k", 7, "1"));
  add(clocks("k", 7, {ms(1), {}, {}}));
  add(guarded("both", 9, 3));
  add(content("both", 6, "1"));
  add(content("x", 6, "1"));
  Record elsewhere = content("k", 6, "1");
  elsewhere.id.dataset = "e";
  add(elsewhere);
  add(erase_matching("k*", 7));
  add(erase_matching("both", 7));
  EXPECT_EQ(index.live_records(), 7u);
  EXPECT_TRUE(index.is_unsettled(id_of("k"), nullptr));
  EXPECT_TRUE(index.is_unsettled(id_of("x"), nullptr));
  EXPECT_TRUE(index.is_unsettled({"e", "k"}, nullptr));
}

TEST_F(LiveIndexSlots, newer_erase_of_a_glob_takes_the_place_of_the_older_one) {
  add(erase_matching("k*", 7));
  index.files_erased(id_of("k*"), at(7));
  index.files_synced(index.files_mark());
  add(erase_matching("k*", 9), 2);
  EXPECT_EQ(index.live_records(), 1u);
  EXPECT_EQ(index.unsettled(), 1u);
  EXPECT_EQ(index.live_in(1), 0u);
  settle(slot("k*", RecordKind::erase_matching), 9);
  EXPECT_EQ(index.erased_below(id_of("k1")), at(9)) << "its own files are not removed yet";
}

// --- Moving ---

TEST_F(LiveIndexSlots, every_place_of_clocks_moves_by_itself) {
  const Record older = clocks("k", 5, {ms(10), {}, {}});
  const Record later = clocks("k", 5, {ms(8), {}, ms(9)});
  const Place first = add(older);
  const Place second = add(later);
  index.move(older, first, {2, 64, 64});
  EXPECT_TRUE(index.is_live_at(older, {2, 64, 64}));
  EXPECT_FALSE(index.is_live_at(older, first));
  EXPECT_TRUE(index.is_live_at(later, second));
  index.move(later, second, {2, 128, 64});
  EXPECT_TRUE(index.is_live_at(later, {2, 128, 64}));
  EXPECT_TRUE(index.is_live_at(older, {2, 64, 64}));
  EXPECT_EQ(index.live_in(1), 0u);
  EXPECT_EQ(index.live_in(2), 2u);
  EXPECT_EQ(index.live_bytes(), 128u);
}

TEST_F(LiveIndexSlots, marker_of_a_parked_write_moves_by_itself) {
  add(clocks("k", 5, {ms(10), {}, {}}), 2);
  ASSERT_TRUE(index.park(slot("k", RecordKind::clocks), at(5), "no"));
  const Record marker = parked_marker("k", 5, RecordKind::clocks);
  const Place place{1, 4'000, 64};
  index.add_parked_marker(marker, place);
  EXPECT_TRUE(index.is_live_at(marker, place));
  EXPECT_FALSE(index.is_live_at(marker, {1, 4'064, 64}));
  EXPECT_FALSE(index.is_live_at(parked_marker("k", 5), place)) << "of its content none is parked";
  index.add_segment(3);
  index.move(marker, place, {3, 64, 64});
  EXPECT_TRUE(index.is_live_at(marker, {3, 64, 64}));
  EXPECT_EQ(index.live_in(1), 0u);
  EXPECT_EQ(index.live_in(3), 1u);
  index.retry_parked(slot("k", RecordKind::clocks));
  EXPECT_EQ(index.live_in(3), 0u);
  EXPECT_FALSE(index.is_live_at(marker, {3, 64, 64}));
}

TEST_F(LiveIndexSlots, later_marker_takes_the_place_of_the_one_before) {
  add(content("k", 5, "1"), 2);
  index.add_parked_marker(parked_marker("k", 5), {1, 64, 64});
  EXPECT_EQ(index.live_in(1), 0u) << "it is not parked";
  ASSERT_TRUE(index.park(slot("k"), at(5), "no"));
  index.add_parked_marker(parked_marker("k", 4), {1, 64, 64});
  EXPECT_EQ(index.live_in(1), 0u) << "of another version";
  index.add_parked_marker(parked_marker("k", 5), {1, 64, 64});
  index.add_parked_marker(parked_marker("k", 5), {1, 128, 64});
  EXPECT_EQ(index.live_in(1), 1u);
  EXPECT_TRUE(index.is_live_at(parked_marker("k", 5), {1, 128, 64}));
}

TEST_F(LiveIndexSlots, copy_of_what_an_erase_hides_is_guarded_where_it_was_written_I4) {
  const Record hidden = content("k", 5, "1");
  add(hidden);
  const Record erase = erase_matching("k*", 7);
  add(erase, 2);
  index.add_segment(3);
  index.move(hidden, {1, 64, 64}, {3, 64, 64});
  settle(slot("k*", RecordKind::erase_matching), 7);
  index.files_erased(id_of("k*"), at(7));
  index.files_synced(index.files_mark());
  index.remove_segment(1);
  EXPECT_EQ(index.live_in(2), 1u) << "segment 3 holds the copy";
  index.remove_segment(3);
  EXPECT_EQ(index.live_in(2), 0u);
}

TEST_F(LiveIndexSlots, erase_is_done_when_its_own_segment_is_the_only_one_it_guards) {
  add(erase_matching("k*", 7), 1);
  settle(slot("k*", RecordKind::erase_matching), 7);
  index.files_erased(id_of("k*"), at(7));
  index.files_synced(index.files_mark());
  ASSERT_EQ(index.live_records(), 1u) << "segment 2 may hold what it hides";
  index.forget_segment(2);
  EXPECT_EQ(index.live_records(), 0u);
}

// --- Up to which record all files are written ---

TEST_F(LiveIndexSlots, key_waits_for_its_file_since_the_first_record_that_did) {
  const auto put = [&](const Record& record, std::uint64_t sequence) {
    index.add(record, {1, 64 * sequence, 64, sequence});
  };
  EXPECT_EQ(index.filed_up_to(), 0u);
  put(content("a", 5, "1"), 1);
  put(content("b", 6, "1"), 2);
  EXPECT_EQ(index.filed_up_to(), 0u);
  sync_file("a", 5);
  EXPECT_EQ(index.filed_up_to(), 1u);
  put(content("b", 7, "2"), 3);
  EXPECT_EQ(index.filed_up_to(), 1u) << "the file has neither 6 nor 7";
  sync_file("b", 7);
  EXPECT_EQ(index.filed_up_to(), 3u);
  put(clocks("c", 8, {ms(1), {}, {}}), 4);
  EXPECT_EQ(index.filed_up_to(), 3u);
  put(clocks("c", 8, {ms(2), {}, {}}), 5);
  EXPECT_EQ(index.filed_up_to(), 3u) << "the file has neither of these";
  put(erase_matching("c*", 9), 6);
  EXPECT_EQ(index.filed_up_to(), 5u) << "what it hides needs no file";
  index.files_erased(id_of("c*"), at(9));
  index.files_synced(index.files_mark());
  EXPECT_EQ(index.filed_up_to(), 6u);
}

TEST_F(LiveIndexSlots, record_that_moves_still_waits_for_its_file) {
  const Record record = content("a", 5, "1");
  index.add(record, {1, 64, 64, 1});
  index.add(content("b", 6, "1"), {1, 128, 64, 2});
  sync_file("b", 6);
  index.move(record, {1, 64, 64, 1}, {2, 64, 64, 3});
  EXPECT_EQ(index.filed_up_to(), 0u);
  sync_file("a", 5);
  EXPECT_EQ(index.filed_up_to(), 3u);
}

}  // namespace
}  // namespace tiercache::testing
