#include "refresh/single_flight.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "engine/refresh/flight_rig.h"

namespace tiercache::test {
namespace {

using namespace std::chrono_literals;

TEST(SingleFlight, answer_is_applied_and_told) {
  FlightRig rig;
  rig.run("k", FlightRig::answer);
  EXPECT_TRUE(rig.results.empty());
  EXPECT_TRUE(rig.flights->is_running(FlightRig::id("k")));
  rig.executor.run_ready();
  ASSERT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.results[0].status, Status::saved);
  EXPECT_EQ(rig.applied, 1);
  EXPECT_FALSE(rig.flights->is_running(FlightRig::id("k")));
  EXPECT_EQ(rig.executor.pending(), 0u) << "the timers are taken back";
}

TEST(SingleFlight, runs_of_a_key_share_one_callback_I5) {
  FlightRig rig;
  int calls = 0;
  for (int i = 0; i < 100; ++i) {
    rig.run("k", [&](RefreshContext&) -> RefreshResult {
      ++calls;
      return NotFound{};
    });
  }
  rig.executor.run_ready();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(rig.results.size(), 100u);
  EXPECT_EQ(rig.flights->counters().joined, 99u);
  EXPECT_EQ(rig.flights->counters().started, 1u);
}

TEST(SingleFlight, run_without_handler_is_run_all_the_same) {
  FlightRig rig;
  rig.flights->run(FlightRig::id("k"), RefreshReason::scheduled,
                   [&] { return rig.flight(FlightRig::answer); }, {});
  rig.executor.run_ready();
  EXPECT_EQ(rig.applied, 1);
}

TEST(SingleFlight, flight_that_nobody_waits_for_leaves_nothing_to_be_told) {
  FlightRig rig;
  const auto run_alone = [&](FlightRig::Call call) {
    rig.flights->run(FlightRig::id("k"), RefreshReason::scheduled, [&] { return rig.flight(call); },
                     {});
  };
  run_alone(FlightRig::failure);
  run_alone(FlightRig::failure);  // joins
  while (rig.flights->is_running(FlightRig::id("k"))) ASSERT_TRUE(rig.executor.step());
  EXPECT_EQ(rig.executor.pending(), 0u);
  run_alone(FlightRig::answer);
  EXPECT_EQ(rig.flights->counters().throttled, 1u);
  EXPECT_EQ(rig.executor.pending(), 0u);
}

TEST(SingleFlight, joined_flight_is_not_made_again) {
  FlightRig rig;
  rig.run("k", FlightRig::answer);
  rig.flights->run(FlightRig::id("k"), RefreshReason::behind,
                   []() -> Flight {
                     ADD_FAILURE() << "made again";
                     return {};
                   },
                   {});
  rig.executor.run_ready();
}

TEST(SingleFlight, flight_may_be_asked_for_while_another_of_its_key_is_being_made) {
  FlightRig rig;
  rig.flights->run(FlightRig::id("k"), RefreshReason::behind,
                   [&] {
                     rig.run("k", FlightRig::failure);
                     return rig.flight(FlightRig::answer);
                   },
                   {});
  rig.executor.run_ready();
  ASSERT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.results[0].status, Status::saved);
}

TEST(SingleFlight, flight_that_cannot_be_made_has_failed) {
  for (const bool standard : {true, false}) {
    FlightRig rig;
    rig.flights->run(
        FlightRig::id("k"), RefreshReason::behind,
        [&]() -> Flight {
          if (standard) throw std::runtime_error("no memory");
          throw 1;
        },
        [&](const FlightResult& result) { rig.results.push_back(result); });
    rig.executor.run_ready();
    ASSERT_EQ(rig.results.size(), 1u);
    EXPECT_EQ(rig.results[0].status, Status::failed);
    EXPECT_EQ(rig.results[0].why, standard ? "the refresh could not be prepared: no memory"
                                           : "the refresh could not be prepared");
    EXPECT_FALSE(rig.flights->is_running(FlightRig::id("k")));
  }
}

