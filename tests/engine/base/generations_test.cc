#include "base/generations.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/key_ref.h"

namespace tiercache {
namespace {

std::shared_ptr<std::uint32_t> counters() {
  return {new std::uint32_t[Generations::kCounters]{}, std::default_delete<std::uint32_t[]>()};
}

std::uint64_t hash(const std::string& key) {
  return KeyRef(dataset_number("d"), key).hash;
}

TEST(Generations, change_of_another_process_is_seen_and_its_own_is_not_I10) {
  const auto shared = counters();
  Generations mine(shared), others(shared);
  const std::uint32_t mine_before = mine.of(hash("k"));
  const std::uint32_t others_before = others.of(hash("k"));
  mine.changed(hash("k"));
  EXPECT_EQ(mine.of(hash("k")), mine_before);
  EXPECT_NE(others.of(hash("k")), others_before);
}

TEST(Generations, what_counters_held_before_is_of_no_account) {
  const auto shared = counters();
  for (std::size_t i = 0; i < Generations::kCounters; ++i) shared.get()[i] = UINT32_MAX;
  Generations mine(shared), others(shared);
  const std::uint32_t before = mine.of(hash("k"));
  others.changed(hash("k"));
  EXPECT_EQ(mine.of(hash("k")), before + 1);
}

TEST(Generations, change_is_noticed_for_few_other_keys) {
  const auto shared = counters();
  Generations mine(shared), others(shared);
  others.changed(hash("k"));
  int noticed = 0;
  for (int i = 0; i < 100'000; ++i) {
    if (mine.of(hash("other" + std::to_string(i))) != 0) ++noticed;
  }
  EXPECT_LT(noticed, 50) << "some 6 are expected";
}

TEST(Generations, alone_nothing_changes) {
  Generations mine;
  mine.changed(hash("k"));
  EXPECT_EQ(mine.of(hash("k")), 0u);
}

TEST(Generations, counters_made_anew_make_everything_be_looked_up_again_I10) {
  const auto last = counters(), anew = counters();
  for (std::size_t i = 0; i < Generations::kCounters; ++i) anew.get()[i] = 7;
  Generations mine(last), others_at_last(last), others(anew);
  others_at_last.changed(hash("k"));
  mine.changed(hash("k"));
  const std::uint32_t before = mine.of(hash("k")), other_before = mine.of(hash("other"));
  mine.share(anew);
  EXPECT_EQ(mine.of(hash("k")), before + 1);
  EXPECT_EQ(mine.of(hash("other")), other_before + 1);
  others.changed(hash("k"));
  EXPECT_EQ(mine.of(hash("k")), before + 2) << "it counts in the new ones";
  others_at_last.changed(hash("k"));
  mine.changed(hash("k"));
  EXPECT_EQ(mine.of(hash("k")), before + 2) << "and in none but them, its own changes not";
}

TEST(Generations, counters_stay_mapped_as_long_as_they_are_counted_in) {
  auto first = counters(), second = counters();
  const std::weak_ptr<std::uint32_t> first_mapped = first, second_mapped = second;
  Generations mine(std::move(first));
  mine.share(std::move(second));
  EXPECT_FALSE(first_mapped.expired()) << "readers may still be there";
  EXPECT_FALSE(second_mapped.expired());
}

TEST(Generations, threads_and_processes_at_once_lose_no_change) {
  const auto shared = counters();
  Generations mine(shared), others(shared);
  constexpr int kEach = 20'000;
  std::vector<std::thread> threads;
  for (Generations* one : {&mine, &others, &others}) {
    threads.emplace_back([one] {
      for (int i = 0; i < kEach; ++i) one->changed(hash("k"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(mine.of(hash("k")), 2u * kEach);
  EXPECT_EQ(others.of(hash("k")), 1u * kEach);
}

}  // namespace
}  // namespace tiercache
