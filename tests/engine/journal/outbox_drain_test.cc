#include "journal/outbox_drain.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <stdexcept>

#include "engine/journal/journal_fixture.h"
#include "tiercache/testing/memory_store.h"
#include "tiercache/testing/seeded_executor.h"

namespace tiercache {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::at;
using testing::content;
using testing::document;
using testing::id_of;
using testing::ms;
using testing::StoreFault;

constexpr char kProject[] = "p";

class OutboxDrainTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  OutboxDrainTest()
      : clock(std::make_shared<testing::ManualClock>()),
        executor(clock, GetParam()),
        store(std::make_shared<testing::MemoryStore>(clock)),
        log(disk) {
    EXPECT_TRUE(log.open().ok());
    journal = std::shared_ptr<Journal>(std::move(log.journal));
    options.project = kProject;
    start();
  }

  void start() {
    DrainEvents events;
    events.settled = [this](const UnsettledWrite& write, const SaveResult& result) {
      told.emplace_back(write.write.id.key, result);
    };
    events.called = [this](const StoreReply& reply, std::chrono::nanoseconds) {
      replies.push_back(reply.status);
    };
    events.rested = [this] { ++rests; };
    breaker = std::make_shared<Breaker>(clock, options.backoff, GetParam());
    drain = std::make_unique<OutboxDrain>(journal, store, breaker, executor, clock, options,
                                          std::move(events), GetParam());
    breaker->on_close([this] { drain->hurry(); });
  }

  void put(Record record) {
    AppendStatus status = AppendStatus::unknown;
    journal->append(std::move(record), [&](const AppendResult& result) { status = result.status; });
    EXPECT_TRUE(journal->commit());
    EXPECT_EQ(status, AppendStatus::durable);
  }
  void put_many(int count) {
    for (int i = 0; i < count; ++i) {
      put(content("k" + std::to_string(i), static_cast<std::uint64_t>(i) + 1, document("k")));
    }
  }
  bool run_until_idle(std::chrono::nanoseconds limit = hours(10)) {
    return executor.run_until([&] { return drain->idle(); }, limit);
  }
  EntryPtr row(const std::string& key) const { return store->row(kProject, id_of(key)); }
  void fail(StoreFault fault) {
    store->set_fault([fault](const std::string&) { return fault; });
  }
  void heal() { store->set_fault(nullptr); }

  std::shared_ptr<testing::ManualClock> clock;
  testing::SeededExecutor executor;
  std::shared_ptr<testing::MemoryStore> store;
  testing::MemoryDisk disk;
  testing::JournalOnDisk log;
  std::shared_ptr<Journal> journal;
  DrainOptions options;
  std::shared_ptr<Breaker> breaker;
  std::vector<std::pair<std::string, SaveResult>> told;
  std::vector<StoreStatus> replies;
  int rests = 0;
  std::unique_ptr<OutboxDrain> drain;
};

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
  ASSERT_TRUE(read.granted) << "two hours on, a reader need not wait for the back-off";
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
  ASSERT_TRUE(probe.probe);
  drain->wake();
  executor.run_for(seconds(30));
  EXPECT_EQ(store->calls("save"), 0u);
  breaker->ended(probe, false, "away");
  executor.run_for(options.backoff.cap);
  EXPECT_TRUE(drain->idle()) << "then it is the drain's turn";
}

TEST_P(OutboxDrainTest, unknown_outcomes_are_retried_and_end_as_saved_I1) {
  put_many(12);
  int calls = 0;
  store->set_fault([&](const std::string&) {
    ++calls;
    if (calls % 3 == 1) return StoreFault::unknown_done;
    return calls % 3 == 2 && calls < 10 ? StoreFault::unknown_undone : StoreFault::none;
  });
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(store->rows(), 12u);
  EXPECT_EQ(told.size(), 12u) << "told once each";
}

TEST_P(OutboxDrainTest, newer_write_during_a_failing_call_is_the_one_that_arrives_I3) {
  put(content("k", 1, "\"old\""));
  bool first = true;
  store->set_fault([&](const std::string&) {
    return std::exchange(first, false) ? StoreFault::unknown_done : StoreFault::none;
  });
  store->on_call([&](const std::string&) {
    if (first) put(content("k", 2, "\"new\""));
  });
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(*row("k")->document, "\"new\"");
}

