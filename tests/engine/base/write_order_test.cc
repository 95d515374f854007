#include "base/write_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "tiercache/version.h"

namespace tiercache {
namespace {

constexpr std::uint64_t kHash = 0x1234567890abcdef;

// Behind the cells, for a test that nobody writes there.
constexpr std::size_t kGuard = 4;

std::shared_ptr<std::uint32_t> cells() {
  return {new std::uint32_t[Generations::kCounters + WriteOrder::kCells + kGuard]{},
          std::default_delete<std::uint32_t[]>()};
}

constexpr std::uint64_t kNow = std::uint64_t{1'700'000'000'000} << Version::kCounterBits;
constexpr std::uint64_t kHour = std::uint64_t{3'600'000} << Version::kCounterBits;

WriteOrder::Busy nothing() {
  return {};
}

TEST(WriteOrder, times_rise_over_all_processes_whatever_their_clocks_say_I3) {
  const auto shared = cells();
  WriteOrder ahead(shared, 0), behind(shared, 1);
  const std::uint64_t minutes = std::uint64_t{15 * 60'000} << Version::kCounterBits;
  const std::uint64_t first = ahead.stamp(kHash, kNow + minutes);
  EXPECT_EQ(first, kNow + minutes);
  EXPECT_EQ(behind.stamp(kHash, kNow), first + 1);
  EXPECT_EQ(ahead.stamp(kHash, kNow), first + 2);
}

TEST(WriteOrder, time_that_is_damage_spoils_nothing) {
  const auto shared = cells();
  for (std::size_t i = 0; i < Generations::kCounters + WriteOrder::kCells; ++i) {
    shared.get()[i] = 0x7fffffff;
  }
  WriteOrder order(shared, 0);
  EXPECT_EQ(order.stamp(kHash, kNow), kNow);
  EXPECT_EQ(order.stamp(kHash, kNow), kNow + 1);
}

TEST(WriteOrder, write_is_seen_by_others_until_it_is_settled) {
  const auto shared = cells();
  WriteOrder mine(shared, 0), other(shared, 5);
  mine.begin(kHash);
  EXPECT_EQ(mine.others(kHash), 0u);
  EXPECT_EQ(other.others(kHash), 1u);
  mine.release_filed(kNow, [] { return WriteOrder::Busy{{WriteOrder::place(kHash)}, kNow}; });
  EXPECT_EQ(other.others(kHash), 1u) << "it waits for its file";
  mine.release_filed(kNow, [] { return std::optional<WriteOrder::Busy>(); });
  EXPECT_EQ(other.others(kHash), 1u);
  mine.release_filed(kNow, nothing);
  EXPECT_EQ(other.others(kHash), 0u);
}

TEST(WriteOrder, write_that_begins_while_others_are_settled_stays_seen) {
  const auto shared = cells();
  WriteOrder mine(shared, 0), other(shared, 1);
  mine.begin(kHash);
  mine.release_filed(kNow, [&] {
    mine.begin(kHash);
    return nothing();
  });
  EXPECT_EQ(other.others(kHash), 1u);
}

TEST(WriteOrder, of_two_that_wait_for_each_other_the_lower_goes_first) {
  const auto shared = cells();
  WriteOrder low(shared, 2), high(shared, 3);
  low.hold(kHash);
  high.hold(kHash);
  EXPECT_TRUE(low.goes_first(kHash));
  EXPECT_FALSE(high.goes_first(kHash));
  high.let_go(kHash);
  EXPECT_EQ(low.others(kHash), 0u);
  low.let_go(kHash);
  EXPECT_EQ(high.others(kHash), 0u);
}

TEST(WriteOrder, holder_with_a_write_under_way_is_seen_for_both) {
  const auto shared = cells();
  WriteOrder mine(shared, 1), other(shared, 0);
  mine.hold(kHash);
  mine.hold(kHash);
  mine.begin(kHash);
  mine.let_go(kHash);
  EXPECT_TRUE(mine.release_filed(kNow, nothing));
  EXPECT_EQ(other.others(kHash), 2u) << "one still holds";
  mine.let_go(kHash);
  EXPECT_EQ(other.others(kHash), 0u);
}

TEST(WriteOrder, time_of_a_write_of_all_is_above_all_before_and_below_all_after_I4) {
  const auto shared = cells();
  WriteOrder ahead(shared, 0), behind(shared, 1);
  const std::uint64_t minutes = std::uint64_t{4 * 60'000} << Version::kCounterBits;
  const std::uint64_t other_hash = ~kHash;
  const std::uint64_t before = ahead.stamp(kHash, kNow + minutes);
  const std::uint64_t all = behind.stamp_all(kNow);
  EXPECT_GT(all, before);
  EXPECT_GT(behind.stamp(kHash, kNow), all);
  EXPECT_GT(behind.stamp(other_hash, kNow), all) << "of which no time was given before";
}

TEST(WriteOrder, damaged_times_do_not_carry_a_write_of_all_away) {
  const auto shared = cells();
  for (std::size_t i = 0; i < Generations::kCounters + WriteOrder::kCells; ++i) {
    shared.get()[i] = 0x7fffffff;
  }
  WriteOrder order(shared, 0);
  EXPECT_EQ(order.stamp_all(kNow), kNow);
  EXPECT_EQ(order.stamp(kHash, kNow), kNow + 1);
}

TEST(WriteOrder, write_of_all_waits_for_what_was_stamped_before_it_alone) {
  const auto shared = cells();
  WriteOrder eraser(shared, 0), other(shared, 1);
  other.begin(kHash);
  const std::uint64_t first = other.stamp(kHash, kNow);
  const std::uint64_t all = eraser.stamp_all(kNow);
  auto places = WriteOrder::all_places();
  EXPECT_EQ(eraser.others_before(all, &places), 2u);
  // The key is written again and again, so that its place is never free of writes.
  other.begin(kHash);
  const std::uint64_t later = other.stamp(kHash, kNow);
  ASSERT_GT(later, all);
  const auto waits_for = [](std::uint64_t time) {
    return [time] { return WriteOrder::Busy{{WriteOrder::place(kHash)}, time}; };
  };
  other.release_filed(later, waits_for(first));
  EXPECT_EQ(eraser.others_before(all, &places), 2u);
  other.release_filed(later, waits_for(later));
  EXPECT_EQ(eraser.others_before(all, &places), 0u);
  EXPECT_EQ(eraser.others(kHash), 2u) << "what is compared with the key still waits";
}

TEST(WriteOrder, what_is_held_may_be_written_under_the_time_it_has) {
  const auto shared = cells();
  WriteOrder eraser(shared, 0), other(shared, 1);
  other.hold(kHash);
  other.stamp(kHash, kNow);
  other.begin(~kHash);  // of another place, and filed by now
  const std::uint64_t all = eraser.stamp_all(kNow);
  other.release_filed(all + 5, nothing);
  auto places = WriteOrder::all_places();
  EXPECT_EQ(eraser.others_before(all, &places), 2u);
  other.let_go(kHash);
  EXPECT_EQ(eraser.others_before(all, &places), 0u);
}

TEST(WriteOrder, clock_that_is_set_back_makes_others_wait_again) {
  const auto shared = cells();
  WriteOrder eraser(shared, 0), other(shared, 1);
  const std::uint64_t minutes = std::uint64_t{4 * 60'000} << Version::kCounterBits;
  other.begin(~kHash);
  other.release_filed(kNow + minutes, nothing);
  other.begin(kHash);
  ASSERT_LT(other.stamp(kHash, kNow), kNow + minutes);
  auto places = WriteOrder::all_places();
  EXPECT_EQ(eraser.others_before(eraser.stamp_all(kNow), &places), 2u);
}

TEST(WriteOrder, write_of_all_is_seen_everywhere_and_goes_first) {
  const auto shared = cells();
  WriteOrder low(shared, 0), eraser(shared, 1);
  low.hold(kHash);
  EXPECT_TRUE(low.goes_first(kHash));
  eraser.begin_all();
  EXPECT_EQ(low.others(kHash), 2u);
  EXPECT_EQ(low.others(~kHash), 2u);
  EXPECT_FALSE(low.goes_first(kHash));
  EXPECT_EQ(eraser.others(~kHash), 0u);
  eraser.end_all();
  EXPECT_EQ(low.others(kHash), 0u);
  { WriteOrder(shared, 7).begin_all(); }
  EXPECT_EQ(low.others(kHash), 1u << 7);
  low.forget(7);
  EXPECT_EQ(low.others(kHash), 0u);
}

TEST(WriteOrder, what_the_dead_left_is_forgotten_with_their_slot) {
  const auto shared = cells();
  WriteOrder living(shared, 0);
  { WriteOrder(shared, 7).begin(kHash); }
  EXPECT_EQ(living.others(kHash), 1u << 7);
  living.forget(7);
  EXPECT_EQ(living.others(kHash), 0u);
  { WriteOrder(shared, 7).begin(kHash); }
  living.forget(7);
  EXPECT_EQ(living.others(kHash), 0u);
}

// A process that was killed may be back before anybody has brought its writes to their files.
TEST(WriteOrder, what_the_dead_left_is_waited_for_until_the_next_owner_has_taken_it_over_I5) {
  const auto shared = cells();
  WriteOrder living(shared, 0);
  {
    WriteOrder dead(shared, 7);
    dead.begin(kHash);
    dead.begin_all();
  }
  WriteOrder next(shared, 7);
  EXPECT_EQ(living.others(kHash), 1u << 7);
  next.hold(kHash);
  next.let_go(kHash);
  next.begin_all();
  next.end_all();
  EXPECT_EQ(living.others(kHash), 1u << 7) << "its own come and go meanwhile";
  EXPECT_EQ(living.others(~kHash), 1u << 7);
  next.begin(~kHash);
  next.take_over();
  EXPECT_EQ(living.others(kHash), 0u);
  EXPECT_EQ(living.others(~kHash), 1u << 7) << "that is its own";
  next.release_filed(kNow, nothing);
  EXPECT_EQ(living.others(~kHash), 0u);
}

TEST(WriteOrder, times_are_called_filed_only_once_the_slot_is_taken_over_I4) {
  const auto shared = cells();
  WriteOrder eraser(shared, 0);
  { WriteOrder(shared, 7).begin(kHash); }
  WriteOrder next(shared, 7);
  next.begin(~kHash);
  next.release_filed(kNow + kHour, nothing);
  auto places = WriteOrder::all_places();
  EXPECT_EQ(eraser.others_before(kNow, &places), 1u << 7);
}

// Times that lie an hour above the clock of who asks are damage, those below that are believed.
TEST(WriteOrder, time_is_believed_up_to_an_hour_ahead_and_not_from_there_on) {
  const auto shared = cells();
  WriteOrder ahead(shared, 0), behind(shared, 1);
  ahead.stamp(kHash, kNow + kHour - 1);
  EXPECT_EQ(behind.stamp(kHash, kNow), kNow + kHour);
  EXPECT_EQ(behind.stamp(kHash, kNow), kNow) << "the last one was an hour ahead";
}

TEST(WriteOrder, write_of_all_believes_times_up_to_an_hour_ahead_and_not_from_there_on_I4) {
  const auto shared = cells();
  WriteOrder ahead(shared, 0), behind(shared, 1);
  ahead.stamp(kHash, kNow + kHour - 1);
  EXPECT_EQ(behind.stamp_all(kNow), kNow + kHour);
  ahead.stamp(kHash, kNow + kHour);
  EXPECT_EQ(behind.stamp_all(kNow), kNow) << "an hour ahead is damage";
  EXPECT_EQ(ahead.stamp(kHash, kNow), kNow + 1) << "which is mended";
  EXPECT_EQ(ahead.stamp(~kHash, kNow), kNow + 1) << "as everywhere";
}

TEST(WriteOrder, time_of_a_write_of_all_is_above_one_that_was_given_at_the_same_time_I4) {
  const auto shared = cells();
  WriteOrder order(shared, 0);
  ASSERT_EQ(order.stamp(kHash, kNow), kNow);
  EXPECT_EQ(order.stamp_all(kNow), kNow + 1);
}

TEST(WriteOrder, directory_made_anew_learns_what_is_under_way_and_the_last_one_forgets_it_I4) {
  const auto last = cells(), anew = cells();
  WriteOrder mine(last, 3), other_at_last(last, 0), other_anew(anew, 0);
  mine.begin(kHash);
  mine.begin_all();
  mine.share(anew, 5);
  EXPECT_EQ(other_at_last.others(kHash), 0u);
  EXPECT_EQ(other_at_last.others(~kHash), 0u);
  EXPECT_EQ(other_anew.others(kHash), 1u << 5);
  EXPECT_EQ(other_anew.others(~kHash), 1u << 5) << "it writes all places";
  mine.end_all();
  EXPECT_EQ(other_anew.others(kHash), 1u << 5);
  EXPECT_EQ(other_anew.others(~kHash), 0u);
  EXPECT_TRUE(mine.release_filed(kNow, nothing));
  EXPECT_EQ(other_anew.others(kHash), 0u);
}

TEST(WriteOrder, hold_that_was_not_taken_is_not_let_go) {
  const auto shared = cells();
  WriteOrder mine(shared, 1), other(shared, 0);
  mine.let_go(kHash);
  mine.begin(kHash);
  mine.let_go(kHash);
  EXPECT_EQ(other.others(kHash), 2u) << "the write is still under way";
  EXPECT_TRUE(mine.release_filed(kNow, nothing));
  EXPECT_EQ(other.others(kHash), 0u);
  mine.hold(kHash);
  EXPECT_EQ(other.others(kHash), 2u);
}

TEST(WriteOrder, each_hold_is_let_go_by_itself) {
  const auto shared = cells();
  WriteOrder mine(shared, 1), other(shared, 0);
  mine.hold(kHash);
  mine.hold(kHash);
  mine.let_go(kHash);
  EXPECT_EQ(other.others(kHash), 2u);
  mine.let_go(kHash);
  EXPECT_EQ(other.others(kHash), 0u);
}

TEST(WriteOrder, write_that_outlives_its_hold_is_seen_until_it_is_settled) {
  const auto shared = cells();
  WriteOrder mine(shared, 1), other(shared, 0);
  mine.hold(kHash);
  mine.begin(kHash);
  mine.let_go(kHash);
  EXPECT_EQ(other.others(kHash), 2u);
  EXPECT_TRUE(mine.release_filed(kNow, nothing));
  EXPECT_EQ(other.others(kHash), 0u);
}

TEST(WriteOrder, settling_says_whether_some_is_left) {
  const auto shared = cells();
  WriteOrder order(shared, 1);
  const WriteOrder::Busy still{{WriteOrder::place(kHash)}, kNow};
  order.begin(kHash);
  EXPECT_FALSE(order.release_filed(kNow, [&] { return still; }));
  EXPECT_FALSE(order.release_filed(kNow, [] { return std::optional<WriteOrder::Busy>(); }));
  EXPECT_TRUE(order.release_filed(kNow, nothing));
}

TEST(WriteOrder, what_is_only_held_leaves_nothing_to_settle_and_asks_nobody) {
  const auto shared = cells();
  WriteOrder mine(shared, 1), other(shared, 0);
  mine.hold(kHash);
  const bool all = mine.release_filed(kNow, [] {
    ADD_FAILURE() << "there is no write to ask for";
    return std::optional<WriteOrder::Busy>();
  });
  EXPECT_TRUE(all);
  EXPECT_EQ(other.others(kHash), 2u);
}

TEST(WriteOrder, write_that_another_thread_settles_meanwhile_is_settled_once) {
  const auto shared = cells();
  WriteOrder mine(shared, 1), other(shared, 0);
  mine.begin(kHash);
  mine.release_filed(kNow, [&] {
    EXPECT_TRUE(mine.release_filed(kNow, nothing));
    return nothing();
  });
  EXPECT_EQ(other.others(kHash), 0u);
}

TEST(WriteOrder, write_of_all_does_not_wait_for_itself_and_looks_only_where_others_are) {
  const auto shared = cells();
  WriteOrder eraser(shared, 0), other(shared, 1);
  eraser.begin(kHash);
  eraser.begin_all();
  EXPECT_TRUE(eraser.goes_first(kHash));
  other.begin(~kHash);
  auto places = WriteOrder::all_places();
  EXPECT_EQ(eraser.others_before(eraser.stamp_all(kNow), &places), 2u);
  EXPECT_EQ(places, std::vector<std::size_t>{WriteOrder::place(~kHash)});
}

TEST(WriteOrder, two_writes_of_all_of_one_process_are_seen_until_both_have_ended) {
  const auto shared = cells();
  WriteOrder eraser(shared, 1), other(shared, 0);
  eraser.begin_all();
  eraser.begin_all();
  eraser.end_all();
  EXPECT_EQ(other.others(kHash), 2u);
  eraser.end_all();
  EXPECT_EQ(other.others(kHash), 0u);
}

TEST(WriteOrder, new_owner_of_a_slot_is_not_believed_what_the_last_one_filed) {
  const auto shared = cells();
  WriteOrder eraser(shared, 0);
  {
    WriteOrder last(shared, 7);
    last.begin(~kHash);
    last.release_filed(kNow, nothing);
  }
  WriteOrder next(shared, 7);
  next.begin(kHash);
  auto places = WriteOrder::all_places();
  EXPECT_EQ(eraser.others_before(kNow, &places), 1u << 7);
}

TEST(WriteOrder, later_writes_do_not_take_back_what_was_filed) {
  const auto shared = cells();
  WriteOrder other(shared, 0), eraser(shared, 1);
  other.begin(~kHash);
  other.release_filed(kNow + 10, nothing);
  other.begin(kHash);
  ASSERT_EQ(other.stamp(kHash, kNow + 11), kNow + 11);
  auto places = WriteOrder::all_places();
  EXPECT_EQ(eraser.others_before(kNow + 5, &places), 0u);
}

// The bits of those under way are behind the times.
TEST(WriteOrder, who_is_under_way_is_not_taken_for_a_time) {
  const auto shared = cells();
  for (std::uint64_t slot = 0; slot < WriteOrder::kSlots; ++slot) {
    if ((kNow >> slot & 1) != 0) WriteOrder(shared, slot).begin(0);
  }
  EXPECT_EQ(WriteOrder(shared, 0).stamp_all(kNow), kNow);
}

TEST(WriteOrder, alone_it_has_cells_of_its_own_and_keeps_those_it_is_given) {
  WriteOrder alone(nullptr, 0);
  alone.begin(kHash);
  EXPECT_EQ(alone.stamp(kHash, kNow), kNow);
  EXPECT_EQ(alone.stamp_all(kNow), kNow + 1);
  EXPECT_EQ(alone.others(kHash), 0u);
  auto shared = cells();
  const std::weak_ptr<std::uint32_t> mapped = shared;
  alone.share(std::move(shared), 1);
  EXPECT_FALSE(mapped.expired());
}

TEST(WriteOrder, process_beyond_the_slots_sees_others_and_is_not_seen) {
  const auto shared = cells();
  constexpr std::size_t kBehind = Generations::kCounters + WriteOrder::kCells;
  std::fill_n(shared.get() + kBehind, kGuard, UINT32_MAX);
  WriteOrder first(shared, 0);
  first.begin(kHash);
  WriteOrder beyond(shared, WriteOrder::kSlots);
  EXPECT_EQ(beyond.others(kHash), 1u) << "opening it made nobody forget the first";
  beyond.begin(~kHash);
  beyond.begin_all();
  EXPECT_EQ(beyond.stamp(~kHash, kNow), kNow);
  EXPECT_EQ(first.others(~kHash), 0u);
  EXPECT_FALSE(beyond.goes_first(kHash));
  EXPECT_TRUE(beyond.release_filed(kNow, nothing));
  beyond.forget(WriteOrder::kSlots);
  EXPECT_EQ(beyond.others(kHash), 1u);
  for (std::size_t i = 0; i < kGuard; ++i) EXPECT_EQ(shared.get()[kBehind + i], UINT32_MAX);
}

TEST(WriteOrder, threads_and_processes_at_once_get_each_time_once) {
  const auto shared = cells();
  WriteOrder first(shared, 0), second(shared, 1);
  std::vector<std::vector<std::uint64_t>> times(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < times.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 5'000; ++n) {
        times[i].push_back((i % 2 == 0 ? first : second).stamp(kHash, 100));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::uint64_t> all;
  for (const auto& of_thread : times) all.insert(of_thread.begin(), of_thread.end());
  EXPECT_EQ(all.size(), 20'000u);
}

}  // namespace
}  // namespace tiercache
