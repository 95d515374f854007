// What the drain asks its owner, what it tells, and how it waits for the answers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "engine/outbox/outbox_drain_fixture.h"

namespace tiercache::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class OutboxDrainEvents : public OutboxDrainTest {
 protected:
  OutboxDrainEvents() { begin(); }
  void begin() {
    DrainEvents events;
    events.settled = [this](const UnsettledWrite& write, const SaveResult& result) {
      told.emplace_back(write.write.id.key, result);
    };
    events.may_send = [this](Breaker::Urgency urgency) {
      asked.push_back(urgency);
      asked_at.push_back(clock->steady_now());
      return may_send;
    };
    events.may_settle = [this](const UnsettledWrite& write, const SaveResult&) {
      ++settle_asked;
      return write.write.id.key != kept_open;
    };
    events.in_doubt = [this](const UnsettledWrite& write) {
      doubted.push_back(write.write.id.key);
    };
    events.slow = [this](const UnsettledWrite& write, const std::string& why) {
      slow.push_back(write.write.id.key + ": " + why);
    };
    events.called = [this](const StoreReply& reply, std::chrono::nanoseconds took) {
      replies.push_back(reply.status);
      times.push_back(took);
    };
    events.rested = [this] { ++rests; };
    breaker = std::make_shared<Breaker>(clock, options.backoff, GetParam());
    drain = std::make_unique<OutboxDrain>(journal, store, breaker, executor, clock, options,
                                          std::move(events), GetParam());
    breaker->on_close([this] { drain->hurry(); });
  }
  void put_row(const std::string& key, std::uint64_t version) {
    store->put_row(kProject, id_of(key), content(key, version, "\"theirs\"").entry);
  }
  OutboxWrite listed(const std::string& key) const {
    for (const OutboxWrite& write :
         journal->list({.state = OutboxState::pending, .limit = SIZE_MAX})) {
      if (write.id.key == key) return write;
    }
    return {};
  }

  bool may_send = true;
  std::string kept_open;
  int settle_asked = 0;
  std::vector<Breaker::Urgency> asked;
  std::vector<SteadyTime> asked_at;
  std::vector<std::string> doubted;
  std::vector<std::string> slow;
  std::vector<std::chrono::nanoseconds> times;
};

