// How a record leaves the index: taken, held, parked, listed, settled, its file written.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/journal/live/live_index_fixture.h"

namespace tiercache::testing {
namespace {

class LiveIndexQueue : public LiveIndexTest {
 protected:
  bool has_unsettled_beside(const std::vector<SlotName>& kept_apart) {
    return index.has_unsettled([&](const SlotName& slot) {
      return std::find(kept_apart.begin(), kept_apart.end(), slot) != kept_apart.end();
    });
  }
  std::vector<SlotPlaces> take_named(const std::vector<SlotName>& slots) {
    return index.take_named(slots);
  }
  void sync_all() { index.files_synced(index.files_mark()); }
  static SlotName erase_slot(const std::string& glob) {
    return slot(glob, RecordKind::erase_matching);
  }
  static SlotName clocks_slot(const std::string& key) { return slot(key, RecordKind::clocks); }
};

// --- Files ---

TEST_F(LiveIndexQueue, file_written_again_after_a_sync_is_waited_for_once_more_I1) {
  add(content("k", 5, "1"));
  sync_file("k", 5);
  index.file_written(id_of("k"), at(5), {});
  settle(slot("k"), 5);
  EXPECT_EQ(index.live_records(), 1u);
  sync_all();
  EXPECT_EQ(index.live_records(), 0u);
}

TEST_F(LiveIndexQueue, sync_of_a_file_written_before_it_was_covered_frees_nothing_I1) {
  add(content("k", 5, "1"));
  settle(slot("k"), 5);
  index.file_written(id_of("k"), at(5), {});
  ASSERT_TRUE(index.cover_file_write(id_of("k"), at(5)));
  sync_all();
  EXPECT_EQ(index.live_records(), 1u);
}

TEST_F(LiveIndexQueue, content_covers_a_file_write_of_its_own_version_alone) {
  add(content("k", 5, "1"));
  EXPECT_FALSE(index.cover_file_write(id_of("k"), at(4)));
  EXPECT_FALSE(index.cover_file_write(id_of("k"), at(6)));
  EXPECT_FALSE(index.cover_file_write(id_of("l"), at(5)));
  EXPECT_TRUE(index.cover_file_write(id_of("k"), at(5)));
}

TEST_F(LiveIndexQueue, file_of_an_older_version_frees_neither_content_nor_clocks_it_lacks_I1) {
  add(content("k", 5, "1"));
  add(clocks("k", 5, {ms(3), {}, {}}));
  settle(slot("k"), 5, {ms(3), {}, {}});
  sync_file("k", 4, {ms(2), {}, {}});
  EXPECT_EQ(index.live_records(), 2u);
  sync_file("k", 9, {ms(2), {}, {}});
  EXPECT_EQ(index.live_records(), 1u) << "a newer version holds the content's place";
  sync_file("k", 9, {ms(3), {}, {}});
  EXPECT_EQ(index.live_records(), 0u);
}

TEST_F(LiveIndexQueue, files_erased_by_an_older_erase_do_not_free_the_newer_one_I4) {
  index.files_erased(id_of("k*"), at(5));
  add(erase_matching("k*", 7));
  settle(erase_slot("k*"), 7);
  index.remove_segment(2);
  index.files_erased(id_of("k*"), at(6));
  sync_all();
  EXPECT_EQ(index.live_records(), 1u);
  index.files_erased(id_of("k*"), at(7));
  sync_all();
  EXPECT_EQ(index.live_records(), 0u);
}

// --- Taking ---

TEST_F(LiveIndexQueue, clocks_taken_alone_have_no_others_that_travel_along) {
  add(clocks("k", 5, {ms(1), {}, {}}));
  const auto batch = take();
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].slot, clocks_slot("k"));
  EXPECT_TRUE(batch[0].clocks_places.empty());
}