TEST(SingleFlight, end_of_a_flight_is_told_once_whoever_waits_for_it_I13) {
  FlightRig rig;
  int ended = 0;
  for (int i = 0; i < 5; ++i) {
    Flight flight = rig.flight(FlightRig::failure);
    flight.ended = [&](const FlightResult& result) {
      ++ended;
      EXPECT_EQ(result.why, "source down");
      EXPECT_TRUE(rig.results.empty()) << "before those who wait";
    };
    rig.run("k", std::move(flight));
  }
  rig.executor.run_ready();
  EXPECT_EQ(rig.results.size(), 5u);
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(
      rig.flights->last_failure(FlightRig::id("k")).find("last failure 0 ms ago: source down"), 0u);
}

TEST(SingleFlight, end_of_a_flight_that_nobody_waits_for_is_told_I13) {
  FlightRig rig;
  std::vector<FlightResult> ends;
  Flight flight = rig.flight(FlightRig::failure);
  flight.ended = [&](const FlightResult& result) { ends.push_back(result); };
  rig.flights->run(FlightRig::id("k"), RefreshReason::scheduled, [&] { return flight; }, {});
  rig.executor.run_ready();
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].why, "source down");
}

TEST(SingleFlight, exception_of_the_callback_is_told_and_the_next_try_waits) {
  FlightRig rig;
  rig.run("k", FlightRig::failure);
  rig.executor.run_ready();
  ASSERT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.results[0].status, Status::failed);
  EXPECT_EQ(rig.results[0].why, "source down");
  const auto retry_at = rig.flights->retry_at(FlightRig::id("k"));
  ASSERT_TRUE(retry_at);
  EXPECT_LE(*retry_at, rig.clock->steady_now() + 100ms);

  rig.run("k", FlightRig::answer);
  rig.executor.run_ready();
  ASSERT_EQ(rig.results.size(), 2u);
  EXPECT_EQ(rig.results[1].status, Status::throttled);
  EXPECT_TRUE(rig.results[1].why.starts_with("last failure 0 ms ago: source down"));
  EXPECT_EQ(rig.applied, 0);

  rig.executor.run_for(*retry_at - rig.clock->steady_now());
  rig.run("k", FlightRig::answer);
  rig.executor.run_ready();
  ASSERT_EQ(rig.results.size(), 3u);
  EXPECT_EQ(rig.results[2].status, Status::saved);
  EXPECT_FALSE(rig.flights->retry_at(FlightRig::id("k")));
}

TEST(SingleFlight, refresh_that_was_asked_for_does_not_wait_for_the_back_off) {
  FlightRig rig;
  rig.run("k", FlightRig::failure);
  rig.executor.run_ready();
  rig.run("k", FlightRig::answer, RefreshReason::asked);
  rig.executor.run_ready();
  ASSERT_EQ(rig.results.size(), 2u);
  EXPECT_EQ(rig.results[1].status, Status::saved);
  EXPECT_FALSE(rig.flights->retry_at(FlightRig::id("k"))) << "the success ends the back-off";
}

TEST(SingleFlight, retry_after_holds_even_for_what_was_asked_for) {
  FlightRig rig;
  rig.run("k", [](RefreshContext&) -> RefreshResult { throw RetryAfter(1h, "429"); });
  rig.executor.run_ready();
  EXPECT_EQ(rig.flights->retry_at(FlightRig::id("k")), rig.clock->steady_now() + 1h);
  rig.run("k", FlightRig::answer, RefreshReason::asked);
  rig.executor.run_for(1h);
  ASSERT_EQ(rig.results.size(), 2u);
  EXPECT_EQ(rig.results[1].status, Status::throttled);
  rig.run("k", FlightRig::answer);
  rig.executor.run_ready();
  EXPECT_EQ(rig.results.back().status, Status::saved);
}

TEST(SingleFlight, failures_of_one_key_do_not_throttle_another) {
  FlightRig rig;
  rig.run("k", FlightRig::failure);
  rig.executor.run_ready();
  rig.run("other", FlightRig::answer);
  rig.executor.run_ready();
  EXPECT_EQ(rig.results.back().status, Status::saved);
}

