#include "outbox/outbox_drain.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "engine/outbox/outbox_drain_fixture.h"

namespace tiercache::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_P(OutboxDrainTest, everything_reaches_the_store_in_batches) {
  options.batch_items = 10;
  start();
  put_many(35);
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(store->rows(), 35u);
  EXPECT_EQ(store->calls("save"), 4u);
  EXPECT_EQ(told.size(), 35u);
  EXPECT_EQ(journal->stats().unsettled, 0u);
  EXPECT_FALSE(breaker->state().open);
  executor.run_ready();
  EXPECT_EQ(rests, 1);
}

TEST_P(OutboxDrainTest, wake_while_sending_is_not_lost) {
  put(content("a", 1, "1"));
  bool put_more = true;
  store->on_call([&](const std::string&) {
    if (!std::exchange(put_more, false)) return;
    put(content("a", 2, "2"));
    put(content("b", 3, "3"));
    drain->wake();
  });
  drain->wake();
  executor.run_ready();
  EXPECT_TRUE(drain->idle());
  EXPECT_EQ(row("a")->version, at(2));
  EXPECT_EQ(row("b")->version, at(3));
}

TEST_P(OutboxDrainTest, outage_is_survived_and_drained_at_full_speed_after_it_I1) {
  options.batch_items = 5;
  start();
  fail(StoreFault::unavailable);
  put_many(40);
  drain->wake();
  executor.run_for(hours(2));
  EXPECT_EQ(store->rows(), 0u);
  EXPECT_EQ(journal->stats().unsettled, 40u);
  EXPECT_TRUE(breaker->state().open);
  EXPECT_EQ(breaker->state().since, WallTime(milliseconds(1'700'000'000'000)));
  EXPECT_FALSE(drain->idle());
  const std::size_t attempts = replies.size();
  EXPECT_GE(attempts, 15u);
  EXPECT_LE(attempts, 500u) << "the back-off holds";
  heal();
  executor.run_for(options.backoff.cap);
  EXPECT_TRUE(drain->idle());
  EXPECT_EQ(store->rows(), 40u);
  EXPECT_FALSE(breaker->state().open);
}

TEST_P(OutboxDrainTest, any_call_that_works_ends_the_pause_and_everything_follows_at_once_I1) {
  options.batch_items = 5;
  start();
  fail(StoreFault::unavailable);
  put_many(40);
  drain->wake();
  executor.run_for(hours(2));
  heal();
  const Breaker::Permit read = breaker->ask(Breaker::Urgency::reader);
  ASSERT_TRUE(read.is_granted()) << "two hours on, a reader need not wait for the back-off";
  breaker->ended(read, true);
  executor.run_ready();
  EXPECT_TRUE(drain->idle()) << "no time has passed";
  EXPECT_EQ(store->rows(), 40u);
}

TEST_P(OutboxDrainTest, while_another_call_tries_the_store_the_drain_does_not) {
  put_many(3);
  const Breaker::Permit first = breaker->ask(Breaker::Urgency::reader);
  breaker->ended(first, false, "away");
  clock->advance(hours(1));
  const Breaker::Permit probe = breaker->ask(Breaker::Urgency::reader);
  ASSERT_TRUE(probe.is_probe());
  drain->wake();
  executor.run_for(seconds(30));
  EXPECT_EQ(store->calls("save"), 0u);
  breaker->ended(probe, false, "away");
  executor.run_for(options.backoff.cap);
  EXPECT_TRUE(drain->idle()) << "then it is the drain's turn";
}

TEST_P(OutboxDrainTest, drain_that_has_nothing_to_try_the_store_with_leaves_that_to_others) {
  put(content("failed", 1, "1"));
  fail(StoreFault::unavailable);
  drain->wake();
  executor.run_ready();
  ASSERT_TRUE(breaker->state().open);
  heal();
  put(content("outdated", 2, "1"));
  outdated = [](const UnsettledWrite&) { return true; };
  executor.run_for(hours(1));
  ASSERT_EQ(store->calls("save"), 1u);
  EXPECT_TRUE(breaker->ask(Breaker::Urgency::reader).is_granted());
}

TEST_P(OutboxDrainTest, without_retry_each_write_has_one_attempt_until_a_kick) {
  options.retry = false;
  options.batch_items = 2;
  start();
  fail(StoreFault::unavailable);
  put_many(5);
  drain->wake();
  executor.run_for(hours(5));
  EXPECT_EQ(store->calls("save"), 3u);
  EXPECT_EQ(journal->stats().unsettled, 5u);
  drain->wake();
  executor.run_for(hours(5));
  EXPECT_EQ(store->calls("save"), 3u);
  heal();
  put(content("k0", 100, "1"));
  put(content("new", 101, "1"));
  drain->wake();
  executor.run_for(hours(5));
  EXPECT_EQ(store->rows(), 2u) << "new writes have their attempt, also of a key that waits";
  EXPECT_EQ(row("k0")->version, at(100));
  drain->kick();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(store->rows(), 6u);
}

TEST_P(OutboxDrainTest, kick_cuts_the_back_off_short) {
  fail(StoreFault::unavailable);
  put_many(1);
  drain->wake();
  executor.run_for(hours(1));
  heal();
  drain->kick();
  executor.run_ready();
  EXPECT_TRUE(drain->idle());
  EXPECT_EQ(store->rows(), 1u);
  const std::uint64_t calls = store->calls("save");
  executor.run_for(hours(1));
  EXPECT_EQ(store->calls("save"), calls) << "the old timer is gone";
}

