#include "memory/spare_budget.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <thread>
#include <vector>

namespace tiercache {
namespace {

TEST(SpareBudget, gives_what_is_there_and_no_more) {
  SpareBudget spare;
  EXPECT_EQ(spare.take(10), 0u);
  spare.give(0);
  spare.give(7);
  spare.give(5);
  EXPECT_EQ(spare.take(0), 0u);
  EXPECT_EQ(spare.take(4), 4u);
  EXPECT_EQ(spare.take(100), 8u);
  EXPECT_EQ(spare.take(1), 0u);
}

TEST(SpareBudget, threads_at_once_neither_lose_a_byte_nor_get_one_twice) {
  SpareBudget spare;
  constexpr std::size_t kAll = 10'000;
  spare.give(kAll);
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&spare] {
      for (int round = 0; round < 10'000; ++round) spare.give(spare.take(7));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(spare.take(2 * kAll), kAll);
}

}  // namespace
}  // namespace tiercache
