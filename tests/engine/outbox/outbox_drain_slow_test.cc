// One write that the store does not answer for in time, and what becomes of all the others.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/outbox/outbox_drain_fixture.h"

namespace tiercache::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Calls that hold a write of `locked` take their whole time and end in doubt.
class LockedStore final : public Store {
 public:
  LockedStore(std::shared_ptr<MemoryStore> rows, std::shared_ptr<ManualClock> clock)
      : rows_(std::move(rows)), clock_(std::move(clock)) {}

  std::string describe() const override { return "locked"; }
  StoreLimits limits() const override { return {}; }
  LoadReply load(const std::string& project, std::span<const EntryId> ids,
                 SteadyTime deadline) override {
    return rows_->load(project, ids, deadline);
  }
  SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                 SteadyTime deadline) override {
    ++saves;
    const bool waits = std::any_of(writes.begin(), writes.end(), [this](const StoreWrite& write) {
      return write.id.key == locked;
    });
    if (!waits) return rows_->save(project, writes, deadline);
    const auto left = deadline - clock_->steady_now();
    times.push_back(std::chrono::duration_cast<milliseconds>(left));
    if (!fails_at_once) clock_->advance(times.back());
    if (meanwhile) meanwhile();
    SaveReply reply;
    reply.status = StoreStatus::unknown;
    reply.message = "a row stayed locked";
    return reply;
  }
  ScanReply scan(const std::string&, const std::string&, const std::string&, std::size_t,
                 SteadyTime) override {
    return {};
  }
  EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                    SteadyTime deadline) override {
    pieces.push_back(erase);
    if (on_piece) on_piece();
    return rows_->erase_matching(project, erase, deadline);
  }

  std::string locked;
  bool fails_at_once = false;
  int saves = 0;
  std::vector<milliseconds> times;  // that the locked one was given
  std::vector<MatchingErase> pieces;
  std::function<void()> on_piece;
  std::function<void()> meanwhile;  // while the locked one waits

 private:
  const std::shared_ptr<MemoryStore> rows_;
  const std::shared_ptr<ManualClock> clock_;
};

class OutboxDrainSlow : public OutboxDrainTest {
 protected:
  OutboxDrainSlow() { begin(); }
  void begin() {
    DrainEvents events;
    events.settled = [this](const UnsettledWrite& write, const SaveResult& result) {
      told.emplace_back(write.write.id.key, result);
    };
    events.slow = [this](const UnsettledWrite& write, const std::string&) {
      slow.push_back(write.write.id.key);
    };
    events.in_doubt = [this](const UnsettledWrite& write) {
      doubted.push_back(write.write.id.key);
    };
    breaker = std::make_shared<Breaker>(clock, options.backoff, GetParam());
    drain = std::make_unique<OutboxDrain>(journal, locking, breaker, executor, clock, options,
                                          std::move(events), GetParam());
    breaker->on_close([this] { drain->hurry(); });
  }
  // Others are answered all the while.
  void keep_reading() {
    locking->meanwhile = [this] { breaker->ended(breaker->ask(Breaker::Urgency::forced), true); };
  }

  std::shared_ptr<LockedStore> locking = std::make_shared<LockedStore>(store, clock);
  std::vector<std::string> slow;
  std::vector<std::string> doubted;
};

TEST_P(OutboxDrainSlow, others_of_its_batch_reach_the_store_within_a_few_calls) {
  keep_reading();
  put_many(40);
  locking->locked = "k7";
  drain->wake();
  ASSERT_TRUE(executor.run_until([&] { return store->rows() == 39; }, minutes(5)));
  EXPECT_LE(locking->times.size(), 3u) << "the batch, its group, and it alone";
  executor.run_for(minutes(1));
  EXPECT_EQ(journal->stats().unsettled, 1u);
  ASSERT_FALSE(slow.empty());
  EXPECT_EQ(std::count(slow.begin(), slow.end(), "k7"), static_cast<std::ptrdiff_t>(slow.size()));
}

TEST_P(OutboxDrainSlow, later_writes_never_wait_for_it) {
  keep_reading();
  put(content("locked", 1, "1"));
  locking->locked = "locked";
  drain->wake();
  executor.run_for(seconds(30));
  for (int i = 0; i < 20; ++i) {
    const std::string key = "later" + std::to_string(i);
    put(content(key, 10 + static_cast<std::uint64_t>(i), "1"));
    drain->wake();
    executor.run_ready();
    ASSERT_NE(row(key), nullptr) << i;
    executor.run_for(seconds(7));
  }
  EXPECT_FALSE(breaker->state().open) << "a store that answers others is not away";
  EXPECT_EQ(journal->stats().unsettled, 1u);
}

