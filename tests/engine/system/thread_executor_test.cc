#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "tiercache/clock.h"
#include "tiercache/executor.h"

namespace tiercache {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

SteadyTime from_now(std::chrono::nanoseconds delay) {
  return std::chrono::steady_clock::now() + delay;
}

// Long enough for a loaded machine: reached only by a test that fails.
SteadyTime patience() {
  return from_now(std::chrono::seconds(60));
}

// Runs `probe` when the last copy of the task that holds it goes.
struct OnDestruction {
  explicit OnDestruction(std::function<void()> probe_to_run) : probe(std::move(probe_to_run)) {}
  OnDestruction(const OnDestruction&) = delete;
  OnDestruction& operator=(const OnDestruction&) = delete;
  ~OnDestruction() { probe(); }
  std::function<void()> probe;
};

// Tasks that block until told to go on.
class Gate {
 public:
  explicit Gate(Executor& executor)
      : entered_(executor.make_event()), open_(executor.make_event()) {}
  void pass() {
    entered_->set();
    EXPECT_TRUE(open_->wait_until(patience()));
  }
  bool wait_entered() { return entered_->wait_until(patience()); }
  void open() { open_->set(); }

 private:
  std::shared_ptr<Event> entered_;
  std::shared_ptr<Event> open_;
};

TEST(SystemClock, coarse_reading_is_never_ahead_of_exact_one) {
  const auto clock = system_clock();
  SteadyTime before = clock->steady_now();
  for (int i = 0; i < 10'000; ++i) {
    const SteadyTime coarse = clock->coarse_now();
    const SteadyTime exact = clock->steady_now();
    ASSERT_LE(coarse, exact);
    ASSERT_LE(before, exact);
    before = exact;
  }
}

TEST(SystemClock, monotonic_time_is_that_of_deadlines) {
  const SteadyTime before = std::chrono::steady_clock::now();
  const SteadyTime read = system_clock()->steady_now();
  EXPECT_LE(before, read);
  EXPECT_LE(read, SteadyTime(std::chrono::steady_clock::now()));
}

TEST(SystemClock, wall_time_lies_between_two_readings_of_the_system) {
  const auto before = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  const WallTime read = system_clock()->wall_now();
  EXPECT_LE(before, read);
  EXPECT_LE(read, std::chrono::ceil<milliseconds>(std::chrono::system_clock::now()));
}

TEST(ThreadExecutor, task_posted_by_a_task_of_the_same_lane_runs_after_it) {
  const auto executor = thread_executor();
  const auto done = executor->make_event();
  bool outer_ended = false;
  bool ended_before_inner = false;
  executor->post(Lane::compute, [&] {
    executor->post(Lane::compute, [&] {
      ended_before_inner = outer_ended;
      done->set();
    });
    outer_ended = true;
  });
  ASSERT_TRUE(done->wait_until(patience()));
  EXPECT_TRUE(ended_before_inner);
}

TEST(ThreadExecutor, lane_of_one_thread_keeps_the_order) {
  const auto executor = thread_executor();
  const auto done = executor->make_event();
  std::vector<int> order;
  for (int i = 0; i < 1'000; ++i) {
    executor->post(Lane::disk, [&order, i] { order.push_back(i); });
  }
  executor->post(Lane::disk, [&] { done->set(); });
  ASSERT_TRUE(done->wait_until(patience()));
  ASSERT_EQ(order.size(), 1'000u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(ThreadExecutor, lane_uses_all_its_threads_and_no_more) {
  const auto executor = thread_executor({.callback = 3});
  std::vector<std::unique_ptr<Gate>> gates;
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  for (int i = 0; i < 9; ++i) {
    gates.push_back(std::make_unique<Gate>(*executor));
    executor->post(Lane::callback, [&running, &most, gate = gates.back().get()] {
      const int now = ++running;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      gate->pass();
      --running;
    });
  }
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(gates[i]->wait_entered());
  for (const auto& gate : gates) gate->open();
  for (const auto& gate : gates) ASSERT_TRUE(gate->wait_entered());
  EXPECT_EQ(executor->shutdown(patience()), 0);
  EXPECT_EQ(most, 3);
}

TEST(ThreadExecutor, hung_callbacks_leave_other_lanes_working_I6) {
  const auto executor = thread_executor({.callback = 2});
  Gate hang(*executor);
  for (int i = 0; i < 5; ++i) executor->post(Lane::callback, [&] { hang.pass(); });
  ASSERT_TRUE(hang.wait_entered());
  for (const Lane lane : {Lane::compute, Lane::disk, Lane::store}) {
    const auto done = executor->make_event();
    executor->post(lane, [&] { done->set(); });
    EXPECT_TRUE(done->wait_until(patience()));
  }
  hang.open();
  executor->shutdown(patience());
}

TEST(ThreadExecutor, host_signals_are_blocked_on_its_threads) {
  const auto executor = thread_executor();
  const auto done = executor->make_event();
  sigset_t mask;
  executor->post(Lane::compute, [&] {
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    done->set();
  });
  ASSERT_TRUE(done->wait_until(patience()));
  EXPECT_EQ(::sigismember(&mask, SIGTERM), 1);
  EXPECT_EQ(::sigismember(&mask, SIGSEGV), 0);
  sigset_t ours;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &ours);
  EXPECT_EQ(::sigismember(&ours, SIGTERM), 0);
}

TEST(ThreadExecutor, timer_in_the_past_runs_at_once_but_not_inside_the_call) {
  const auto executor = thread_executor();
  const auto done = executor->make_event();
  std::thread::id ran_on;
  EXPECT_NE(executor->schedule(SteadyTime{}, Lane::compute,
                               [&] {
                                 ran_on = std::this_thread::get_id();
                                 done->set();
                               }),
            0u);
  ASSERT_TRUE(done->wait_until(patience()));
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST(ThreadExecutor, near_timer_is_not_held_up_by_a_far_one_before_it) {
  const auto executor = thread_executor();
  const auto done = executor->make_event();
  std::atomic<bool> far_ran{false};
  const auto far = executor->schedule(from_now(hours(1)), Lane::compute, [&] { far_ran = true; });
  const SteadyTime when = from_now(milliseconds(2));
  SteadyTime ran_at{};
  executor->schedule(when, Lane::compute, [&] {
    ran_at = std::chrono::steady_clock::now();
    done->set();
  });
  ASSERT_TRUE(done->wait_until(patience()));
  EXPECT_GE(ran_at, when);
  EXPECT_TRUE(executor->cancel(far));
  EXPECT_FALSE(far_ran);
}

TEST(ThreadExecutor, cancelled_timer_never_runs_and_cancels_once) {
  const auto executor = thread_executor();
  bool ran = false;
  const auto timer = executor->schedule(from_now(hours(1)), Lane::compute, [&] { ran = true; });
  EXPECT_TRUE(executor->cancel(timer));
  EXPECT_FALSE(executor->cancel(timer));
  EXPECT_FALSE(executor->cancel(0));
  executor->shutdown(patience());
  EXPECT_FALSE(ran);
}

TEST(ThreadExecutor, timer_that_has_run_cannot_be_cancelled) {
  const auto executor = thread_executor();
  const auto done = executor->make_event();
  const auto timer = executor->schedule(SteadyTime{}, Lane::compute, [&] { done->set(); });
  ASSERT_TRUE(done->wait_until(patience()));
  EXPECT_FALSE(executor->cancel(timer));
}

TEST(ThreadExecutor, due_timer_queued_behind_a_busy_lane_can_still_be_cancelled) {
  const auto executor = thread_executor();
  Gate busy(*executor);
  executor->post(Lane::compute, [&] { busy.pass(); });
  ASSERT_TRUE(busy.wait_entered());
  bool ran = false;
  const auto timer = executor->schedule(SteadyTime{}, Lane::compute, [&] { ran = true; });
  EXPECT_TRUE(executor->cancel(timer));
  busy.open();
  const auto done = executor->make_event();
  executor->post(Lane::compute, [&] { done->set(); });
  ASSERT_TRUE(done->wait_until(patience()));
  EXPECT_FALSE(ran);
}

TEST(ThreadExecutor, every_timer_either_runs_or_is_cancelled_under_contention) {
  const auto executor = thread_executor({.compute = 2});
  constexpr int kThreads = 4;
  constexpr int kEach = 2'000;
  std::atomic<int> ran{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> posted_ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const auto delay = std::chrono::microseconds((i * 7 + t) % 300);
        const auto timer = executor->schedule(from_now(delay), Lane::compute, [&] { ++ran; });
        executor->post(Lane::store, [&] { ++posted_ran; });
        if (i % 2 == 0 && executor->cancel(timer)) ++cancelled;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (ran + cancelled < kThreads * kEach || posted_ran < kThreads * kEach) {
    std::this_thread::yield();
  }
  executor->shutdown(patience());
  EXPECT_EQ(ran + cancelled, kThreads * kEach);
  EXPECT_EQ(posted_ran, kThreads * kEach);
}

TEST(ThreadExecutor, shutdown_drops_queued_work_and_waits_for_running_work) {
  const auto executor = thread_executor();
  Gate busy(*executor);
  std::atomic<bool> ended{false};
  bool queued_ran = false;
  executor->post(Lane::disk, [&] {
    busy.pass();
    ended = true;
  });
  ASSERT_TRUE(busy.wait_entered());
  auto open_when_dropped = std::make_shared<OnDestruction>([&] { busy.open(); });
  executor->post(Lane::disk, [&queued_ran, open_when_dropped] { queued_ran = true; });
  executor->schedule(from_now(hours(1)), Lane::disk, [&] { queued_ran = true; });
  open_when_dropped.reset();
  EXPECT_EQ(executor->shutdown(patience()), 0);
  EXPECT_TRUE(ended);
  EXPECT_FALSE(queued_ran);
}

TEST(ThreadExecutor, shutdown_past_its_deadline_counts_what_runs_and_leaves_it_I7) {
  auto executor = thread_executor();
  const auto ended = executor->make_event();
  const auto hang = std::make_shared<Gate>(*executor);
  executor->post(Lane::callback, [hang, ended] {
    hang->pass();
    ended->set();
  });
  ASSERT_TRUE(hang->wait_entered());
  EXPECT_EQ(executor->shutdown(from_now(milliseconds(1))), 1);
  EXPECT_EQ(executor->shutdown(SteadyTime{}), 1);
  executor.reset();
  hang->open();
  EXPECT_TRUE(ended->wait_until(patience()));
}

TEST(ThreadExecutor, work_given_after_shutdown_is_dropped) {
  const auto executor = thread_executor();
  executor->shutdown(patience());
  bool ran = false;
  int destroyed = 0;
  auto posted = std::make_shared<OnDestruction>([&] { ++destroyed; });
  auto scheduled = std::make_shared<OnDestruction>([&] { ++destroyed; });
  executor->post(Lane::compute, [&ran, posted] { ran = true; });
  const auto timer =
      executor->schedule(SteadyTime{}, Lane::compute, [&ran, scheduled] { ran = true; });
  EXPECT_FALSE(executor->cancel(timer));
  posted.reset();
  scheduled.reset();
  EXPECT_EQ(destroyed, 2);
  EXPECT_EQ(executor->shutdown(patience()), 0);
  EXPECT_FALSE(ran);
}

TEST(ThreadExecutor, dropped_task_may_use_the_executor_while_it_is_destroyed) {
  const auto executor = thread_executor();
  Gate busy(*executor);
  executor->post(Lane::compute, [&] { busy.pass(); });
  ASSERT_TRUE(busy.wait_entered());
  std::atomic<int> destroyed{0};
  auto use_it = [&] {
    executor->post(Lane::compute, [] {});
    executor->cancel(executor->schedule(SteadyTime{}, Lane::disk, [] {}));
    ++destroyed;
  };
  auto queued = std::make_shared<OnDestruction>(use_it);
  auto timed = std::make_shared<OnDestruction>(use_it);
  executor->post(Lane::compute, [queued] {});
  executor->schedule(from_now(hours(1)), Lane::compute, [timed] {});
  queued.reset();
  timed.reset();
  EXPECT_EQ(executor->shutdown(SteadyTime{}), 1);
  EXPECT_EQ(destroyed, 2);
  busy.open();
  EXPECT_EQ(executor->shutdown(patience()), 0);
}

TEST(ThreadExecutor, last_reference_may_be_dropped_by_one_of_its_own_tasks) {
  for (const Lane lane : {Lane::compute, Lane::disk, Lane::store, Lane::callback}) {
    auto executor = thread_executor();
    const auto done = executor->make_event();
    const auto may_go = executor->make_event();
    executor->schedule(SteadyTime{}, lane, [held = executor, may_go, done]() mutable {
      EXPECT_TRUE(may_go->wait_until(patience()));
      held.reset();
      done->set();
    });
    executor.reset();
    may_go->set();
    EXPECT_TRUE(done->wait_until(patience()));
  }
}

TEST(ThreadExecutor, last_reference_may_go_with_a_task_that_has_run) {
  auto executor = thread_executor();
  const auto gone = executor->make_event();
  const auto may_end = executor->make_event();
  auto probe = std::make_shared<OnDestruction>([gone] { gone->set(); });
  executor->post(Lane::callback, [held = executor, may_end, probe] {
    EXPECT_TRUE(may_end->wait_until(patience()));
  });
  probe.reset();
  executor.reset();
  may_end->set();
  EXPECT_TRUE(gone->wait_until(patience()));
}

TEST(ThreadExecutor, tasks_that_shut_down_do_not_wait_for_each_other) {
  const auto executor = thread_executor();
  const auto first = executor->make_event();
  const auto second = executor->make_event();
  Gate gate(*executor);
  executor->post(Lane::callback, [&] {
    gate.pass();
    EXPECT_GE(executor->shutdown(kNever), 1);
    first->set();
  });
  executor->post(Lane::callback, [&] {
    EXPECT_TRUE(gate.wait_entered());
    gate.open();
    EXPECT_GE(executor->shutdown(kNever), 1);
    second->set();
  });
  ASSERT_TRUE(first->wait_until(patience()));
  ASSERT_TRUE(second->wait_until(patience()));
  EXPECT_EQ(executor->shutdown(patience()), 0);
}

TEST(ThreadEvent, wait_ends_at_a_deadline_that_has_passed_I7) {
  const auto event = thread_executor()->make_event();
  EXPECT_FALSE(event->wait_until(SteadyTime{}));
  EXPECT_FALSE(event->wait_until(from_now(milliseconds(1))));
}

TEST(ThreadEvent, set_wakes_every_waiter_now_and_later) {
  const auto event = thread_executor()->make_event();
  std::atomic<int> woken{0};
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back([&] { woken += event->wait_until(kNever) ? 1 : 0; });
  }
  event->set();
  event->set();
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(woken, 4);
  EXPECT_TRUE(event->wait_until(SteadyTime{}));
}

}  // namespace
}  // namespace tiercache
