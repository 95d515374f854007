// Which of the things that run later keep their cache alive, and which do without it.
#include "cache/runtime/tasks.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class TasksTest : public ::testing::Test {
 protected:
  // The last handle goes. True: something that waits holds the cache.
  bool leave() {
    const std::weak_ptr<int> left = ground.owner;
    ground.owner.reset();
    return !left.expired();
  }
  std::function<void()> count() {
    return [this] { ++runs; };
  }

  Ground ground;
  const Tasks& tasks = ground.runtime.tasks;
  int runs = 0;
};

TEST_F(TasksTest, posted_task_keeps_the_cache_until_it_has_run) {
  tasks.post(Lane::compute, count());
  const std::weak_ptr<int> cache = ground.owner;
  EXPECT_TRUE(leave());
  ground.run_ready();
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(cache.expired());
}

TEST_F(TasksTest, task_posted_if_alive_runs_only_while_the_cache_is_there) {
  tasks.post_if_alive(Lane::compute, count());
  ground.run_ready();
  EXPECT_EQ(runs, 1);
  tasks.post_if_alive(Lane::compute, count());
  EXPECT_FALSE(leave());
  ground.run_ready();
  EXPECT_EQ(runs, 1);
}

TEST_F(TasksTest, task_at_a_time_keeps_the_cache_and_runs_then) {
  tasks.at(ground.in(1s), Lane::compute, count());
  EXPECT_TRUE(leave());
  ground.run_for(999ms);
  EXPECT_EQ(runs, 0);
  ground.run_for(1ms);
  EXPECT_EQ(runs, 1);
}

TEST_F(TasksTest, later_task_does_nothing_once_the_cache_has_gone) {
  tasks.later(ground.in(1s), Lane::compute, count());
  EXPECT_FALSE(leave());
  ground.run_for(2s);
  EXPECT_EQ(runs, 0);
}

TEST_F(TasksTest, later_task_runs_while_the_cache_closes_and_while_open_does_not) {
  int while_open = 0;
  tasks.later(ground.in(1s), Lane::compute, count());
  tasks.while_open(ground.in(1s), Lane::compute, [&] { ++while_open; });
  ground.runtime.tasks.close();
  ground.run_for(2s);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(while_open, 0);
}

TEST_F(TasksTest, while_open_task_runs_in_an_open_cache_and_not_after_it) {
  tasks.while_open(ground.in(1s), Lane::compute, count());
  ground.run_for(2s);
  EXPECT_EQ(runs, 1);
  tasks.while_open(ground.in(1s), Lane::compute, count());
  EXPECT_FALSE(leave());
  ground.run_for(2s);
  EXPECT_EQ(runs, 1);
}

TEST_F(TasksTest, cancelled_timer_does_not_run_and_lets_the_cache_go) {
  tasks.cancel(tasks.at(ground.in(1s), Lane::compute, count()));
  EXPECT_FALSE(leave());
  ground.run_for(2s);
  EXPECT_EQ(runs, 0);
}

TEST_F(TasksTest, kept_function_holds_the_cache_as_long_as_it_is_held) {
  auto kept = std::make_unique<std::function<int(int)>>(tasks.kept([](int n) { return n + 1; }));
  const std::weak_ptr<int> cache = ground.owner;
  EXPECT_TRUE(leave());
  EXPECT_EQ((*kept)(1), 2);
  EXPECT_FALSE(cache.expired()) << "a call does not let go of it";
  kept.reset();
  EXPECT_TRUE(cache.expired());
}

TEST_F(TasksTest, if_alive_function_of_a_cache_that_has_gone_gives_a_default_value) {
  const auto plus_one = tasks.if_alive([](int n) { return n + 1; });
  const auto name = tasks.if_alive([] { return std::string("cache"); });
  const auto run = tasks.if_alive([this] { ++runs; });
  EXPECT_EQ(plus_one(1), 2);
  EXPECT_EQ(name(), "cache");
  run();
  EXPECT_FALSE(leave());
  EXPECT_EQ(plus_one(1), 0);
  EXPECT_EQ(name(), "");
  run();
  EXPECT_EQ(runs, 1);
}

// The last owner may leave on another thread while the function is at work in the cache.
TEST_F(TasksTest, if_alive_function_keeps_the_cache_while_it_runs) {
  bool there = false;
  const std::weak_ptr<int> cache = ground.owner;
  tasks.if_alive([&] {
    ground.owner.reset();
    there = !cache.expired();
  })();
  EXPECT_TRUE(there);
  EXPECT_TRUE(cache.expired());
}

TEST_F(TasksTest, keep_of_a_cache_that_has_gone_is_nothing) {
  EXPECT_NE(tasks.keep(), nullptr);
  leave();
  EXPECT_EQ(tasks.keep(), nullptr);
}

}  // namespace
}  // namespace tiercache::detail