TEST_P(OutboxDrainSlow, alone_it_is_given_more_time_each_time_and_arrives_in_the_end_I1) {
  put(content("locked", 1, "1"));
  locking->locked = "locked";
  drain->wake();
  keep_reading();
  executor.run_for(minutes(10));
  ASSERT_GE(locking->times.size(), 4u);
  EXPECT_EQ(locking->times[0], options.call_timeout);
  EXPECT_EQ(locking->times[1], 2 * options.call_timeout);
  EXPECT_EQ(locking->times[2], 4 * options.call_timeout);
  EXPECT_FALSE(doubted.empty());
  locking->locked.clear();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(row("locked")->version, at(1));
  EXPECT_EQ(journal->stats().parked, 0u);
}

// As a trigger of the user's may: at once, for no reason that the port knows.
TEST_P(OutboxDrainSlow, write_that_fails_at_once_each_time_does_not_make_the_store_flap) {
  put(content("bad", 1, "1"));
  locking->locked = "bad";
  locking->fails_at_once = true;
  drain->wake();
  for (int i = 0; i < 600; ++i) {
    executor.run_for(seconds(1));
    const Breaker::Permit poll = breaker->ask(Breaker::Urgency::reader);
    if (poll.is_granted()) breaker->ended(poll, true);
  }
  EXPECT_LE(breaker->state().opened, 8u) << "of 600 looks";
  EXPECT_LE(locking->times.size(), 40u) << "with pauses that grow";
  locking->locked.clear();
  ASSERT_TRUE(run_until_idle());
}

TEST_P(OutboxDrainSlow, newer_write_of_its_key_takes_its_place) {
  put(content("locked", 1, "1"));
  locking->locked = "locked";
  drain->wake();
  executor.run_for(seconds(30));
  put(content("locked", 2, "2"));
  drain->wake();
  locking->locked.clear();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(row("locked")->version, at(2));
}

TEST_P(OutboxDrainSlow, without_retry_a_kick_tries_the_others_apart_from_it) {
  options.retry = false;
  begin();
  put_many(20);
  locking->locked = "k3";
  drain->wake();
  executor.run_for(minutes(1));
  EXPECT_EQ(store->rows(), 0u) << "one attempt each";
  for (int i = 0; i < 3; ++i) {
    drain->kick();
    executor.run_for(minutes(10));
  }
  EXPECT_EQ(store->rows(), 19u);
}

TEST_P(OutboxDrainSlow, kick_tries_it_at_once) {
  put(content("locked", 1, "1"));
  locking->locked = "locked";
  drain->wake();
  executor.run_for(seconds(11));
  locking->locked.clear();
  drain->kick();
  executor.run_ready();
  EXPECT_TRUE(drain->idle());
  EXPECT_NE(row("locked"), nullptr);
}

TEST_P(OutboxDrainSlow, large_matching_erase_goes_in_pieces_between_which_others_pass) {
  options.erase_rows = 100;
  begin();
  for (int i = 0; i < 2'500; ++i) {
    const Record old = content("row" + std::to_string(i), 1, "1");
    store->put_row(kProject, old.id, old.entry);
  }
  put(erase_matching("row*", 5));
  locking->on_piece = [&] {
    if (locking->pieces.size() != 2) return;
    put(content("other", 9, "1"));
    drain->wake();
  };
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  ASSERT_EQ(locking->pieces.size(), 25u);
  for (std::size_t i = 0; i < 25; ++i) {
    EXPECT_EQ(locking->pieces[i].after.has_value(), i > 0);
    EXPECT_EQ(locking->pieces[i].limit, 100u);
  }
  EXPECT_EQ(row("row0")->kind, EntryKind::tombstone);
  EXPECT_EQ(row("row999")->kind, EntryKind::tombstone);
  ASSERT_EQ(told.size(), 2u) << "told once, when all of it is done";
  EXPECT_EQ(told[0].first, "other");
  EXPECT_EQ(told[1].first, "row*");
}

TEST_P(OutboxDrainSlow, matching_erase_that_fails_in_the_middle_goes_on_from_there_with_less) {
  options.erase_rows = 1'000;
  begin();
  for (int i = 0; i < 2'500; ++i) {
    const Record old = content("row" + std::to_string(i), 1, "1");
    store->put_row(kProject, old.id, old.entry);
  }
  put(erase_matching("row*", 5));
  store->set_fault([&](const std::string&) {
    return locking->pieces.size() == 2 ? StoreFault::unknown_undone : StoreFault::none;
  });
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  ASSERT_GE(locking->pieces.size(), 4u);
  EXPECT_EQ(locking->pieces[2].after, locking->pieces[1].after);
  EXPECT_LT(locking->pieces[2].limit, locking->pieces[1].limit);
  EXPECT_EQ(row("row0")->kind, EntryKind::tombstone);
  EXPECT_EQ(row("row999")->kind, EntryKind::tombstone);
}

INSTANTIATE_TEST_SUITE_P(Seeds, OutboxDrainSlow, ::testing::Values(1, 2, 3, 4, 5));

}  // namespace
}  // namespace tiercache::testing