TEST_P(OutboxDrainEvents, nothing_is_sent_until_the_store_is_the_one_that_it_is_for) {
  may_send = false;
  put_many(3);
  drain->wake();
  executor.run_for(milliseconds(4'500));
  EXPECT_EQ(store->calls("save"), 0u);
  EXPECT_EQ(asked.size(), 5u) << "at once, and then once a second";
  EXPECT_FALSE(drain->in_flight());
  EXPECT_FALSE(drain->idle());
  EXPECT_EQ(rests, 5) << "it rests between two questions";
  for (const Breaker::Urgency urgency : asked) EXPECT_EQ(urgency, Breaker::Urgency::background);
  may_send = true;
  executor.run_for(seconds(1));
  EXPECT_TRUE(drain->idle());
  EXPECT_EQ(store->rows(), 3u);
}

TEST_P(OutboxDrainEvents, question_waits_for_a_store_that_is_away) {
  put_many(1);
  fail(StoreFault::unavailable);
  drain->wake();
  executor.run_for(hours(2));
  const std::size_t before = asked.size();
  may_send = false;
  executor.run_for(hours(2));
  EXPECT_GT(asked.size(), before);
  EXPECT_LE(asked.size() - before, 7'300u);
}

TEST_P(OutboxDrainEvents, nothing_unsettled_is_nothing_to_ask_about) {
  drain->wake();
  executor.run_for(minutes(1));
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(rests, 1);
  EXPECT_EQ(executor.pending(), 0u);
}

TEST_P(OutboxDrainEvents, without_retry_the_question_is_asked_once_and_by_name) {
  options.retry = false;
  begin();
  may_send = false;
  put_many(1);
  drain->wake();
  executor.run_for(hours(1));
  EXPECT_EQ(asked, std::vector<Breaker::Urgency>{Breaker::Urgency::forced});
  EXPECT_EQ(executor.pending(), 0u);
  may_send = true;
  drain->kick();
  EXPECT_TRUE(run_until_idle());
}

TEST_P(OutboxDrainEvents, kick_asks_by_name_once_and_not_for_what_follows) {
  options.batch_items = 1;
  begin();
  put_many(3);
  drain->kick();
  executor.run_ready();
  ASSERT_GE(asked.size(), 3u);
  EXPECT_EQ(asked[0], Breaker::Urgency::forced);
  EXPECT_EQ(asked[1], Breaker::Urgency::background);
}

TEST_P(OutboxDrainEvents, stop_while_the_owner_is_asked_sends_nothing_and_waits_for_nothing) {
  may_send = false;
  put_many(1);
  drain->wake();
  executor.run_ready();
  drain->stop();
  EXPECT_EQ(executor.pending(), 0u);
  may_send = true;
  executor.run_for(hours(1));
  EXPECT_EQ(store->calls("save"), 0u);
}

TEST_P(OutboxDrainEvents, stop_between_question_and_batch_is_kept) {
  put_many(1);
  drain->wake();
  bool first = true;
  store->on_call([&](const std::string&) {
    if (std::exchange(first, false)) drain->stop();
  });
  fail(StoreFault::unavailable);
  executor.run_for(hours(1));
  EXPECT_EQ(store->calls("save"), 1u);
  EXPECT_EQ(executor.pending(), 0u);
  EXPECT_FALSE(drain->in_flight());
}

// --- Before a write is settled ---

TEST_P(OutboxDrainEvents, superseded_write_stays_unsettled_until_what_won_is_there_I1) {
  put_row("k", 9);
  put(content("k", 5, "\"ours\""));
  put(content("other", 6, "1"));
  kept_open = "k";
  drain->wake();
  executor.run_for(minutes(10));
  EXPECT_EQ(journal->stats().unsettled, 1u);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].first, "other");
  EXPECT_GE(settle_asked, 3) << "it is tried again";
  EXPECT_LE(settle_asked, 100) << "with pauses";
  kept_open.clear();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(told.size(), 2u);
}

TEST_P(OutboxDrainEvents, only_superseded_writes_are_asked_about) {
  store->set_refusal([](const StoreWrite& write) {
    return write.id.key == "refused" ? std::optional<std::string>("no") : std::nullopt;
  });
  put(content("refused", 5, "1"));
  put(content("saved", 6, "1"));
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(settle_asked, 0);
  EXPECT_EQ(told.size(), 2u);
}

// --- What is told ---

TEST_P(OutboxDrainEvents, doubt_is_told_of_each_write_of_an_unknown_call_alone) {
  put_many(3);
  fail(StoreFault::unknown_done);
  drain->wake();
  executor.step();
  EXPECT_EQ(doubted, (std::vector<std::string>{"k0", "k1", "k2"}));
  heal();
  ASSERT_TRUE(run_until_idle());
  doubted.clear();
  fail(StoreFault::unavailable);
  put(content("later", 50, "1"));
  drain->wake();
  executor.run_for(minutes(1));
  EXPECT_TRUE(doubted.empty()) << "refused is not in doubt";
}

TEST_P(OutboxDrainEvents, each_call_is_told_with_its_time) {
  store->on_call([this](const std::string&) { clock->advance(milliseconds(70)); });
  put_many(2);
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  EXPECT_EQ(replies, std::vector<StoreStatus>{StoreStatus::ok});
  EXPECT_EQ(times, std::vector<std::chrono::nanoseconds>{milliseconds(70)});
}

TEST_P(OutboxDrainEvents, call_has_its_timeout_and_no_more) {
  store->on_call([this](const std::string&) { clock->advance(options.call_timeout); });
  put_many(1);
  drain->wake();
  executor.step();
  EXPECT_EQ(replies, std::vector<StoreStatus>{StoreStatus::unavailable});
}

TEST_P(OutboxDrainEvents, refused_write_is_told_to_be_so_with_the_reason) {
  store->set_refusal([](const StoreWrite&) { return std::optional<std::string>("no table"); });
  put_many(1);
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].second.outcome, SaveOutcome::refused);
  EXPECT_EQ(journal->parked().at(0).why, "no table");
}

TEST_P(OutboxDrainEvents, write_that_was_saved_before_is_settled_as_such) {
  const Record record = content("k", 5, "1");
  store->put_row(kProject, record.id, record.entry);
  put(record);
  drain->wake();
  ASSERT_TRUE(run_until_idle());
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].second.outcome, SaveOutcome::already_saved);
}

TEST_P(OutboxDrainEvents, write_that_fails_alone_while_others_work_is_told_and_described) {
  store->set_fault([](const std::string&) { return StoreFault::none; });
  put(content("k", 5, "1"));
  EXPECT_EQ(drain->describe_slow(listed("k")), "");
  int calls = 0;
  store->on_call([&](const std::string&) {
    ++calls;
    breaker->ended(breaker->ask(Breaker::Urgency::forced), true);
  });
  fail(StoreFault::unavailable);
  drain->wake();
  executor.run_for(minutes(2));
  ASSERT_FALSE(slow.empty());
  EXPECT_EQ(slow[0].find("k: "), 0u);
  EXPECT_GT(slow[0].size(), 3u);
  EXPECT_NE(drain->describe_slow(listed("k")).find("did not answer"), std::string::npos);
  heal();
  store->on_call(nullptr);
  ASSERT_TRUE(run_until_idle());
  OutboxWrite gone;
  gone.id = id_of("k");
  EXPECT_EQ(drain->describe_slow(gone), "") << "it is settled";
}

