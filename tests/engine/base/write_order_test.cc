#include "base/write_order.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "tiercache/version.h"

namespace tiercache {
namespace {

constexpr std::uint64_t kHash = 0x1234567890abcdef;

std::shared_ptr<std::uint32_t> cells() {
  return {new std::uint32_t[Generations::kCounters + WriteOrder::kCells]{},
          std::default_delete<std::uint32_t[]>()};
}

WriteOrder::Places nothing() {
  return {};
}

TEST(WriteOrder, times_rise_over_all_processes_whatever_their_clocks_say_I3) {
  const auto shared = cells();
  WriteOrder ahead(shared, 0), behind(shared, 1);
  const std::uint64_t now = std::uint64_t{1'700'000'000'000} << Version::kCounterBits;
  const std::uint64_t minutes = std::uint64_t{15 * 60'000} << Version::kCounterBits;
  const std::uint64_t first = ahead.stamp(kHash, now + minutes);
  EXPECT_EQ(first, now + minutes);
  EXPECT_EQ(behind.stamp(kHash, now), first + 1);
  EXPECT_EQ(ahead.stamp(kHash, now), first + 2);
}

TEST(WriteOrder, time_that_is_damage_spoils_nothing) {
  const auto shared = cells();
  for (std::size_t i = 0; i < Generations::kCounters + WriteOrder::kCells; ++i) {
    shared.get()[i] = 0x7fffffff;
  }
  WriteOrder order(shared, 0);
  const std::uint64_t now = std::uint64_t{1'700'000'000'000} << Version::kCounterBits;
  EXPECT_EQ(order.stamp(kHash, now), now);
  EXPECT_EQ(order.stamp(kHash, now), now + 1);
}

TEST(WriteOrder, write_is_seen_by_others_until_it_is_settled) {
  const auto shared = cells();
  WriteOrder mine(shared, 0), other(shared, 5);
  mine.begin(kHash);
  EXPECT_EQ(mine.others(kHash), 0u);
  EXPECT_EQ(other.others(kHash), 1u);
  mine.settle([] { return WriteOrder::Places{WriteOrder::place(kHash)}; });
  EXPECT_EQ(other.others(kHash), 1u) << "it waits for its file";
  mine.settle([] { return std::optional<WriteOrder::Places>(); });
  EXPECT_EQ(other.others(kHash), 1u);
  mine.settle(nothing);
  EXPECT_EQ(other.others(kHash), 0u);
}

TEST(WriteOrder, write_that_begins_while_others_are_settled_stays_seen) {
  const auto shared = cells();
  WriteOrder mine(shared, 0), other(shared, 1);
  mine.begin(kHash);
  mine.settle([&] {
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
  EXPECT_TRUE(mine.settle(nothing));
  EXPECT_EQ(other.others(kHash), 2u) << "one still holds";
  mine.let_go(kHash);
  EXPECT_EQ(other.others(kHash), 0u);
}

TEST(WriteOrder, what_the_dead_left_is_forgotten_with_their_slot) {
  const auto shared = cells();
  WriteOrder living(shared, 0);
  { WriteOrder(shared, 7).begin(kHash); }
  EXPECT_EQ(living.others(kHash), 1u << 7);
  living.forget(7);
  EXPECT_EQ(living.others(kHash), 0u);
  { WriteOrder(shared, 7).begin(kHash); }
  WriteOrder next(shared, 7);
  EXPECT_EQ(living.others(kHash), 0u) << "a new owner begins with nothing";
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