TEST_F(LiveIndexQueue, settled_or_parked_clocks_do_not_travel) {
  add(clocks("settled", 5, {ms(1), {}, {}}));
  settle(clocks_slot("settled"), 5, {ms(1), {}, {}});
  add(content("settled", 6, "1"));
  add(clocks("parked", 5, {ms(1), {}, {}}));
  ASSERT_TRUE(index.park(clocks_slot("parked"), at(5), "no"));
  add(content("parked", 7, "1"));
  const auto batch = take();
  ASSERT_EQ(batch.size(), 2u);
  for (const SlotPlaces& item : batch) EXPECT_TRUE(item.clocks_places.empty());
}

TEST_F(LiveIndexQueue, clocks_do_not_travel_with_what_is_below) {
  add(guarded("k", 7, 3));
  add(content("k", 5, "1"));
  add(clocks("k", 7, {ms(1), {}, {}}));
  const auto first = take();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_TRUE(first[0].slot.below);
  EXPECT_TRUE(first[0].clocks_places.empty());
  index.settle(slot("k"), at(5), {}, true);
  EXPECT_EQ(take().at(0).clocks_places.size(), 1u) << "they were not in flight";
}

TEST_F(LiveIndexQueue, segments_of_what_is_taken_are_pinned_those_of_its_clocks_too) {
  add(content("k", 5, "1"), 1);
  add(clocks("k", 5, {ms(1), {}, {}}), 2);
  const auto batch = take();
  settle(slot("k"), 5, {ms(1), {}, {}});
  sync_file("k", 5, {ms(1), {}, {}});
  ASSERT_EQ(index.live_records(), 0u);
  EXPECT_TRUE(index.dead_segments().empty());
  index.unpin(1);
  index.unpin(2);
  EXPECT_EQ(index.dead_segments(), (std::set<std::uint64_t>{1, 2}));
}

TEST_F(LiveIndexQueue, clocks_go_alone_where_their_content_is_held_parked_or_settled) {
  add(content("held", 5, "1"));
  take();
  index.release(slot("held"), at(5), true);
  add(content("parked", 6, "1"));
  ASSERT_TRUE(index.park(slot("parked"), at(6), "no"));
  add(content("settled", 7, "1"));
  settle(slot("settled"), 7);
  add(clocks("held", 5, {ms(1), {}, {}}));
  add(clocks("parked", 6, {ms(1), {}, {}}));
  add(clocks("settled", 7, {ms(1), {}, {}}));
  const auto batch = take();
  ASSERT_EQ(batch.size(), 3u);
  for (const SlotPlaces& item : batch) EXPECT_EQ(item.slot.kind, RecordKind::clocks);
}

TEST_F(LiveIndexQueue, what_is_above_goes_once_what_is_below_is_settled) {
  add(guarded("k", 7, 3));
  add(content("k", 5, "1"));
  index.settle(slot("k"), at(5), {}, false);
  ASSERT_EQ(index.unsettled(), 1u);
  EXPECT_EQ(take().at(0).version, at(7));
}

TEST_F(LiveIndexQueue, batch_is_in_version_order_also_where_clocks_brought_newer_content) {
  add(clocks("a", 2, {ms(1), {}, {}}));
  add(content("a", 9, "1"));
  add(content("b", 5, "1"));
  const auto batch = take();
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[0].slot, slot("b"));
  EXPECT_EQ(batch[1].slot, slot("a"));
}

TEST_F(LiveIndexQueue, what_is_apart_is_passed_over) {
  add(content("a", 1, "1"));
  add(content("b", 2, "1"));
  add(erase_matching("c*", 3));
  const auto apart = [](const SlotName& name) {
    return name == slot("a") || name == erase_slot("c*");
  };
  const auto batch = index.take(10, 1 << 20, apart);
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].slot, slot("b"));
  EXPECT_TRUE(index.take(10, 1 << 20, apart).empty());
  EXPECT_EQ(take().at(0).slot, slot("a")) << "it is not in flight";
}