TEST(SingleFlight, not_modified_and_not_found_are_successes) {
  for (const Status status : {Status::not_modified, Status::not_found}) {
    FlightRig rig;
    Flight flight = rig.flight(FlightRig::answer);
    flight.apply = [status](const RefreshResult&, const std::function<void(FlightResult)>& finish) {
      finish({.status = status, .why = {}});
    };
    rig.run("k", std::move(flight));
    rig.executor.run_ready();
    ASSERT_EQ(rig.results.size(), 1u);
    EXPECT_EQ(rig.results[0].status, status);
    EXPECT_EQ(rig.flights->counters().succeeded, 1u);
    EXPECT_FALSE(rig.flights->retry_at(FlightRig::id("k")));
  }
}

TEST(SingleFlight, answer_that_cannot_be_applied_is_a_failure) {
  FlightRig rig;
  Flight throwing = rig.flight(FlightRig::answer);
  throwing.apply = [](const RefreshResult&, const std::function<void(FlightResult)>&) {
    throw std::runtime_error("disk full");
  };
  rig.run("a", std::move(throwing));
  Flight refused = rig.flight(FlightRig::answer);
  refused.apply = [](const RefreshResult&, const std::function<void(FlightResult)>& finish) {
    finish({.status = Status::failed, .why = std::string(1000, 'x')});
  };
  rig.run("b", std::move(refused));
  rig.executor.run_ready();
  ASSERT_EQ(rig.results.size(), 2u);
  for (const auto& result : rig.results) {
    EXPECT_EQ(result.status, Status::failed);
    EXPECT_LT(result.why.size(), 310u);
  }
  EXPECT_TRUE(rig.flights->retry_at(FlightRig::id("a")));
  EXPECT_TRUE(rig.flights->retry_at(FlightRig::id("b")));
}

TEST(SingleFlight, exception_while_the_answer_is_applied_is_told) {
  for (const bool standard : {true, false}) {
    FlightRig rig;
    Flight flight = rig.flight(FlightRig::answer);
    flight.apply = [standard](const RefreshResult&, const std::function<void(FlightResult)>&) {
      if (standard) throw std::runtime_error("disk full");
      throw 7;
    };
    rig.run("k", std::move(flight));
    rig.executor.run_ready();
    ASSERT_EQ(rig.results.size(), 1u);
    EXPECT_EQ(rig.results[0].status, Status::failed);
    EXPECT_EQ(rig.results[0].why, standard ? "disk full" : "the answer could not be applied");
  }
}

TEST(SingleFlight, answer_given_up_while_it_was_applied_is_no_success_I13) {
  FlightRig rig;
  rig.run("k", FlightRig::failure);
  rig.executor.run_ready();
  Flight given_up = rig.flight(FlightRig::answer);
  given_up.apply = [](const RefreshResult&, const std::function<void(FlightResult)>& finish) {
    finish({.status = Status::stopped, .why = "closing"});
  };
  rig.run("k", std::move(given_up), RefreshReason::asked);
  rig.executor.run_ready();
  ASSERT_EQ(rig.results.size(), 2u);
  EXPECT_EQ(rig.results[1].status, Status::stopped);
  EXPECT_EQ(rig.flights->counters().succeeded, 0u);
  EXPECT_EQ(rig.flights->counters().failed, 1u) << "the first one alone";
  EXPECT_TRUE(rig.flights->retry_at(FlightRig::id("k")));
}

TEST(SingleFlight, finish_counts_once_and_may_come_late) {
  FlightRig rig;
  std::function<void(FlightResult)> finish;
  Flight flight = rig.flight(FlightRig::answer);
  flight.apply = [&](const RefreshResult&, std::function<void(FlightResult)> done) {
    finish = std::move(done);
  };
  rig.run("k", std::move(flight));
  rig.executor.run_for(1h);
  EXPECT_TRUE(rig.results.empty());
  EXPECT_TRUE(rig.flights->is_running(FlightRig::id("k")));
  finish({.status = Status::saved, .why = {}});
  finish({.status = Status::failed, .why = "again"});
  rig.executor.run_ready();
  ASSERT_EQ(rig.results.size(), 1u);
  EXPECT_EQ(rig.results[0].status, Status::saved);
  EXPECT_EQ(rig.flights->counters().succeeded, 1u);
  EXPECT_EQ(rig.flights->counters().failed, 0u);
  rig.flights.reset();
  finish({.status = Status::saved, .why = {}});
}

