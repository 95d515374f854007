// How flights end when the cache closes, at whichever step they are.
#include <gtest/gtest.h>

#include "engine/refresh/executors.h"
#include "engine/refresh/flight_rig.h"
#include "refresh/single_flight.h"

namespace tiercache::test {
namespace {

using namespace std::chrono_literals;

TEST(SingleFlightStop, each_handler_is_answered_once_whatever_its_flight_does) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    FlightRig rig(2, seed);
    for (int key = 0; key < 10; ++key) {
      rig.run(std::to_string(key), rig.taking(key * 1s));
      rig.run(std::to_string(key), FlightRig::failure);
    }
    rig.executor.schedule(rig.clock->steady_now() + milliseconds(seed * 50), Lane::compute,
                          [&] { rig.flights->stop(); });
    rig.executor.run_for(milliseconds(seed * 50 + 1));
    EXPECT_EQ(rig.results.size(), 20u) << "seed " << seed;
    rig.executor.run_for(1h);
    EXPECT_EQ(rig.results.size(), 20u) << "seed " << seed;
  }
}

TEST(SingleFlightStop, results_whose_task_never_ran_are_told) {
  FlightRig rig;
  rig.run("k", FlightRig::failure);
  while (rig.flights->is_running(FlightRig::id("k"))) ASSERT_TRUE(rig.executor.step());
  ASSERT_TRUE(rig.results.empty());
  rig.flights->stop();
  ASSERT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.results[0].status, Status::failed);
  rig.executor.run_ready();  // the task comes after all
  EXPECT_EQ(rig.results.size(), 1u);
}

TEST(SingleFlightStop, nothing_starts_afterwards) {
  FlightRig rig;
  EXPECT_EQ(rig.flights->stop(), 0);
  rig.run("k", FlightRig::answer);
  ASSERT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.results[0].status, Status::stopped);
  EXPECT_EQ(rig.executor.pending(), 0u);
  EXPECT_FALSE(rig.flights->retry_at(FlightRig::id("k")));
}

TEST(SingleFlightStop, callback_that_outlives_the_cache_finds_itself_cancelled_and_harms_nothing) {
  FlightRig rig;
  PassingExecutor executor(rig.executor);
  rig.flights = std::make_unique<SingleFlight>(executor, *rig.clock, 8, 1);
  bool cancelled = false;
  int left = -1;
  int calls = 0;
  rig.run("k", [&](RefreshContext& context) -> RefreshResult {
    rig.executor.sleep_for(10s);
    cancelled = context.cancelled();
    return NotFound{};
  });
  rig.executor.schedule(rig.clock->steady_now() + 5s, Lane::compute, [&] {
    left = rig.flights->stop();
    rig.flights.reset();
    calls = executor.calls();
  });
  rig.executor.run_for(1min);
  EXPECT_EQ(left, 1);
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(rig.applied, 0);
  EXPECT_EQ(executor.calls(), calls) << "the executor may be gone by then";
  ASSERT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.results[0].status, Status::stopped);
}

TEST(SingleFlightStop, flights_in_line_leave_no_timer_behind) {
  FlightRig rig(1);
  for (const char* key : {"a", "b", "c"}) rig.run(key, FlightRig::answer);
  rig.flights->stop();
  EXPECT_EQ(rig.results.size(), 3u);
  EXPECT_FALSE(rig.flights->is_running(FlightRig::id("a")));
  rig.executor.run_ready();
  EXPECT_EQ(rig.executor.pending(), 0u);
  EXPECT_EQ(rig.flights->counters().started, 0u);
}

TEST(SingleFlightStop, flight_that_is_just_being_made_does_not_begin) {
  FlightRig rig;
  rig.flights->run(
      FlightRig::id("k"), RefreshReason::behind,
      [&] {
        rig.flights->stop();
        return rig.flight(FlightRig::answer);
      },
      [&](const FlightResult& result) { rig.results.push_back(result); });
  ASSERT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.results[0].status, Status::stopped);
  EXPECT_EQ(rig.executor.pending(), 0u);
}

TEST(SingleFlightStop, answer_that_has_come_is_not_applied) {
  FlightRig rig;
  rig.run("k", FlightRig::answer);
  const auto returned = [&] {
    return rig.flights->counters().started == 1 && rig.flights->callbacks_running() == 0;
  };
  while (!returned()) ASSERT_TRUE(rig.executor.step());
  rig.flights->stop();
  rig.executor.run_ready();
  EXPECT_EQ(rig.applied, 0);
  ASSERT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.results[0].status, Status::stopped);
}

TEST(SingleFlightStop, answer_that_comes_after_it_is_not_applied) {
  FlightRig rig;
  rig.run("k", [&rig](RefreshContext&) -> RefreshResult {
    rig.flights->stop();
    return NotFound{};
  });
  rig.executor.run_ready();
  EXPECT_EQ(rig.applied, 0);
  ASSERT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.results[0].status, Status::stopped);
}

TEST(SingleFlightStop, answer_applied_afterwards_counts_for_nothing_I13) {
  FlightRig rig;
  std::function<void(FlightResult)> finish;
  Flight flight = rig.flight(FlightRig::answer);
  flight.apply = [&](const RefreshResult&, std::function<void(FlightResult)> done) {
    finish = std::move(done);
  };
  rig.run("k", std::move(flight));
  rig.executor.run_ready();
  rig.flights->stop();
  finish({.status = Status::saved, .why = {}});
  EXPECT_EQ(rig.flights->counters().succeeded, 0u);
  ASSERT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.results[0].status, Status::stopped);
}

TEST(SingleFlightStop, failure_leaves_no_next_try) {
  FlightRig rig;
  rig.run("k", FlightRig::failure);
  rig.executor.run_ready();
  ASSERT_TRUE(rig.flights->retry_at(FlightRig::id("k")));
  rig.flights->stop();
  EXPECT_FALSE(rig.flights->retry_at(FlightRig::id("k")));
}

TEST(SingleFlightStop, destruction_answers_who_waits) {
  FlightRig rig;
  rig.run("k", FlightRig::answer);
  rig.flights.reset();
  ASSERT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.results[0].status, Status::stopped);
}

}  // namespace
}  // namespace tiercache::test
