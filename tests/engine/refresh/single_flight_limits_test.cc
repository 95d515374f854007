// What happens when callbacks are slow, hang, or are too many.
#include <gtest/gtest.h>

#include "engine/refresh/executors.h"
#include "engine/refresh/flight_rig.h"
#include "refresh/single_flight.h"

namespace tiercache::test {
namespace {

using namespace std::chrono_literals;

// Runs so many flights that take a second each; returns how many callbacks there were at once.
int most_at_once(FlightRig& rig, int flights) {
  int running = 0;
  int most = 0;
  for (int key = 0; key < flights; ++key) {
    rig.run(std::to_string(key), [&](RefreshContext&) -> RefreshResult {
      most = std::max(most, ++running);
      rig.executor.sleep_for(1s);
      --running;
      return NotFound{};
    });
  }
  rig.executor.run_for(25s);
  return most;
}

TEST(SingleFlightLimits, concurrency_bounds_callbacks_of_all_keys) {
  FlightRig rig(3);
  EXPECT_EQ(most_at_once(rig, 20), 3);
  EXPECT_EQ(rig.applied, 20);
}

TEST(SingleFlightLimits, first_come_first_served) {
  FlightRig rig(1, 7);
  std::string order;
  for (const char* key : {"a", "b", "c", "d", "e"}) {
    rig.run(key, [&order, key](RefreshContext&) -> RefreshResult {
      order += key;
      return NotFound{};
    });
  }
  rig.executor.run_ready();
  EXPECT_EQ(order, "abcde");
}

TEST(SingleFlightLimits, hard_timeout_counts_from_when_the_callback_begins) {
  FlightRig rig(1);
  rig.run("first", rig.taking(20s));
  SteadyTime began;
  SteadyTime deadline;
  rig.run("second", [&](RefreshContext& context) -> RefreshResult {
    began = rig.clock->steady_now();
    deadline = context.hard_deadline();
    rig.executor.sleep_for(20s);
    return NotFound{};
  });
  rig.executor.run_for(1min);
  EXPECT_EQ(deadline, began + 30s);
  ASSERT_EQ(rig.results.size(), 2u);
  for (const auto& result : rig.results) EXPECT_EQ(result.status, Status::saved);
}

TEST(SingleFlightLimits, handlers_are_told_at_the_hard_timeout_I7) {
  FlightRig rig;
  bool cancelled_before = true;
  bool cancelled_after = false;
  rig.run("k", [&](RefreshContext& context) -> RefreshResult {
    rig.executor.sleep_for(29s);
    cancelled_before = context.cancelled();
    rig.executor.sleep_for(1h);
    cancelled_after = context.cancelled();
    return NotFound{};
  });
  rig.executor.schedule(rig.clock->steady_now() + 30s + 1ms, Lane::compute, [&] {
    ASSERT_EQ(rig.results.size(), 1u);
    EXPECT_EQ(rig.results[0].status, Status::failed);
    EXPECT_EQ(rig.flights->callbacks_running(), 1);
  });
  rig.executor.run_for(2h);
  EXPECT_FALSE(cancelled_before);
  EXPECT_TRUE(cancelled_after);
  EXPECT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.applied, 0) << "a late answer is ignored";
  EXPECT_EQ(rig.flights->counters().timed_out, 1u);
  EXPECT_EQ(rig.flights->counters().failed, 1u);
  EXPECT_EQ(rig.flights->callbacks_running(), 0);
}

TEST(SingleFlightLimits, key_of_a_hung_callback_is_throttled_until_it_returns_I5) {
  FlightRig rig;
  rig.run("k", rig.taking(2h));
  for (const auto reason : {RefreshReason::emergency, RefreshReason::asked}) {
    rig.executor.schedule(rig.clock->steady_now() + 1h, Lane::compute,
                          [&rig, reason] { rig.run("k", FlightRig::answer, reason); });
  }
  rig.executor.schedule(rig.clock->steady_now() + 1h + 1ms, Lane::compute, [&] {
    ASSERT_EQ(rig.results.size(), 3u);
    for (const int i : {1, 2}) {
      EXPECT_EQ(rig.results[i].status, Status::throttled);
      EXPECT_EQ(rig.results[i].why,
                "the callback of an earlier refresh has timed out and not returned");
    }
    EXPECT_TRUE(rig.flights->retry_at(FlightRig::id("k"))) << "or who asks for it would spin";
    EXPECT_TRUE(rig.flights->is_running(FlightRig::id("k")));
  });
  rig.executor.run_for(3h);
  EXPECT_FALSE(rig.flights->is_running(FlightRig::id("k")));
  rig.run("k", FlightRig::answer);
  rig.executor.run_ready();
  EXPECT_EQ(rig.results.back().status, Status::saved);
}

TEST(SingleFlightLimits, hung_callbacks_do_not_use_up_the_concurrency_I7) {
  FlightRig rig(2);
  for (int key = 0; key < 10; ++key) {
    rig.run("hung" + std::to_string(key), rig.flight(rig.taking(10h), 10s));
  }
  rig.run("good", rig.flight(FlightRig::answer, 10min));
  bool answered = false;
  rig.executor.schedule(rig.clock->steady_now() + 5min, Lane::compute,
                        [&] { answered = rig.applied == 1; });
  rig.executor.run_for(20h);
  EXPECT_TRUE(answered);
}

TEST(SingleFlightLimits, wait_in_line_ends_after_the_hard_timeout_I7) {
  FlightRig rig(1);
  rig.run("slow", rig.flight(rig.taking(10min), 1h));
  rig.run("k", rig.flight(FlightRig::answer, 5s));
  rig.executor.schedule(rig.clock->steady_now() + 5s + 1ms, Lane::compute, [&] {
    ASSERT_EQ(rig.results.size(), 1u);
    EXPECT_EQ(rig.results[0].status, Status::throttled);
    EXPECT_FALSE(rig.flights->is_running(FlightRig::id("k")));
    EXPECT_TRUE(rig.flights->retry_at(FlightRig::id("k")));
  });
  rig.executor.run_for(1h);
  ASSERT_EQ(rig.results.size(), 2u);
  EXPECT_EQ(rig.results[1].status, Status::saved);
  EXPECT_EQ(rig.flights->counters().started, 1u);
  EXPECT_EQ(rig.flights->counters().throttled, 1u);
}

TEST(SingleFlightLimits, full_line_throttles_what_comes_next_I8) {
  FlightRig rig(1, 1, 5);
  for (int key = 0; key < 20; ++key) rig.run(std::to_string(key), FlightRig::answer);
  rig.executor.run_ready();
  EXPECT_EQ(rig.results.size(), 20u);
  EXPECT_EQ(rig.applied, 5);
  EXPECT_EQ(rig.flights->counters().throttled, 15u);
  EXPECT_TRUE(rig.flights->retry_at(FlightRig::id("19")));
  for (const auto& result : rig.results) {
    if (result.status != Status::throttled) continue;
    EXPECT_EQ(result.why, "too many refreshes are waiting in line");
  }
}

TEST(SingleFlightLimits, key_that_is_asked_for_while_the_line_is_full_waits_no_longer_for_it) {
  FlightRig rig(1, 1, 0);
  rig.run("k", FlightRig::answer);
  const auto first = rig.flights->retry_at(FlightRig::id("k"));
  ASSERT_TRUE(first);
  for (int i = 0; i < 10; ++i) rig.run("k", FlightRig::answer, RefreshReason::asked);
  EXPECT_EQ(rig.flights->retry_at(FlightRig::id("k")), first);
}

TEST(SingleFlightLimits, one_flight_takes_one_task_of_the_callback_lane_I8) {
  FlightRig rig;
  PassingExecutor executor(rig.executor);
  rig.flights = std::make_unique<SingleFlight>(executor, *rig.clock, 8, 1);
  rig.run("k", FlightRig::answer);
  EXPECT_EQ(executor.posted, 1);
  rig.executor.run_ready();
}

TEST(SingleFlightLimits, thread_that_comes_once_the_line_is_empty_goes_away_again) {
  FlightRig rig;
  HeldCallbacks executor(rig.executor);
  rig.flights = std::make_unique<SingleFlight>(executor, *rig.clock, 1, 1);
  rig.run("k", rig.flight(FlightRig::answer, 5s));
  rig.executor.run_for(6s);
  executor.release();
  EXPECT_EQ(rig.flights->counters().started, 0u);
  rig.run("next", FlightRig::answer);
  EXPECT_EQ(executor.held(), 1u) << "the place is free again";
  executor.release();
  rig.executor.run_ready();
  EXPECT_EQ(rig.applied, 1);
}

TEST(SingleFlightLimits, what_waits_at_an_executor_without_threads_is_bounded_I8) {
  FlightRig rig;
  HeldCallbacks executor(rig.executor);
  rig.flights = std::make_unique<SingleFlight>(executor, *rig.clock, 2, 1);
  for (int round = 0; round < 50; ++round) {
    for (int key = 0; key < 10; ++key) {
      rig.run(std::to_string(round * 10 + key), rig.flight(FlightRig::answer, 5s));
    }
    rig.executor.run_for(6s);
  }
  EXPECT_EQ(rig.results.size(), 500u);
  for (const auto& result : rig.results) EXPECT_EQ(result.status, Status::throttled);
  EXPECT_LE(executor.held(), 2u);

  rig.run("last", FlightRig::answer);
  rig.run("last but one", FlightRig::answer);
  executor.release();
  rig.executor.run_ready();
  EXPECT_EQ(rig.applied, 2) << "the first thread to come back takes up the line";
}

// The timeout's task is on its way already when the callback begins, and when it answers.
TEST(SingleFlightLimits, timeout_that_comes_too_late_changes_nothing_I13) {
  FlightRig rig;
  NothingTakenBack executor(rig.executor);
  rig.flights = std::make_unique<SingleFlight>(executor, *rig.clock, 1, 1);
  rig.run("first", rig.flight(rig.taking(20s), 30s));
  rig.run("second", rig.flight(rig.taking(20s), 30s));
  rig.executor.run_for(1h);
  ASSERT_EQ(rig.results.size(), 2u);
  for (const auto& result : rig.results) EXPECT_EQ(result.status, Status::saved);
  EXPECT_EQ(rig.flights->counters().timed_out, 0u);
  EXPECT_EQ(rig.flights->counters().throttled, 0u);
  EXPECT_EQ(most_at_once(rig, 5), 1) << "the late timeouts freed places that nobody had left";
}

TEST(SingleFlightLimits, timeouts_out_of_range_are_held) {
  FlightRig rig;
  rig.run("longest", rig.flight(FlightRig::answer, milliseconds::max()));
  rig.run("shortest", rig.flight(FlightRig::answer, milliseconds::min()));
  rig.executor.run_for(1s);
  ASSERT_EQ(rig.results.size(), 2u);
  for (const auto& result : rig.results) EXPECT_EQ(result.status, Status::saved);
}

}  // namespace
}  // namespace tiercache::test