TEST_P(OutboxDrainTest, superseded_write_is_settled_and_the_winner_told) {
  Entry newer = content("k", 9, "\"theirs\"").entry;
  store->put_row(kProject, id_of("k"), newer);
  put(content("k", 5, "\"ours\""));
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].second.outcome, SaveOutcome::superseded);
  ASSERT_NE(told[0].second.current, nullptr);
  EXPECT_EQ(told[0].second.current->version, at(9));
  EXPECT_EQ(*row("k")->document, "\"theirs\"");
}

TEST_P(OutboxDrainTest, invalidation_outlives_content_that_was_superseded) {
  store->put_row(kProject, id_of("k"), content("k", 9, "1").entry);
  Record guarded = content("k", 5, "2");
  guarded.not_newer_than = at(4);
  put(guarded);
  put(testing::clocks("k", 5, {{}, {}, ms(77)}));
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(row("k")->version, at(9));
  EXPECT_EQ(row("k")->clocks.invalidated_at, ms(77));
}

TEST_P(OutboxDrainTest, refused_write_is_parked_on_disk_and_the_others_go_on) {
  store->set_refusal([](const StoreWrite& write) {
    return write.id.key == "k3" ? std::optional<std::string>("no k3") : std::nullopt;
  });
  put_many(6);
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(store->rows(), 5u);
  ASSERT_EQ(journal->parked().size(), 1u);
  EXPECT_EQ(journal->parked()[0].why, "no k3");
  EXPECT_EQ(told.size(), 6u);
  drain->stop();
  disk.kill();
  testing::JournalOnDisk next(disk);
  next.options.directory = log.options.directory;
  ASSERT_TRUE(next.open().ok());
  EXPECT_EQ(next.journal->parked().size(), 1u) << "parking was committed";
}

TEST_P(OutboxDrainTest, matching_erase_is_sent_alone_in_order_I4) {
  put(content("user/1", 1, "1"));
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  put(content("user/2", 2, "1"));
  put(testing::erase_matching("user/*", 3));
  put(content("user/3", 4, "1"));
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(store->calls("erase_matching"), 1u);
  EXPECT_EQ(row("user/1")->kind, EntryKind::tombstone);
  EXPECT_EQ(row("user/3")->kind, EntryKind::document);
  EXPECT_TRUE(row("user/2") == nullptr || row("user/2")->kind == EntryKind::tombstone);
}

TEST_P(OutboxDrainTest, failing_matching_erase_is_retried) {
  put(testing::erase_matching("user/*", 3));
  int calls = 0;
  store->set_fault(
      [&](const std::string&) { return ++calls < 4 ? StoreFault::unavailable : StoreFault::none; });
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(store->calls("erase_matching"), 4u);
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
  EXPECT_EQ(executor.pending(), 1u);
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
  testing::JournalOnDisk next(disk);
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

// A store that breaks its contract.
class BrokenStore final : public Store {
 public:
  std::string describe() const override { return "broken"; }
  StoreLimits limits() const override { return {}; }
  LoadReply load(const std::string&, std::span<const EntryId>, SteadyTime) override { return {}; }
  SaveReply save(const std::string&, std::span<const StoreWrite>, SteadyTime) override {
    if (++calls % 2 == 0) throw std::runtime_error("surprise");
    return {};
  }
  ScanReply scan(const std::string&, const std::string&, const std::string&, std::size_t,
                 SteadyTime) override {
    return {};
  }
  EraseMatchingReply erase_matching(const std::string&, const std::string&, const std::string&,
                                    Version, SteadyTime) override {
    throw 1;
  }
  int calls = 0;
};

TEST_P(OutboxDrainTest, store_that_throws_or_answers_too_little_settles_nothing) {
  const auto broken = std::make_shared<BrokenStore>();
  drain = std::make_unique<OutboxDrain>(journal, broken, breaker, executor, clock, options,
                                        DrainEvents{}, GetParam());
  put_many(2);
  put(testing::erase_matching("x", 1000));
  drain->wake();
  executor.run_for(hours(1));
  EXPECT_GT(broken->calls, 2);
  EXPECT_EQ(journal->stats().unsettled, 3u);
  EXPECT_TRUE(breaker->state().open);
}

INSTANTIATE_TEST_SUITE_P(Seeds, OutboxDrainTest, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace tiercache