TEST_F(LiveIndexQueue, unsettled_write_counts_unless_it_is_apart_or_in_flight) {
  EXPECT_FALSE(has_unsettled_beside({}));
  add(content("a", 1, "1"));
  EXPECT_TRUE(has_unsettled_beside({}));
  EXPECT_FALSE(has_unsettled_beside({slot("a")}));
  EXPECT_TRUE(has_unsettled_beside({slot("b")}));
  take();
  EXPECT_FALSE(has_unsettled_beside({})) << "in flight";
  index.release(slot("a"), at(1), true);
  EXPECT_TRUE(has_unsettled_beside({})) << "held ones count";
  EXPECT_FALSE(has_unsettled_beside({slot("a")}));
}

TEST_F(LiveIndexQueue, key_is_asked_for_by_the_slot_that_would_be_sent) {
  add(guarded("k", 7, 3));
  add(content("k", 5, "1"));
  const SlotName below{RecordKind::content, id_of("k"), true};
  EXPECT_TRUE(has_unsettled_beside({slot("k")})) << "what is below would go first";
  EXPECT_FALSE(has_unsettled_beside({below}));
  take();
  index.release(slot("k"), at(5), true);
  EXPECT_FALSE(has_unsettled_beside({slot("k")})) << "nothing can go: by its own name";
}

// --- Taking by name ---

TEST_F(LiveIndexQueue, named_writes_are_taken_those_alone) {
  add(content("a", 1, "1"));
  add(content("b", 2, "1"));
  add(clocks("c", 3, {ms(1), {}, {}}));
  add(erase_matching("d*", 4));
  const auto batch = take_named({clocks_slot("c"), slot("a"), erase_slot("d*")});
  ASSERT_EQ(batch.size(), 3u);
  EXPECT_EQ(batch[0].slot, clocks_slot("c"));
  EXPECT_EQ(batch[1].slot, slot("a"));
  EXPECT_EQ(batch[2].slot, erase_slot("d*"));
  EXPECT_EQ(take().size(), 1u) << "b is left";
}

TEST_F(LiveIndexQueue, named_writes_that_cannot_be_sent_now_are_passed_over) {
  for (const char* key : {"flying", "held", "parked", "settled"}) add(content(key, 5, "1"));
  ASSERT_EQ(take_named({slot("flying")}).size(), 1u);
  ASSERT_EQ(take_named({slot("held")}).size(), 1u);
  index.release(slot("held"), at(5), true);
  ASSERT_TRUE(index.park(slot("parked"), at(5), "no"));
  settle(slot("settled"), 5);
  EXPECT_TRUE(take_named({slot("flying"), slot("held"), slot("parked"), slot("settled"),
                          slot("nobody"), erase_slot("nobody")})
                  .empty());
}

TEST_F(LiveIndexQueue, named_key_sends_what_must_go_first_or_nothing_while_that_is_held) {
  add(guarded("k", 7, 3));
  add(content("k", 5, "1"));
  const auto first = take_named({slot("k")});
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].version, at(5));
  index.release(slot("k"), at(5), true);
  EXPECT_TRUE(take_named({slot("k")}).empty());
}

// --- Holding ---

TEST_F(LiveIndexQueue, clocks_that_did_not_travel_are_not_held_with_their_content) {
  add(content("k", 5, "1"));
  take();
  add(clocks("k", 5, {ms(1), {}, {}}));
  index.release(slot("k"), at(5), true);
  const auto next = take();
  ASSERT_EQ(next.size(), 1u) << "they have not been tried yet";
  EXPECT_EQ(next[0].slot, clocks_slot("k"));
}

TEST_F(LiveIndexQueue, content_of_an_older_attempt_is_not_held) {
  add(content("k", 5, "1"));
  take();
  add(content("k", 6, "1"));
  index.release(slot("k"), at(5), true);
  EXPECT_EQ(take().at(0).version, at(6));
}

TEST_F(LiveIndexQueue, content_that_comes_while_clocks_are_in_flight_is_not_held_with_them) {
  add(clocks("k", 5, {ms(1), {}, {}}));
  take();
  add(content("k", 6, "1"));
  index.release(clocks_slot("k"), at(5), true);
  const auto next = take();
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].slot, slot("k"));
}

