// Waiting until other tasks have brought something about.
#include "cache/runtime/signal.h"

#include <gtest/gtest.h>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class SignalTest : public ::testing::Test {
 protected:
  Ground ground;
  Signal& changed = ground.runtime.changed;
  bool done = false;
};

TEST_F(SignalTest, wait_ends_when_a_task_has_brought_the_condition_about) {
  ground.runtime.tasks.later(ground.in(1s), Lane::compute, [&] {
    done = true;
    changed.notify();
  });
  const SteadyTime began = ground.clock->steady_now();
  EXPECT_TRUE(changed.wait(ground.in(1min), [&] { return done; }));
  EXPECT_EQ(ground.clock->steady_now() - began, 1s);
}

TEST_F(SignalTest, wait_goes_on_when_what_changed_is_something_else) {
  int looks = 0;
  ground.runtime.tasks.later(ground.in(1s), Lane::compute, [&] { changed.notify(); });
  ground.runtime.tasks.later(ground.in(2s), Lane::compute, [&] {
    done = true;
    changed.notify();
  });
  EXPECT_TRUE(changed.wait(ground.in(1min), [&] {
    ++looks;
    return done;
  }));
  EXPECT_EQ(looks, 3);
}

TEST_F(SignalTest, wait_whose_deadline_passes_looks_once_more_I7) {
  const SteadyTime until = ground.in(1s);
  EXPECT_FALSE(changed.wait(until, [] { return false; }));
  EXPECT_EQ(ground.clock->steady_now(), until);
  EXPECT_TRUE(changed.wait(ground.in(1s), [&, first = true]() mutable {
    return !std::exchange(first, false);
  })) << "it came true without anybody's telling";
}

TEST_F(SignalTest, every_waiter_hears_of_one_change) {
  int ended = 0;
  for (int i = 0; i < 3; ++i) {
    ground.executor->post(Lane::compute, [&] {
      if (changed.wait(ground.in(1min), [&] { return done; })) ++ended;
    });
  }
  ground.runtime.tasks.later(ground.in(1s), Lane::compute, [&] {
    done = true;
    changed.notify();
  });
  ground.run_for(2s);
  EXPECT_EQ(ended, 3);
}

}  // namespace
}  // namespace tiercache::detail
