#include "refresh/scheduler.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "engine/refresh/executors.h"
#include "tiercache/testing/manual_clock.h"
#include "tiercache/testing/seeded_executor.h"

namespace tiercache {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using testing::ManualClock;
using testing::SeededExecutor;

const EntryId kEuro{"prices", "eur"};
constexpr WallTime kWallNow{1'700'000'000'000ms};

TEST(DueAt, table) {
  struct Row {
    const char* what;
    Schedule schedule;
    std::optional<WallTime> last;
    double spread;
    WallTime due;
  };
  const Row rows[] = {
      {"never", {0ms, 0ms}, kWallNow, 0.5, WallTime::max()},
      {"never, though nothing was fetched", {0ms, 0ms}, {}, 0.5, WallTime::max()},
      {"never for a negative interval", {-5ms, 0ms}, kWallNow, 0.5, WallTime::max()},
      {"at once without a last fetch", {1h, 0ms}, {}, 0.5, kWallNow},
      {"by the last fetch", {1h, 0ms}, kWallNow - 20min, 0.5, kWallNow + 40min},
      {"overdue by when it was due", {1h, 0ms}, kWallNow - 2h, 0.5, kWallNow - 1h},
      {"a minute ahead is believed", {1h, 0ms}, kWallNow + 1min, 0.5, kWallNow + 61min},
      {"more is not", {1h, 0ms}, kWallNow + 1min + 1ms, 0.5, kWallNow},
      {"earliest jitter", {1h, 5min}, kWallNow, 0.0, kWallNow + 55min},
      {"no jitter", {1h, 5min}, kWallNow, 0.5, kWallNow + 1h},
      {"latest jitter", {1h, 5min}, kWallNow, 1.0, kWallNow + 65min},
      {"jitter does not reach before the last fetch", {1h, 2h}, kWallNow, 0.0, kWallNow},
      {"spread out of range is held", {1h, 5min}, kWallNow, 7.0, kWallNow + 65min},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(due_at(row.schedule, row.last, kWallNow, row.spread), row.due) << row.what;
  }
}

TEST(DueAt, extremes_do_not_overflow) {
  const Schedule longest{milliseconds::max(), milliseconds::max()};
  EXPECT_GT(due_at(longest, kWallNow, kWallNow, 1.0), kWallNow + 24h * 365);
  EXPECT_LT(due_at({1h, 0ms}, WallTime::min(), kWallNow, 0.5), kWallNow);
  EXPECT_EQ(due_at({1h, 0ms}, WallTime::max(), kWallNow, 0.5), kWallNow);
}

class SchedulerTest : public ::testing::Test {
 protected:
  struct Turn {
    std::string key;
    Cadence cadence;
    WallTime at;
    milliseconds lateness;
  };

