#include "system/process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "tiercache/executor.h"

namespace tiercache {
namespace {

TEST(Process, processors_are_those_of_the_machine_and_one_at_least) {
  EXPECT_EQ(processors(), std::max(1U, std::thread::hardware_concurrency()));
  EXPECT_GE(processors(), 1U);
}

TEST(Process, what_is_kept_for_ever_is_not_destroyed) {
  auto object = std::make_shared<int>(1);
  const std::weak_ptr<int> kept = object;
  keep_for_ever(std::move(object));
  EXPECT_FALSE(kept.expired());
}

// Runs `body` in a forked child; true when it ended by itself. A child that waits for a thread it
// does not have is ended by the alarm.
template <class Body>
bool ends_in_a_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    body();
    ::_exit(0);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status == 0;
}

TEST(Process, forks_are_counted_in_the_child_alone) {
  const std::uint32_t before = forks_so_far();
  EXPECT_TRUE(ends_in_a_child([before] {
    if (forks_so_far() != before + 1) ::_exit(1);
  }));
  EXPECT_EQ(forks_so_far(), before);
}

TEST(Process, executor_whose_threads_the_child_does_not_have_is_dropped_there_without_waiting) {
  auto executor = thread_executor({});
  const auto ran = executor->make_event();
  executor->schedule(std::chrono::steady_clock::now() + std::chrono::hours(1), Lane::disk, [] {});
  executor->post(Lane::disk, [ran] { ran->set(); });
  ASSERT_TRUE(ran->wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(60)));
  EXPECT_TRUE(ends_in_a_child([&executor] { executor.reset(); }));
}

TEST(Process, executor_that_is_dropped_drops_what_waits_for_its_time) {
  auto executor = thread_executor({});
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> waits = held;
  executor->schedule(std::chrono::steady_clock::now() + std::chrono::hours(1), Lane::disk,
                     [held = std::move(held)] {});
  EXPECT_FALSE(waits.expired());
  executor.reset();
  EXPECT_TRUE(waits.expired());
}

}  // namespace
}  // namespace tiercache