TEST(SingleFlight, handler_that_throws_does_not_keep_the_others_waiting) {
  FlightRig rig;
  rig.flights->run(
      FlightRig::id("k"), RefreshReason::behind, [&] { return rig.flight(FlightRig::answer); },
      [](const FlightResult&) { throw std::runtime_error("handler"); });
  rig.run("k", FlightRig::answer);
  rig.executor.run_ready();
  EXPECT_EQ(rig.results.size(), 1u);
}

TEST(SingleFlight, handler_may_ask_for_the_next_flight) {
  FlightRig rig;
  int told = 0;
  std::function<void(const FlightResult&)> again = [&](const FlightResult& result) {
    EXPECT_EQ(result.status, Status::saved);
    if (++told == 3) return;
    rig.flights->run(
        FlightRig::id("k"), RefreshReason::behind, [&] { return rig.flight(FlightRig::answer); },
        again);
  };
  again({.status = Status::saved, .why = {}});
  rig.executor.run_ready();
  EXPECT_EQ(told, 3);
}

// Random flights in random order, some of them hanging past their hard timeout: never two callbacks
// of a key, never more than `concurrency` whose time has not passed, every handler exactly once,
// and nothing left over.
class RandomFlights {
 public:
  explicit RandomFlights(std::uint64_t seed) : random_(seed), rig_(kConcurrency, seed) {}

  void run() {
    for (int i = 0; i < kFlights; ++i) {
      rig_.executor.schedule(rig_.clock->steady_now() + milliseconds(random_.below(300'000)),
                             Lane::compute, [this] { ask(); });
    }
    rig_.executor.run_for(1h);
    EXPECT_EQ(rig_.results.size(), std::size_t{kFlights});
    EXPECT_EQ(rig_.flights->callbacks_running(), 0);
    EXPECT_EQ(rig_.executor.pending(), 0u);
  }
  SingleFlight::Counters counters() const { return rig_.flights->counters(); }

 private:
  static constexpr int kConcurrency = 3;
  static constexpr int kFlights = 200;

  void ask() {
    const std::string key = std::to_string(random_.below(6));
    const bool asked = random_.below(3) == 0;
    rig_.run(key, rig_.flight(callback(key), 20s),
             asked ? RefreshReason::asked : RefreshReason::behind);
  }
  FlightRig::Call callback(const std::string& key) {
    const milliseconds takes(random_.below(30'000));
    const bool fails = random_.below(4) == 0;
    return [this, key, takes, fails](RefreshContext& context) -> RefreshResult {
      EXPECT_TRUE(deadlines_.emplace(key, context.hard_deadline()).second) << "twice at once";
      EXPECT_LE(callbacks_in_time(), kConcurrency);
      rig_.executor.sleep_for(takes);
      deadlines_.erase(key);
      if (fails) throw std::runtime_error("down");
      return NotFound{};
    };
  }
  int callbacks_in_time() const {
    const SteadyTime now = rig_.clock->steady_now();
    return static_cast<int>(std::count_if(deadlines_.begin(), deadlines_.end(),
                                          [now](const auto& d) { return d.second > now; }));
  }

  Random random_;
  FlightRig rig_;
  std::map<std::string, SteadyTime> deadlines_;  // of the callbacks running
};

TEST(SingleFlight, random_use_never_runs_a_key_twice_at_once_I5) {
  SingleFlight::Counters seen;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    RandomFlights flights(seed);
    flights.run();
    seen.succeeded += flights.counters().succeeded;
    seen.timed_out += flights.counters().timed_out;
    seen.throttled += flights.counters().throttled;
    seen.joined += flights.counters().joined;
  }
  for (const auto count : {seen.succeeded, seen.timed_out, seen.throttled, seen.joined}) {
    EXPECT_GT(count, 100u) << "the runs must meet every kind of end";
  }
}

}  // namespace
}  // namespace tiercache::test