  Scheduler::Due record() {
    return [this](const EntryId& id, Cadence cadence, milliseconds lateness) {
      turns_.push_back({id.key, cadence, clock_->wall_now(), lateness});
    };
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(kWallNow);
  SeededExecutor executor_{clock_, 1};
  std::vector<Turn> turns_;
  Scheduler scheduler_{executor_, *clock_, record(), 1};
};

TEST_F(SchedulerTest, turn_starts_once_when_it_is_due) {
  scheduler_.arm(kEuro, Cadence::normal, {1h, 0ms}, kWallNow - 20min);
  EXPECT_EQ(scheduler_.next(kEuro, Cadence::normal), kWallNow + 40min);
  executor_.run_for(40min - 1ms);
  EXPECT_TRUE(turns_.empty());
  executor_.run_for(1ms);
  ASSERT_EQ(turns_.size(), 1u);
  EXPECT_EQ(turns_[0].lateness, 0ms);
  EXPECT_FALSE(scheduler_.next(kEuro, Cadence::normal));
  executor_.run_for(5h);
  EXPECT_EQ(turns_.size(), 1u);
}

TEST_F(SchedulerTest, restart_neither_skips_nor_doubles_a_turn) {
  const WallTime last = kWallNow;
  executor_.run_for(50min);
  {
    Scheduler again(executor_, *clock_, record(), 2);
    again.arm(kEuro, Cadence::normal, {1h, 0ms}, last);
    executor_.run_for(5min);
  }
  executor_.run_for(30min);
  EXPECT_TRUE(turns_.empty());
  Scheduler third(executor_, *clock_, record(), 3);
  third.arm(kEuro, Cadence::normal, {1h, 0ms}, last);
  executor_.run_for(1ms);
  ASSERT_EQ(turns_.size(), 1u);
  EXPECT_EQ(turns_[0].lateness, 25min);
}

TEST_F(SchedulerTest, arming_again_replaces_the_turn) {
  scheduler_.arm(kEuro, Cadence::normal, {1h, 0ms}, kWallNow);
  scheduler_.arm(kEuro, Cadence::normal, {2h, 0ms}, kWallNow);
  EXPECT_EQ(scheduler_.armed(), 1u);
  executor_.run_for(2h - 1ms);
  EXPECT_TRUE(turns_.empty());
  scheduler_.arm_at(kEuro, Cadence::normal, kWallNow + 3h);
  executor_.run_for(1h);
  EXPECT_TRUE(turns_.empty());
  scheduler_.arm(kEuro, Cadence::normal, {0ms, 0ms}, kWallNow);
  EXPECT_EQ(scheduler_.armed(), 0u);
}

TEST_F(SchedulerTest, cadences_of_a_key_have_a_turn_each) {
  scheduler_.arm(kEuro, Cadence::normal, {1h, 0ms}, kWallNow);
  scheduler_.arm(kEuro, Cadence::rich, {2h, 0ms}, kWallNow);
  executor_.run_for(3h);
  ASSERT_EQ(turns_.size(), 2u);
  EXPECT_EQ(turns_[0].cadence, Cadence::normal);
  EXPECT_EQ(turns_[1].cadence, Cadence::rich);
  scheduler_.arm(kEuro, Cadence::normal, {1h, 0ms}, {});
  scheduler_.arm(kEuro, Cadence::rich, {1h, 0ms}, {});
  scheduler_.disarm(kEuro);
  executor_.run_for(1h);
  EXPECT_EQ(turns_.size(), 2u);
}

TEST_F(SchedulerTest, an_earlier_turn_overtakes_the_timer_of_a_later_one) {
  scheduler_.arm_at({"d", "late"}, Cadence::normal, kWallNow + 30s);
  scheduler_.arm_at({"d", "early"}, Cadence::normal, kWallNow + 10s);
  executor_.run_for(10s);
  ASSERT_EQ(turns_.size(), 1u);
  EXPECT_EQ(turns_[0].key, "early");
  EXPECT_EQ(turns_[0].lateness, 0ms);
}

TEST_F(SchedulerTest, any_number_of_turns_takes_one_timer_I8) {
  for (int i = 0; i < 1000; ++i) {
    scheduler_.arm({"d", std::to_string(i)}, Cadence::normal, {1h, 10min}, kWallNow);
    EXPECT_EQ(executor_.pending(), 1u);
  }
  for (int i = 0; i < 1000; ++i) scheduler_.disarm({"d", std::to_string(i)});
  executor_.run_for(1min);
  EXPECT_EQ(executor_.pending(), 0u);
}

TEST_F(SchedulerTest, many_due_at_once_leave_room_for_other_work) {
  for (int i = 0; i < 1000; ++i) {
    scheduler_.arm({"d", std::to_string(i)}, Cadence::normal, {1h, 0ms}, {});
  }
  std::size_t most_in_one_task = 0;
  std::size_t before = 0;
  while (executor_.step()) {
    most_in_one_task = std::max(most_in_one_task, turns_.size() - before);
    before = turns_.size();
  }
  EXPECT_EQ(turns_.size(), 1000u);
  EXPECT_EQ(most_in_one_task, 64u);
}

TEST_F(SchedulerTest, jump_ahead_of_the_time_of_day_is_noticed_within_a_minute) {
  scheduler_.arm(kEuro, Cadence::normal, {10h, 0ms}, kWallNow);
  executor_.run_for(1h);
  clock_->set_wall(kWallNow + 24h);
  executor_.run_for(1min);
  ASSERT_EQ(turns_.size(), 1u);
  EXPECT_GE(turns_[0].lateness, 14h);
  EXPECT_LE(turns_[0].lateness, 14h + 1min);
}

TEST_F(SchedulerTest, jump_back_makes_turns_due_whose_last_fetch_is_now_ahead) {
  scheduler_.arm({"d", "ahead"}, Cadence::normal, {10h, 0ms}, kWallNow);
  scheduler_.arm({"d", "behind"}, Cadence::normal, {100h, 0ms}, kWallNow - 50h);
  scheduler_.arm_at({"d", "retry"}, Cadence::normal, kWallNow + 1h);
  executor_.run_for(5min);
  clock_->set_wall(kWallNow - 24h);
  executor_.run_for(1min);
  ASSERT_EQ(turns_.size(), 2u);
  EXPECT_EQ(turns_[0].key, "ahead");
  EXPECT_EQ(turns_[1].key, "retry");
  EXPECT_EQ(scheduler_.next({"d", "behind"}, Cadence::normal), kWallNow + 50h);
  executor_.run_for(100h);
  EXPECT_EQ(turns_.size(), 3u) << "none has a second turn at its old time";
}

TEST_F(SchedulerTest, jump_back_of_a_few_minutes_is_noticed) {
  scheduler_.arm(kEuro, Cadence::normal, {10h, 0ms}, kWallNow);
  clock_->set_wall(kWallNow - 150s);
  executor_.run_for(1min);
  EXPECT_EQ(turns_.size(), 1u);
}

TEST_F(SchedulerTest, jump_back_leaves_alone_what_is_ahead_by_a_minute) {
  scheduler_.arm(kEuro, Cadence::normal, {10h, 0ms}, kWallNow);
  executor_.run_for(1h);
  clock_->set_wall(kWallNow - 1min);
  scheduler_.arm_at({"d", "other"}, Cadence::normal, kWallNow + 1000h);
  EXPECT_EQ(scheduler_.next(kEuro, Cadence::normal), kWallNow + 10h);
}

TEST_F(SchedulerTest, turn_made_due_by_a_jump_back_stays_due_after_a_jump_ahead) {
  const EntryId other{"d", "other"};
  scheduler_.arm(kEuro, Cadence::normal, {10h, 0ms}, kWallNow);
  clock_->set_wall(kWallNow - 24h);
  scheduler_.arm_at(other, Cadence::normal, kWallNow + 1000h);
  EXPECT_EQ(scheduler_.next(kEuro, Cadence::normal), kWallNow - 24h);
  clock_->set_wall(kWallNow - 22h);
  scheduler_.arm_at(other, Cadence::normal, kWallNow + 1000h);
  EXPECT_EQ(scheduler_.next(kEuro, Cadence::normal), kWallNow - 24h);
}

TEST_F(SchedulerTest, jump_ahead_and_back_again_leaves_no_turn_behind) {
  scheduler_.arm_at({"d", "other"}, Cadence::normal, kWallNow + 1000h);
  clock_->set_wall(kWallNow + 48h);
  scheduler_.arm(kEuro, Cadence::normal, {1h, 0ms}, kWallNow + 48h);
  clock_->set_wall(kWallNow);
  executor_.run_for(1min);
  ASSERT_EQ(turns_.size(), 1u);
  EXPECT_EQ(turns_[0].key, kEuro.key);
}

TEST_F(SchedulerTest, small_step_back_moves_nothing) {
  scheduler_.arm(kEuro, Cadence::normal, {10h, 0ms}, kWallNow);
  clock_->set_wall(kWallNow - 59s);
  executor_.run_for(10min);
  EXPECT_TRUE(turns_.empty());
}

TEST_F(SchedulerTest, time_out_of_range_is_due_at_once) {
  scheduler_.arm_at(kEuro, Cadence::normal, WallTime::min());
  scheduler_.arm({"d", "a"}, Cadence::normal, {1h, 0ms}, WallTime::min());
  scheduler_.arm_at({"d", "b"}, Cadence::normal, WallTime::max());
  executor_.run_ready();
  EXPECT_EQ(turns_.size(), 2u);
  EXPECT_EQ(scheduler_.armed(), 1u);
}

TEST_F(SchedulerTest, nothing_starts_after_stop) {
  scheduler_.arm(kEuro, Cadence::normal, {1h, 0ms}, {});
  scheduler_.stop();
  EXPECT_EQ(executor_.pending(), 0u);
  scheduler_.arm({"d", "later"}, Cadence::normal, {1h, 0ms}, {});
  scheduler_.arm_at({"d", "later"}, Cadence::normal, kWallNow);
  executor_.run_for(2h);
  EXPECT_TRUE(turns_.empty());
  EXPECT_EQ(scheduler_.armed(), 0u);
  EXPECT_EQ(executor_.pending(), 0u);
}

// --- The one timer ---

TEST(SchedulerTimer, is_set_anew_for_an_earlier_turn_alone) {
  const auto clock = std::make_shared<ManualClock>(kWallNow);
  SeededExecutor seeded(clock, 1);
  test::PassingExecutor executor(seeded);
  Scheduler scheduler(
      executor, *clock, [](const EntryId&, Cadence, milliseconds) {}, 1);
  scheduler.arm_at({"d", "a"}, Cadence::normal, kWallNow + 10s);
  scheduler.arm_at({"d", "b"}, Cadence::normal, kWallNow + 10s);
  scheduler.arm_at({"d", "c"}, Cadence::normal, kWallNow + 20s);
  EXPECT_EQ(executor.scheduled, 1);
  scheduler.arm_at({"d", "early"}, Cadence::normal, kWallNow + 5s);
  EXPECT_EQ(executor.scheduled, 2);
  EXPECT_EQ(seeded.pending(), 1u) << "the timer for 10 s was taken back";
  scheduler.stop();
  const int calls = executor.calls();
  scheduler.stop();
  EXPECT_EQ(executor.calls(), calls) << "the executor may be gone by then";
}

TEST_F(SchedulerTest, timer_is_set_for_the_next_turn_after_the_last_one_was_given_up) {
  scheduler_.arm_at(kEuro, Cadence::normal, kWallNow + 10s);
  scheduler_.arm(kEuro, Cadence::normal, {0ms, 0ms}, kWallNow);
  EXPECT_EQ(executor_.pending(), 0u);
  scheduler_.arm_at(kEuro, Cadence::normal, kWallNow + 20s);
  executor_.run_for(20s);
  EXPECT_EQ(turns_.size(), 1u);
}

TEST(SchedulerTimer, that_comes_although_it_was_taken_back_sets_no_other) {
  const auto clock = std::make_shared<ManualClock>(kWallNow);
  SeededExecutor seeded(clock, 1);
  test::NothingTakenBack executor(seeded);
  int turns = 0;
  Scheduler scheduler(
      executor, *clock, [&](const EntryId&, Cadence, milliseconds) { ++turns; }, 1);
  scheduler.arm_at({"d", "late"}, Cadence::normal, kWallNow + 30s);
  scheduler.arm_at({"d", "early"}, Cadence::normal, kWallNow + 10s);
  scheduler.arm_at({"d", "last"}, Cadence::normal, kWallNow + 50s);
  seeded.run_for(40s);
  EXPECT_EQ(turns, 2);
  EXPECT_EQ(executor.scheduled, 4) << "for late, early, late again and last";
}

// Which may be gone by then.
TEST(SchedulerTimer, that_comes_after_stop_does_not_read_the_clock) {
  class CountedClock final : public Clock {
   public:
    WallTime wall_now() const override { return ++reads, kWallNow; }
    SteadyTime steady_now() const override { return ++reads, SteadyTime{}; }
    SteadyTime coarse_now() const override { return ++reads, SteadyTime{}; }
    mutable int reads = 0;
  };
  const auto time = std::make_shared<ManualClock>(kWallNow);
  SeededExecutor seeded(time, 1);
  test::NothingTakenBack executor(seeded);
  CountedClock clock;
  Scheduler scheduler(
      executor, clock, [](const EntryId&, Cadence, milliseconds) {}, 1);
  scheduler.arm_at(kEuro, Cadence::normal, kWallNow);
  scheduler.stop();
  const int reads = clock.reads;
  seeded.run_for(1min);
  EXPECT_EQ(clock.reads, reads);
}

// --- Turns that do something ---

TEST(Scheduler, stop_inside_a_turn_ends_the_batch) {
  const auto clock = std::make_shared<ManualClock>(kWallNow);
  SeededExecutor executor(clock, 1);
  int turns = 0;
  Scheduler* self = nullptr;
  Scheduler scheduler(
      executor, *clock,
      [&](const EntryId&, Cadence, milliseconds) {
        ++turns;
        self->stop();
      },
      1);
  self = &scheduler;
  for (const char* key : {"a", "b", "c"}) scheduler.arm({"d", key}, Cadence::normal, {1h, 0ms}, {});
  executor.run_ready();
  EXPECT_EQ(turns, 1);
}

TEST(Scheduler, turn_that_throws_or_arms_again_does_not_end_the_others) {
  const auto clock = std::make_shared<ManualClock>(kWallNow);
  SeededExecutor executor(clock, 1);
  int turns = 0;
  Scheduler* self = nullptr;
  Scheduler scheduler(
      executor, *clock,
      [&](const EntryId& id, Cadence cadence, milliseconds) {
        ++turns;
        self->arm(id, cadence, {1min, 0ms}, clock->wall_now());
        throw std::runtime_error("not for the executor");
      },
      1);
  self = &scheduler;
  scheduler.arm({"d", "a"}, Cadence::normal, {1min, 0ms}, {});
  scheduler.arm({"d", "b"}, Cadence::normal, {1min, 0ms}, {});
  executor.run_for(10min);
  EXPECT_EQ(turns, 22);
}

// Against a plain model: every armed turn starts exactly once, not early, at most a minute late,
// whatever is armed, disarmed and however time passes.
TEST(Scheduler, random_use_agrees_with_a_model) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto clock = std::make_shared<ManualClock>(kWallNow);
    SeededExecutor executor(clock, seed);
    Random random(seed);
    std::map<std::string, WallTime> model;
    Scheduler scheduler(
        executor, *clock,
        [&](const EntryId& id, Cadence, milliseconds lateness) {
          ASSERT_TRUE(model.contains(id.key)) << "seed " << seed;
          EXPECT_EQ(model[id.key] + lateness, clock->wall_now()) << "seed " << seed;
          EXPECT_EQ(lateness, 0ms) << "seed " << seed;
          model.erase(id.key);
        },
        seed);
    for (int step = 0; step < 300; ++step) {
      const EntryId id{"d", std::to_string(random.below(10))};
      const WallTime when = clock->wall_now() + milliseconds(random.below(300'000));
      switch (random.below(4)) {
        case 0:
        case 1:
          scheduler.arm_at(id, Cadence::normal, when);
          model[id.key] = when;
          break;
        case 2:
          scheduler.disarm(id);
          model.erase(id.key);
          break;
        default:
          executor.run_for(milliseconds(random.below(100'000)));
      }
      ASSERT_EQ(scheduler.armed(), model.size()) << "seed " << seed;
    }
    executor.run_for(10min);
    EXPECT_TRUE(model.empty()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tiercache
