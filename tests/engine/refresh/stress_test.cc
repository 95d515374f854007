// Single flight and scheduler on real threads: to be run under the thread sanitizer too.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "refresh/scheduler.h"
#include "refresh/single_flight.h"

namespace tiercache {
namespace {

using namespace std::chrono_literals;

constexpr int kThreads = 4;
constexpr int kRunsPerThread = 2000;
constexpr int kKeys = 3;

// What the callbacks share; they own it, as callbacks must.
struct Seen {
  std::array<std::atomic<int>, kKeys> running{};
  std::atomic<int> overlaps{0};
  std::atomic<int> told{0};
  std::atomic<int> calls{0};
};

Flight flight_of(const std::shared_ptr<Seen>& seen, int key, int number) {
  Flight flight;
  flight.hard_timeout = std::chrono::milliseconds(number % 50 == 0 ? 1 : 10'000);
  flight.call = [seen, key, number](RefreshContext& context) -> RefreshResult {
    if (seen->running[key].fetch_add(1) != 0) ++seen->overlaps;
    ++seen->calls;
    if (number % 50 == 0) {
      while (!context.cancelled()) std::this_thread::yield();
    }
    seen->running[key].fetch_sub(1);
    if (number % 7 == 0) throw std::runtime_error("down");
    return NotFound{};
  };
  flight.apply = [](const RefreshResult&, const std::function<void(FlightResult)>& finish) {
    finish({.status = FlightResult::Status::saved, .why = {}});
  };
  return flight;
}

// A single flight on threads of its own, and threads that ask it and wait for each answer.
class StressedFlights {
 public:
  StressedFlights() : flights_(*executor_, *clock_, 4, 1) {}

  // Asks `runs` times from each of the threads, fewer when stopped meanwhile.
  void ask_from_many_threads(int runs) {
    for (int t = 0; t < kThreads; ++t) {
      threads_.emplace_back([this, t, runs] {
        for (int i = 0; i < runs && !stopped_; ++i) ask(i * kThreads + t);
      });
    }
  }
  void join() {
    for (auto& thread : threads_) thread.join();
  }
  void stop() {
    flights_.stop();
    stopped_ = true;
  }
  void wait_for_calls(int count) {
    while (seen_->calls < count) std::this_thread::yield();
  }
  void expect_all_told_and_none_doubled() {
    flights_.stop();
    EXPECT_EQ(executor_->shutdown(clock_->steady_now() + 60s), 0);
    EXPECT_EQ(flights_.callbacks_running(), 0);
    EXPECT_EQ(seen_->overlaps, 0);
    EXPECT_EQ(seen_->told, asked_);
  }
  SingleFlight::Counters counters() const { return flights_.counters(); }

 private:
  void ask(int number) {
    const int key = number % kKeys;
    const std::shared_ptr<Event> told = executor_->make_event();
    ++asked_;
    flights_.run(
        EntryId{"d", std::to_string(key)}, RefreshReason::asked,
        [&] { return flight_of(seen_, key, number); },
        [seen = seen_, told](const FlightResult&) {
          ++seen->told;
          told->set();
        });
    ASSERT_TRUE(told->wait_until(clock_->steady_now() + 60s));
  }

  std::shared_ptr<Clock> clock_ = system_clock();
  std::shared_ptr<Executor> executor_ = thread_executor();
  std::shared_ptr<Seen> seen_ = std::make_shared<Seen>();
  SingleFlight flights_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopped_{false};
  std::atomic<int> asked_{0};
};

TEST(RefreshStress, many_threads_never_run_a_key_twice_at_once_I5) {
  StressedFlights flights;
  flights.ask_from_many_threads(kRunsPerThread);
  flights.join();
  const auto counters = flights.counters();
  for (const auto count : {counters.succeeded, counters.timed_out, counters.joined}) {
    EXPECT_GT(count, 0u) << "the threads must meet every kind of end";
  }
  flights.expect_all_told_and_none_doubled();
}

TEST(RefreshStress, stop_among_many_threads_answers_each_handler_once) {
  for (int round = 0; round < 20; ++round) {
    StressedFlights flights;
    flights.ask_from_many_threads(1'000'000);
    flights.wait_for_calls(20 * round + 1);
    flights.stop();
    flights.join();
    flights.expect_all_told_and_none_doubled();
  }
}

// Applying an answer syncs the journal and may wait for other processes; deadlines go on meanwhile.
TEST(RefreshStress, answer_that_is_being_applied_holds_up_no_timer_I7) {
  const auto clock = system_clock();
  const auto executor = thread_executor();
  const auto timer_ran = executor->make_event();
  const auto ended = executor->make_event();
  std::atomic<bool> in_time{false};
  SingleFlight flights(*executor, *clock, 1, 1);
  const auto make = [&] {
    Flight flight;
    flight.call = [](RefreshContext&) -> RefreshResult { return NotFound{}; };
    flight.apply = [&](const RefreshResult&, const std::function<void(FlightResult)>& finish) {
      executor->schedule(clock->steady_now(), Lane::compute, [timer_ran] { timer_ran->set(); });
      in_time = timer_ran->wait_until(clock->steady_now() + 5s);
      finish({.status = FlightResult::Status::saved, .why = {}});
    };
    return flight;
  };
  flights.run(EntryId{"d", "k"}, RefreshReason::asked, make,
              [ended](const FlightResult&) { ended->set(); });
  EXPECT_TRUE(ended->wait_until(clock->steady_now() + 60s));
  EXPECT_TRUE(in_time);
  flights.stop();
  executor->shutdown(clock->steady_now() + 60s);
}

TEST(RefreshStress, scheduler_armed_from_many_threads_starts_each_turn_once) {
  const auto clock = system_clock();
  const auto executor = thread_executor({.compute = 2});
  const auto all_started = executor->make_event();
  std::atomic<int> started{0};
  std::atomic<int> doubled{0};
  std::vector<std::atomic<int>> turns(kThreads * kRunsPerThread);
  Scheduler scheduler(
      *executor, *clock,
      [&](const EntryId& id, Cadence, std::chrono::milliseconds) {
        if (turns[std::stoul(id.key)].fetch_add(1) != 0) ++doubled;
        if (++started == kThreads * kRunsPerThread) all_started->set();
      },
      1);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRunsPerThread; ++i) {
        const EntryId id{"d", std::to_string(t * kRunsPerThread + i)};
        scheduler.arm_at(id, Cadence::normal,
                         clock->wall_now() + std::chrono::milliseconds(i % 20));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(all_started->wait_until(clock->steady_now() + 60s));
  scheduler.stop();
  executor->shutdown(clock->steady_now() + 60s);
  EXPECT_EQ(started, kThreads * kRunsPerThread);
  EXPECT_EQ(doubled, 0);
}

}  // namespace
}  // namespace tiercache
