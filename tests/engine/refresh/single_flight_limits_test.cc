// What happens when callbacks are slow, hang, or are too many.
#include <gtest/gtest.h>

#include <utility>

#include "engine/refresh/flight_rig.h"
#include "refresh/single_flight.h"

namespace tiercache::test {
namespace {

using namespace std::chrono_literals;

// An executor whose callback lane has no thread to spare until `release`.
class HeldCallbacks final : public Executor {
 public:
  explicit HeldCallbacks(Executor& inner) : inner_(inner) {}

  void post(Lane lane, Task task) override {
    if (lane == Lane::callback) {
      held_.push_back(std::move(task));
    } else {
      inner_.post(lane, std::move(task));
    }
  }
  TimerId schedule(SteadyTime when, Lane lane, Task task) override {
    return inner_.schedule(when, lane, std::move(task));
  }
  bool cancel(TimerId timer) override { return inner_.cancel(timer); }
  std::shared_ptr<Event> make_event() override { return inner_.make_event(); }
  int shutdown(SteadyTime deadline) override { return inner_.shutdown(deadline); }

  std::size_t held() const { return held_.size(); }
  void release() {
    for (auto& task : std::exchange(held_, {})) task();
  }

 private:
  Executor& inner_;
  std::vector<Task> held_;
};

TEST(SingleFlightLimits, concurrency_bounds_callbacks_of_all_keys) {
  FlightRig rig(3);
  int running = 0;
  int most = 0;
  for (int key = 0; key < 20; ++key) {
    rig.run(std::to_string(key), [&](RefreshContext&) -> RefreshResult {
      most = std::max(most, ++running);
      rig.executor.sleep_for(1s);
      --running;
      return NotFound{};
    });
  }
  rig.executor.run_for(25s);
  EXPECT_EQ(most, 3);
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
    EXPECT_EQ(rig.results[1].status, Status::throttled);
    EXPECT_EQ(rig.results[2].status, Status::throttled);
    EXPECT_TRUE(rig.flights->retry_at(FlightRig::id("k"))) << "or who asks for it would spin";
    EXPECT_TRUE(rig.flights->running(FlightRig::id("k")));
  });
  rig.executor.run_for(3h);
  EXPECT_FALSE(rig.flights->running(FlightRig::id("k")));
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
    EXPECT_FALSE(rig.flights->running(FlightRig::id("k")));
    EXPECT_TRUE(rig.flights->retry_at(FlightRig::id("k")));
  });
  rig.executor.run_for(1h);
  ASSERT_EQ(rig.results.size(), 2u);
  EXPECT_EQ(rig.results[1].status, Status::saved);
  EXPECT_EQ(rig.flights->counters().started, 1u);
}

TEST(SingleFlightLimits, full_line_throttles_what_comes_next_I8) {
  FlightRig rig(1, 1, 5);
  for (int key = 0; key < 20; ++key) rig.run(std::to_string(key), FlightRig::answer);
  rig.executor.run_ready();
  EXPECT_EQ(rig.results.size(), 20u);
  EXPECT_EQ(rig.applied, 5);
  EXPECT_EQ(rig.flights->counters().throttled, 15u);
  EXPECT_TRUE(rig.flights->retry_at(FlightRig::id("19")));
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
