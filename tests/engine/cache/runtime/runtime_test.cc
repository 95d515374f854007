// What all rooms stand on: time, state, and the rules that the store has its say in.
#include "cache/runtime/runtime.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/cache/ground.h"
#include "tiercache/error.h"

namespace tiercache::detail {
namespace {

TEST(RuntimeTest, time_of_day_is_the_stores_once_that_is_known) {
  Ground ground;
  EXPECT_EQ(ground.runtime.now().wall, kStart);
  ground.runtime.versions.set_offset(2h);
  EXPECT_EQ(ground.runtime.now().wall, kStart + 2h);
  EXPECT_EQ(ground.runtime.now().ticks, ground.runtime.coarse_ticks());
}

TEST(RuntimeTest, delay_of_more_than_a_year_is_for_ever) {
  Ground ground;
  EXPECT_EQ(ground.runtime.after(1s), ground.in(1s));
  EXPECT_EQ(ground.runtime.after(24h * 365), ground.in(24h * 365));
  EXPECT_EQ(ground.runtime.after(24h * 365 + 1ms), kNever);
}

TEST(RuntimeTest, pause_waits_while_others_run) {
  Ground ground;
  int runs = 0;
  ground.runtime.tasks.later(ground.in(1s), Lane::compute, [&] { ++runs; });
  const SteadyTime until = ground.in(2s);
  ground.runtime.pause(2s);
  EXPECT_EQ(ground.clock->steady_now(), until);
  EXPECT_EQ(runs, 1);
}

TEST(RuntimeTest, cache_that_closes_is_not_open_any_more) {
  Ground ground;
  EXPECT_NO_THROW(ground.runtime.check_open());
  ground.runtime.tasks.close();
  EXPECT_FALSE(ground.runtime.is_open());
  EXPECT_THROW(ground.runtime.check_open(), Closed);
  EXPECT_NO_THROW(ground.runtime.check_process());
}

// What is put while the store is switched off is for it all the same.
TEST(RuntimeTest, rules_are_the_narrower_ones_of_cache_and_store_also_of_one_switched_off) {
  const auto rules = [](std::size_t ours, std::size_t stores, bool enabled) {
    Ground ground;
    ground.store->set_limits({.max_document_bytes = stores, .refuses_nul_escape = true});
    CacheOptions options = ground.runtime.options;
    options.limits.max_document_bytes = ours;
    options.flags.store_enabled = enabled;
    return Runtime(options).rules;
  };
  EXPECT_EQ(rules(10, 20, true).max_bytes, 10u);
  EXPECT_EQ(rules(20, 10, true).max_bytes, 10u);
  EXPECT_EQ(rules(20, 10, false).max_bytes, 10u);
  EXPECT_TRUE(rules(20, 10, false).refuse_nul_escape);
}

TEST(RuntimeTest, writer_number_is_of_the_seed_and_never_zero) {
  const auto writer = [](std::uint64_t seed) {
    Ground ground([&](CacheOptions& options) { options.seed = seed; });
    return ground.runtime.versions.writer();
  };
  EXPECT_EQ(writer(7), writer(7));
  EXPECT_NE(writer(7), writer(8));
  for (std::uint64_t seed = 1; seed < 50; ++seed) EXPECT_NE(writer(seed), 0u);
}

}  // namespace
}  // namespace tiercache::detail