TEST_P(OutboxDrainTest, records_that_the_disk_will_not_read_are_tried_again_with_pauses_I1) {
  put_many(3);
  int reads = 0;
  disk.set_fault([&](const std::string& operation, const std::string& path) {
    const bool reading = operation.starts_with("read") || operation == "open";
    return reading && path.ends_with(".seg") ? (++reads, EIO) : 0;
  });
  drain->wake();
  executor.run_for(hours(2));
  EXPECT_GE(reads, 15);
  EXPECT_LE(reads, 1500) << "the back-off holds";
  EXPECT_EQ(journal->stats().unsettled, 3u) << "neither lost nor parked";
  EXPECT_EQ(journal->stats().parked, 0u);
  EXPECT_EQ(store->calls("save"), 0u);
  EXPECT_FALSE(drain->idle());
  disk.set_fault({});
  executor.run_for(options.backoff.cap);
  EXPECT_TRUE(drain->idle());
  EXPECT_EQ(store->rows(), 3u);
}

TEST_P(OutboxDrainTest, record_that_the_disk_will_not_read_does_not_keep_the_others_waiting) {
  put(content("a", 1, "1"));
  bool first = true;
  disk.set_fault([&](const std::string& operation, const std::string& path) {
    const bool refuse = operation == "read_at" && path.ends_with(".seg") && first;
    if (refuse) first = false;
    return refuse ? EIO : 0;
  });
  put(content("b", 2, "2"));
  drain->wake();
  executor.run_ready();
  EXPECT_EQ(row("a"), nullptr);
  ASSERT_NE(row("b"), nullptr);
  executor.run_for(options.backoff.cap);
  EXPECT_NE(row("a"), nullptr);
  EXPECT_TRUE(drain->idle());
}

TEST_P(OutboxDrainTest, without_retry_records_that_the_disk_will_not_read_wait_for_a_kick) {
  options.retry = false;
  start();
  put_many(3);
  int reads = 0;
  disk.set_fault([&](const std::string& operation, const std::string& path) {
    return operation == "read_at" && path.ends_with(".seg") ? (++reads, EIO) : 0;
  });
  drain->wake();
  executor.run_for(hours(2));
  EXPECT_EQ(reads, 3);
  disk.set_fault({});
  executor.run_for(hours(2));
  EXPECT_EQ(store->rows(), 0u);
  drain->kick();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(store->rows(), 3u);
}

TEST_P(OutboxDrainTest, kick_during_a_failing_call_tries_again_at_once) {
  put_many(1);
  int calls = 0;
  store->set_fault([&](const std::string&) {
    return ++calls == 1 ? StoreFault::unavailable : StoreFault::none;
  });
  store->on_call([&](const std::string&) {
    if (store->rows() == 0 && calls <= 1) drain->kick();
  });
  drain->wake();
  executor.run_ready();
  EXPECT_EQ(store->rows(), 1u);
}

TEST_P(OutboxDrainTest, stop_prevents_what_was_not_begun) {
  put_many(3);
  drain->wake();
  drain->stop();
  executor.run_for(hours(1));
  drain->wake();
  drain->kick();
  executor.run_for(hours(1));
  EXPECT_EQ(store->calls("save"), 0u);
  EXPECT_EQ(executor.pending(), 0u);
  EXPECT_FALSE(drain->in_flight());
}

TEST_P(OutboxDrainTest, stop_during_back_off_takes_the_timer_back) {
  fail(StoreFault::unavailable);
  put_many(3);
  drain->wake();
  executor.run_ready();
  EXPECT_GT(executor.pending(), 0u);
  drain->stop();
  EXPECT_EQ(executor.pending(), 0u);
}

TEST_P(OutboxDrainTest, call_in_flight_at_stop_is_still_told_and_settled) {
  options.batch_items = 2;
  start();
  put_many(6);
  store->on_call([&](const std::string&) {
    EXPECT_TRUE(drain->in_flight());
    drain->stop();
  });
  drain->wake();
  executor.run_for(hours(1));
  EXPECT_EQ(store->rows(), 2u);
  EXPECT_EQ(told.size(), 2u);
  EXPECT_EQ(journal->stats().unsettled, 4u);
  EXPECT_FALSE(drain->in_flight());
  EXPECT_EQ(executor.pending(), 0u);
}

TEST_P(OutboxDrainTest, call_that_ends_after_everything_is_gone_is_harmless) {
  put_many(2);
  store->on_call([&](const std::string&) {
    drain->stop();
    journal->close();
    drain.reset();
    journal.reset();
  });
  drain->wake();
  executor.run_for(hours(1));
  EXPECT_EQ(store->rows(), 2u);
  JournalOnDisk next(disk);
  ASSERT_TRUE(next.open().ok());
  EXPECT_EQ(next.recovered.size(), 2u) << "not settled here, so sent again";
}

TEST_P(OutboxDrainTest, task_that_runs_after_the_drain_is_gone_does_nothing) {
  put_many(2);
  drain->wake();
  drain.reset();
  executor.run_for(hours(1));
  EXPECT_EQ(store->rows(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, OutboxDrainTest, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace tiercache::testing
