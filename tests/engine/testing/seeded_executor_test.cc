#include "tiercache/testing/seeded_executor.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace tiercache::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class SeededExecutorTest : public ::testing::Test {
 protected:
  SteadyTime in(std::chrono::nanoseconds delay) const { return clock_->steady_now() + delay; }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<SeededExecutor> executor_ = std::make_shared<SeededExecutor>(clock_, 1);
};

TEST(ManualClockTest, stands_still_until_moved) {
  ManualClock clock;
  const SteadyTime steady = clock.steady_now();
  const WallTime wall = clock.wall_now();
  EXPECT_EQ(clock.steady_now(), steady);
  clock.advance(seconds(3));
  EXPECT_EQ(clock.steady_now() - steady, seconds(3));
  EXPECT_EQ(clock.coarse_now() - steady, seconds(3));
  EXPECT_EQ(clock.wall_now() - wall, seconds(3));
}

TEST(ManualClockTest, wall_starts_where_told_and_jumps_alone) {
  ManualClock clock(WallTime(milliseconds(42)));
  EXPECT_EQ(clock.wall_now(), WallTime(milliseconds(42)));
  const SteadyTime steady = clock.steady_now();
  clock.set_wall(WallTime(milliseconds(-7)));
  EXPECT_EQ(clock.wall_now(), WallTime(milliseconds(-7)));
  EXPECT_EQ(clock.steady_now(), steady);
  clock.advance(milliseconds(10));
  EXPECT_EQ(clock.wall_now(), WallTime(milliseconds(3)));
}

std::string order_with(std::uint64_t seed) {
  SeededExecutor executor(std::make_shared<ManualClock>(), seed);
  std::string order;
  for (char c = 'a'; c <= 'j'; ++c) {
    executor.post(Lane::compute, [&order, &executor, c] {
      order += c;
      executor.post(Lane::disk, [&order, c] { order += static_cast<char>(c - 'a' + 'A'); });
    });
  }
  executor.run_ready();
  return order;
}

TEST(SeededExecutorSeed, same_seed_gives_the_same_order) {
  EXPECT_EQ(order_with(7), order_with(7));
  EXPECT_EQ(order_with(7).size(), 20u);
}

TEST(SeededExecutorSeed, seeds_give_many_orders) {
  std::set<std::string> orders;
  for (std::uint64_t seed = 0; seed < 50; ++seed) orders.insert(order_with(seed));
  EXPECT_GT(orders.size(), 45u);
}

TEST_F(SeededExecutorTest, post_never_runs_inside_the_call) {
  bool ran = false;
  executor_->post(Lane::compute, [&] { ran = true; });
  EXPECT_FALSE(ran);
  EXPECT_TRUE(executor_->step());
  EXPECT_TRUE(ran);
  EXPECT_FALSE(executor_->step());
}

TEST_F(SeededExecutorTest, timers_run_in_order_of_time_and_see_their_time) {
  std::vector<int> order;
  const SteadyTime start = clock_->steady_now();
  for (const int ms : {30, 10, 20}) {
    executor_->schedule(in(milliseconds(ms)), Lane::compute, [&, ms] {
      EXPECT_EQ(clock_->steady_now(), start + milliseconds(ms));
      order.push_back(ms);
    });
  }
  executor_->run_ready();
  EXPECT_TRUE(order.empty());
  executor_->run_for(milliseconds(25));
  EXPECT_EQ(order, (std::vector{10, 20}));
  EXPECT_EQ(clock_->steady_now(), start + milliseconds(25));
  EXPECT_EQ(executor_->pending(), 1u);
  executor_->run_for(milliseconds(5));
  EXPECT_EQ(order, (std::vector{10, 20, 30}));
}

TEST_F(SeededExecutorTest, timer_due_by_a_move_of_the_clock_is_ready) {
  bool ran = false;
  executor_->schedule(in(seconds(1)), Lane::compute, [&] { ran = true; });
  clock_->advance(seconds(1));
  executor_->run_ready();
  EXPECT_TRUE(ran);
}

TEST_F(SeededExecutorTest, cancel_takes_back_waiting_and_due_timers_once) {
  int ran = 0;
  const auto waiting = executor_->schedule(in(seconds(1)), Lane::compute, [&] { ++ran; });
  EXPECT_TRUE(executor_->cancel(waiting));
  EXPECT_FALSE(executor_->cancel(waiting));
  // One of two due timers takes the other back: exactly one runs.
  Executor::TimerId first = 0;
  Executor::TimerId second = 0;
  int cancelled = 0;
  first = executor_->schedule(in(seconds(1)), Lane::compute,
                              [&] { ++ran, cancelled += executor_->cancel(second) ? 1 : 0; });
  second = executor_->schedule(in(seconds(1)), Lane::compute,
                               [&] { ++ran, cancelled += executor_->cancel(first) ? 1 : 0; });
  executor_->run_for(seconds(2));
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(cancelled, 1);
  EXPECT_FALSE(executor_->cancel(first));
  EXPECT_FALSE(executor_->cancel(0));
}

