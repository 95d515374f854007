// What comes of a call of the store: what is settled, parked, sent again, and what it is told of.
#include <gtest/gtest.h>

#include <stdexcept>

#include "engine/outbox/outbox_drain_fixture.h"
#include "outbox/outbox_drain.h"

namespace tiercache::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class OutboxDrainOutcome : public OutboxDrainTest {};

TEST_P(OutboxDrainOutcome, unknown_outcomes_are_retried_and_end_as_saved_I1) {
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

TEST_P(OutboxDrainOutcome, newer_write_during_a_failing_call_is_the_one_that_arrives_I3) {
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

TEST_P(OutboxDrainOutcome, superseded_write_is_settled_and_the_winner_told) {
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

TEST_P(OutboxDrainOutcome, invalidation_outlives_content_that_was_superseded) {
  store->put_row(kProject, id_of("k"), content("k", 9, "1").entry);
  Record guarded = content("k", 5, "2");
  guarded.not_newer_than = at(4);
  put(guarded);
  put(clocks("k", 5, {{}, {}, ms(77)}));
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(row("k")->version, at(9));
  EXPECT_EQ(row("k")->clocks.invalidated_at, ms(77));
}

TEST_P(OutboxDrainOutcome, what_is_outdated_is_not_sent_and_does_not_hold_up_the_others_I4) {
  outdated = [this](const UnsettledWrite& write) {
    if (write.write.id.key != "k0" || write.write.entry.version == at(50)) return false;
    put(content("k0", 50, document("newer")));
    return true;
  };
  put_many(3);
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(row("k0")->version, at(50));
  EXPECT_EQ(row("k1")->version, at(2));
  for (const auto& [key, result] : told) EXPECT_EQ(result.outcome, SaveOutcome::saved) << key;
  EXPECT_EQ(told.size(), 3u) << "the outdated one was never sent";
}

TEST_P(OutboxDrainOutcome, what_is_outdated_once_it_is_saved_is_not_settled_I4) {
  int asked = 0;
  outdated = [&](const UnsettledWrite& write) {
    if (write.write.entry.version == at(50) || ++asked < 2) return false;
    put(content("k0", 50, document("newer")));
    return true;
  };
  put_many(1);
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(row("k0")->version, at(50));
  EXPECT_EQ(told.size(), 1u);
}

TEST_P(OutboxDrainOutcome, outdated_write_whose_successor_is_not_journaled_stays_unsettled_I1) {
  bool disk_full = true;
  outdated = [&](const UnsettledWrite& write) {
    if (write.write.entry.version == at(50)) return false;
    if (!disk_full) put(content("k0", 50, document("newer")));
    return true;
  };
  put_many(1);
  drain->wake();
  EXPECT_FALSE(run_until_idle(seconds(10)));
  EXPECT_FALSE(row("k0"));
  disk_full = false;
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(row("k0")->version, at(50));
}

TEST_P(OutboxDrainOutcome, refused_write_is_parked_on_disk_and_the_others_go_on) {
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
  JournalOnDisk next(disk);
  next.options.directory = log.options.directory;
  ASSERT_TRUE(next.open().ok());
  EXPECT_EQ(next.journal->parked().size(), 1u) << "parking was committed";
}

TEST_P(OutboxDrainOutcome, matching_erase_is_sent_alone_in_order_I4) {
  put(content("user/1", 1, "1"));
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  put(content("user/2", 2, "1"));
  put(erase_matching("user/*", 3));
  put(content("user/3", 4, "1"));
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(store->calls("erase_matching"), 1u);
  EXPECT_EQ(row("user/1")->kind, EntryKind::tombstone);
  EXPECT_EQ(row("user/3")->kind, EntryKind::document);
  EXPECT_TRUE(row("user/2") == nullptr || row("user/2")->kind == EntryKind::tombstone);
}

TEST_P(OutboxDrainOutcome, failing_matching_erase_is_retried) {
  put(erase_matching("user/*", 3));
  int calls = 0;
  store->set_fault(
      [&](const std::string&) { return ++calls < 4 ? StoreFault::unavailable : StoreFault::none; });
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(store->calls("erase_matching"), 4u);
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
  EraseMatchingReply erase_matching(const std::string&, const MatchingErase&, SteadyTime) override {
    throw 1;
  }
  int calls = 0;
};

TEST_P(OutboxDrainOutcome, store_that_throws_or_answers_too_little_settles_nothing) {
  const auto broken = std::make_shared<BrokenStore>();
  drain = std::make_unique<OutboxDrain>(journal, broken, breaker, executor, clock, options,
                                        DrainEvents{}, GetParam());
  put_many(2);
  put(erase_matching("x", 1000));
  drain->wake();
  executor.run_for(hours(1));
  EXPECT_GT(broken->calls, 2);
  EXPECT_EQ(journal->stats().unsettled, 3u);
  EXPECT_TRUE(breaker->state().open);
}

INSTANTIATE_TEST_SUITE_P(Seeds, OutboxDrainOutcome, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace tiercache::testing
