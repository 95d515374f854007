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
using Status = FlightResult::Status;

constexpr int kThreads = 4;
constexpr int kRunsPerThread = 2000;
constexpr int kKeys = 16;

// What the callbacks share; they own it, as callbacks must.
struct Seen {
  std::array<std::atomic<int>, kKeys> running{};
  std::atomic<int> overlaps{0};
  std::atomic<int> told{0};
  std::atomic<int> calls{0};
};

Flight flight_of(const std::shared_ptr<Seen>& seen, int key, int number) {
  Flight flight;
  flight.name = std::to_string(key);
  flight.hard_timeout = std::chrono::milliseconds(number % 5 == 0 ? 1 : 10'000);
  flight.call = [seen, key, number](RefreshContext& context) -> RefreshResult {
    if (seen->running[key].fetch_add(1) != 0) ++seen->overlaps;
    ++seen->calls;
    if (number % 5 == 0) {
      while (!context.cancelled()) std::this_thread::yield();
    }
    seen->running[key].fetch_sub(1);
    if (number % 7 == 0) throw std::runtime_error("down");
    return NotFound{};
  };
  flight.apply = [](const RefreshResult&, const std::function<void(FlightResult)>& finish) {
    finish({.status = Status::saved, .why = {}});
  };
  return flight;
}

TEST(RefreshStress, many_threads_never_run_a_key_twice_at_once_I5) {
  const auto clock = system_clock();
  const auto executor = thread_executor();
  Log log(nullptr, *clock);
  const auto seen = std::make_shared<Seen>();
  SingleFlight flights(*executor, *clock, log, 4, 1);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRunsPerThread; ++i) {
        const int number = t * kRunsPerThread + i;
        const int key = number % kKeys;
        flights.run(
            {"d", std::to_string(key)}, RefreshReason::asked,
            [&] { return flight_of(seen, key, number); },
            [seen](const FlightResult&) { ++seen->told; });
        if (i == kRunsPerThread / 2 && t == 0) flights.stop();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  flights.stop();
  EXPECT_EQ(executor->shutdown(clock->steady_now() + 60s), 0);
  EXPECT_EQ(seen->overlaps, 0);
  EXPECT_GT(seen->calls, 0);
  EXPECT_EQ(flights.callbacks_running(), 0);
  EXPECT_EQ(seen->told, kThreads * kRunsPerThread);
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