TEST_F(SeededExecutorTest, wait_runs_other_tasks_until_the_event_is_set) {
  const auto event = executor_->make_event();
  executor_->schedule(in(seconds(3)), Lane::store, [&] { event->set(); });
  const SteadyTime start = clock_->steady_now();
  EXPECT_TRUE(event->wait_until(in(hours(1))));
  EXPECT_EQ(clock_->steady_now(), start + seconds(3));
}

TEST_F(SeededExecutorTest, wait_ends_at_its_deadline_exactly_I7) {
  const auto event = executor_->make_event();
  const SteadyTime deadline = in(seconds(3));
  executor_->schedule(in(hours(1)), Lane::store, [&] { event->set(); });
  EXPECT_FALSE(event->wait_until(deadline));
  EXPECT_EQ(clock_->steady_now(), deadline);
  EXPECT_FALSE(event->wait_until(deadline));
}

TEST_F(SeededExecutorTest, waits_nest_deeply) {
  constexpr int kDepth = 2'000;
  int reached = 0;
  std::function<void(int)> go_down = [&](int depth) {
    const auto event = executor_->make_event();
    executor_->post(Lane::compute, [&, event, depth] {
      if (depth < kDepth) go_down(depth + 1);
      event->set();
    });
    EXPECT_TRUE(event->wait_until(in(seconds(1))));
    ++reached;
  };
  go_down(1);
  EXPECT_EQ(reached, kDepth);
}

TEST_F(SeededExecutorTest, wait_that_nothing_can_end_is_reported) {
  const auto event = executor_->make_event();
  EXPECT_THROW(event->wait_until(kNever), std::logic_error);
}

TEST_F(SeededExecutorTest, run_until_moves_time_as_far_as_needed) {
  int ticks = 0;
  std::function<void()> tick = [&] {
    ++ticks;
    executor_->schedule(in(seconds(10)), Lane::compute, tick);
  };
  tick();
  const SteadyTime start = clock_->steady_now();
  EXPECT_TRUE(executor_->run_until([&] { return ticks == 4; }));
  EXPECT_EQ(clock_->steady_now(), start + seconds(30));
  EXPECT_FALSE(executor_->run_until([] { return false; }, seconds(15)));
  EXPECT_EQ(clock_->steady_now(), start + seconds(45));
  EXPECT_EQ(ticks, 5);
}

TEST_F(SeededExecutorTest, task_that_sleeps_lets_others_run_meanwhile) {
  std::vector<std::string> order;
  executor_->post(Lane::callback, [&] {
    executor_->sleep_for(seconds(5));
    order.push_back("slept");
  });
  executor_->schedule(in(seconds(2)), Lane::compute, [&] { order.push_back("meanwhile"); });
  executor_->run_for(seconds(10));
  EXPECT_EQ(order, (std::vector<std::string>{"meanwhile", "slept"}));
}

TEST_F(SeededExecutorTest, shutdown_drops_tasks_that_may_use_it_while_they_go) {
  int destroyed = 0;
  const auto use_it = [&](int*) {
    executor_->post(Lane::compute, [] { FAIL() << "ran after shutdown"; });
    executor_->cancel(executor_->schedule(in(seconds(1)), Lane::compute, [] {}));
    ++destroyed;
  };
  auto posted = std::shared_ptr<int>(new int(0), [&](int* p) { use_it(p), delete p; });
  auto timed = std::shared_ptr<int>(new int(0), [&](int* p) { use_it(p), delete p; });
  executor_->post(Lane::compute, [posted] {});
  executor_->schedule(in(seconds(1)), Lane::compute, [timed] {});
  posted.reset();
  timed.reset();
  EXPECT_EQ(executor_->shutdown(kNever), 0);
  EXPECT_EQ(destroyed, 2);
  EXPECT_EQ(executor_->pending(), 0u);
  executor_->run_for(seconds(10));
}

TEST_F(SeededExecutorTest, event_outlives_its_executor_as_a_flag) {
  const auto set = executor_->make_event();
  const auto unset = executor_->make_event();
  executor_.reset();
  set->set();
  EXPECT_TRUE(set->wait_until(kNever));
  EXPECT_FALSE(unset->wait_until(kNever));
}

}  // namespace
}  // namespace tiercache::testing