TEST_F(LiveIndexQueue, release_of_what_is_settled_parked_or_gone_holds_nothing) {
  add(content("settled", 5, "1"));
  add(content("parked", 6, "1"));
  add(content("gone", 7, "1"));
  ASSERT_EQ(take().size(), 3u);
  settle(slot("settled"), 5);
  ASSERT_TRUE(index.park(slot("parked"), at(6), "no"));
  add(erase_matching("gone", 9));
  for (const auto& [key, version] : {std::pair("settled", 5), {"parked", 6}, {"gone", 7}}) {
    index.release(slot(key), at(static_cast<std::uint64_t>(version)), true);
  }
  EXPECT_EQ(index.unsettled(), 1u) << "the erase";
  EXPECT_EQ(index.parked_count(), 1u);
  index.resume();
  EXPECT_EQ(index.unsettled(), 1u);
}

TEST_F(LiveIndexQueue, held_erase_waits_for_resume_too) {
  add(erase_matching("k*", 7));
  ASSERT_EQ(take().size(), 1u);
  EXPECT_TRUE(take().empty());
  index.release(erase_slot("k*"), at(7), true);
  EXPECT_TRUE(take().empty());
  EXPECT_EQ(index.unsettled(), 1u);
  index.resume();
  EXPECT_EQ(take().size(), 1u);
  index.release(erase_slot("k*"), at(7), false);
  EXPECT_EQ(take().size(), 1u);
}

TEST_F(LiveIndexQueue, resume_brings_back_what_is_held_and_nothing_else) {
  for (const char* key : {"a", "b", "parked"}) add(content(key, 5, "1"));
  add(content("settled", 6, "1"));
  ASSERT_TRUE(index.park(slot("parked"), at(5), "no"));
  settle(slot("settled"), 6);
  ASSERT_EQ(take_named({slot("a")}).size(), 1u);
  index.release(slot("a"), at(5), true);
  index.resume();
  EXPECT_EQ(index.unsettled(), 2u);
  EXPECT_EQ(take().size(), 2u);
}

// --- Settling ---

TEST_F(LiveIndexQueue, settling_says_whether_anything_was_unsettled) {
  EXPECT_FALSE(index.settle(slot("k"), at(5), {}, true));
  add(content("k", 5, "1"));
  EXPECT_FALSE(index.settle(slot("k"), at(4), {}, true));
  EXPECT_TRUE(index.settle(slot("k"), at(5), {}, true));
  EXPECT_FALSE(index.settle(slot("k"), at(5), {}, true)) << "it was already";
  add(clocks("k", 5, {ms(1), {}, {}}));
  EXPECT_FALSE(index.settle(slot("k"), at(5), {ms(1), {}, {}}, false)) << "they were not taken";
  EXPECT_TRUE(index.settle(slot("k"), at(5), {ms(1), {}, {}}, true));
  EXPECT_FALSE(index.settle(clocks_slot("k"), at(5), {ms(1), {}, {}}, true));
  add(erase_matching("k*", 3));
  EXPECT_TRUE(index.settle(erase_slot("k*"), at(3), {}, true));
  EXPECT_FALSE(index.settle(erase_slot("k*"), at(3), {}, true));
}

TEST_F(LiveIndexQueue, settling_what_is_below_says_so) {
  add(guarded("k", 7, 3));
  add(content("k", 5, "1"));
  EXPECT_TRUE(index.settle(slot("k"), at(5), {}, false));
  EXPECT_FALSE(index.settle(slot("k"), at(5), {}, false));
}

TEST_F(LiveIndexQueue, clocks_of_a_key_named_like_a_glob_are_not_settled_by_its_erase) {
  add(erase_matching("k", 3));
  add(clocks("k", 5, {ms(1), {}, {}}));
  EXPECT_TRUE(index.settle(erase_slot("k"), at(3), {ms(9), ms(9), ms(9)}, true));
  EXPECT_TRUE(index.awaits_store(clocks_slot("k")));
}