TEST_P(OutboxDrainEvents, slow_write_that_the_disk_would_not_read_once_is_tried_again_I1) {
  for (const Record& record :
       {content("k", 50, "1"), clocks("c", 51, {ms(3), {}, {}}), erase_matching("e*", 52)}) {
    SCOPED_TRACE(record.id.key);
    put(record);
    store->on_call(
        [&](const std::string&) { breaker->ended(breaker->ask(Breaker::Urgency::forced), true); });
    fail(StoreFault::unavailable);
    drain->wake();
    executor.run_for(seconds(30));
    heal();
    disk.set_fault([](const std::string& operation, const std::string& path) {
      return operation == "read_at" && path.ends_with(".seg") ? EIO : 0;
    });
    executor.run_for(minutes(5));
    EXPECT_EQ(journal->stats().unsettled, 1u);
    disk.set_fault({});
    EXPECT_TRUE(run_until_idle(minutes(5))) << "nobody else wakes or kicks it";
    drain->kick();
    ASSERT_TRUE(run_until_idle());
  }
}

// --- Made from unconfirmed writes ---

TEST_P(OutboxDrainEvents, row_that_became_another_one_meanwhile_is_replaced_at_the_second_try) {
  Record made = content("k", 9, "\"mine\"");
  made.not_newer_than = Version{3, 7};
  made.made_from.add(at(7));
  put(made);
  put_row("k", 6);
  int saves = 0;
  store->on_call([&](const std::string& operation) {
    if (operation == "save" && ++saves == 1) put_row("k", 7);
  });
  drain->wake();
  executor.run_ready();
  EXPECT_TRUE(drain->idle()) << "without a pause";
  EXPECT_EQ(row("k")->version, at(9));
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].second.outcome, SaveOutcome::saved);
  EXPECT_EQ(settle_asked, 0);
}

// --- Waiting ---

TEST_P(OutboxDrainEvents, wake_while_it_waits_does_not_cut_the_back_off_short) {
  put_many(1);
  fail(StoreFault::unavailable);
  drain->wake();
  executor.run_for(hours(1));
  const std::uint64_t calls = store->calls("save");
  for (int i = 0; i < 5; ++i) {
    drain->wake();
    executor.run_ready();
  }
  EXPECT_EQ(store->calls("save"), calls);
}

TEST_P(OutboxDrainEvents, hurry_of_a_drain_that_rests_starts_nothing) {
  put_many(1);
  drain->hurry();
  executor.run_for(hours(1));
  EXPECT_EQ(store->calls("save"), 0u);
}

TEST_P(OutboxDrainEvents, hurry_while_it_sends_is_followed_by_a_look_for_more) {
  put_many(1);
  bool first = true;
  store->on_call([&](const std::string&) {
    if (!std::exchange(first, false)) return;
    put(content("later", 50, "1"));
    drain->hurry();
  });
  drain->wake();
  executor.run_ready();
  EXPECT_TRUE(drain->idle());
  EXPECT_NE(row("later"), nullptr);
}

TEST_P(OutboxDrainEvents, kick_while_it_sends_is_not_forgotten_where_the_call_works) {
  options.batch_items = 1;
  begin();
  put_many(4);
  bool first = true;
  store->on_call([&](const std::string&) {
    if (std::exchange(first, false)) drain->kick();
  });
  drain->wake();
  executor.run_ready();
  EXPECT_TRUE(drain->idle());
  EXPECT_EQ(asked.at(1), Breaker::Urgency::forced);
}

TEST_P(OutboxDrainEvents, kick_during_the_back_off_of_the_disk_reads_at_once) {
  put_many(2);
  disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "read_at" && path.ends_with(".seg") ? EIO : 0;
  });
  drain->wake();
  executor.run_for(hours(1));
  disk.set_fault({});
  drain->kick();
  executor.run_ready();
  EXPECT_TRUE(drain->idle());
}

TEST_P(OutboxDrainEvents, back_off_of_the_disk_begins_anew_once_it_was_read) {
  put_many(1);
  bool refuse = true;
  disk.set_fault([&](const std::string& operation, const std::string& path) {
    return refuse && operation == "read_at" && path.ends_with(".seg") ? EIO : 0;
  });
  drain->wake();
  executor.run_for(hours(3));
  refuse = false;
  drain->kick();
  ASSERT_TRUE(run_until_idle());
  refuse = true;
  put(content("later", 50, "1"));
  drain->wake();
  executor.run_ready();
  refuse = false;
  executor.run_for(options.backoff.first);
  EXPECT_TRUE(drain->idle()) << "the first pause is short again";
  disk.set_fault({});
}

INSTANTIATE_TEST_SUITE_P(Seeds, OutboxDrainEvents, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace tiercache::testing