TEST_F(LiveIndexQueue, content_of_a_key_is_not_settled_by_its_clocks) {
  add(content("k", 5, "1"));
  add(clocks("k", 5, {ms(1), {}, {}}));
  settle(clocks_slot("k"), 9, {ms(1), {}, {}});
  EXPECT_TRUE(index.awaits_store(slot("k")));
  EXPECT_FALSE(index.awaits_store(clocks_slot("k")));
}

TEST_F(LiveIndexQueue, what_is_below_is_not_settled_by_clocks_either) {
  add(guarded("k", 7, 3));
  add(content("k", 5, "1"));
  settle(clocks_slot("k"), 9);
  EXPECT_EQ(index.unsettled(), 2u);
}

TEST_F(LiveIndexQueue, clocks_that_were_sent_do_not_settle_those_that_moved_on) {
  add(content("k", 5, "1"));
  add(clocks("k", 5, {ms(3), {}, {}}));
  settle(slot("k"), 5, {ms(2), {}, {}});
  EXPECT_TRUE(index.awaits_store(clocks_slot("k")));
}

TEST_F(LiveIndexQueue, clocks_of_an_attempt_that_was_given_up_count_no_more) {
  add(clocks("k", 5, {ms(1), {}, {}}));
  take();
  index.release(clocks_slot("k"), at(5), false);
  add(clocks("k", 5, {ms(2), {}, {}}));
  settle(clocks_slot("k"), 5, {ms(2), {}, {}});
  EXPECT_EQ(index.unsettled(), 0u) << "nothing of it is in flight that could have moved";
}

TEST_F(LiveIndexQueue, parked_write_that_the_store_has_after_all_is_parked_no_more) {
  add(content("k", 5, "1"));
  ASSERT_TRUE(index.park(slot("k"), at(5), "no"));
  index.add_parked_marker(parked_marker("k", 5), {2, 64, 64});
  settle(slot("k"), 5);
  EXPECT_EQ(index.parked_count(), 0u);
  EXPECT_EQ(index.parked_bytes(), 0u);
  EXPECT_EQ(index.live_in(2), 0u);
  sync_file("k", 5);
  EXPECT_EQ(index.live_records(), 0u);
}

// --- Erases ---

TEST_F(LiveIndexQueue, newest_of_several_erases_hides_whichever_order_their_globs_have_I4) {
  add(erase_matching("a*", 9));
  add(erase_matching("ab*", 5));
  add(erase_matching("abc", 7));
  add(erase_matching("b*", 20));
  EXPECT_EQ(index.erased_below(id_of("abc")), at(9));
  EXPECT_EQ(index.erased_below(id_of("abd")), at(9));
  EXPECT_EQ(index.erased_below(id_of("c")), std::nullopt);
  Record elsewhere = erase_matching("*", 30);
  elsewhere.id.dataset = "c";
  add(elsewhere);
  EXPECT_EQ(index.erased_below(id_of("c")), std::nullopt);
  EXPECT_EQ(index.erased_below({"c", "x"}), at(30));
  elsewhere.id.dataset = "e";
  add(elsewhere);
  EXPECT_EQ(index.erased_below(id_of("c")), std::nullopt);
}

TEST_F(LiveIndexQueue, newest_erase_hides_also_where_its_glob_comes_last_I4) {
  add(erase_matching("a*", 5));
  add(erase_matching("ab*", 9));
  EXPECT_EQ(index.erased_below(id_of("abc")), at(9));
}

TEST_F(LiveIndexQueue, erase_whose_files_are_gone_hides_until_the_store_has_done_it_I4) {
  add(erase_matching("k*", 7));
  index.files_erased(id_of("k*"), at(7));
  sync_all();
  EXPECT_EQ(index.erased_below(id_of("k1")), at(7));
  settle(erase_slot("k*"), 7);
  EXPECT_EQ(index.erased_below(id_of("k1")), std::nullopt);
}

}  // namespace
}  // namespace tiercache::testing
