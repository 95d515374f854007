// Calls into the store: one breaker before all of them, and what replies tell beside their answer.
#include "cache/store/store_calls.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/cache/ground.h"
#include "engine/cache/store/scripted_store.h"

namespace tiercache::detail {
namespace {

using Urgency = Breaker::Urgency;

class StoreCallsTest : public ::testing::Test {
 protected:
  LoadReply load(SteadyTime deadline = kNever, Urgency urgency = Urgency::reader) {
    return calls.load({&kId, 1}, deadline, urgency);
  }
  // The store answers `took` later, and its clock is `ahead` of ours by then.
  void store_clock(std::chrono::milliseconds ahead, std::chrono::milliseconds took = 0ms) {
    store->on_load = [=, this](LoadReply& reply) {
      ground.clock->advance(took);
      reply.store_time = ground.clock->wall_now() + ahead;
    };
  }
  std::chrono::milliseconds offset() const {
    return ground.runtime.versions.now() - ground.clock->wall_now();
  }
  void fail(StoreStatus status) {
    store->on_load = [status](LoadReply& reply) {
      reply.status = status;
      reply.message = "out of order";
    };
  }

  std::shared_ptr<ScriptedStore> store = std::make_shared<ScriptedStore>();
  Ground ground{[this](CacheOptions& options) { options.store = store; }};
  StoreRoom room{ground};
  StoreCalls& calls = room.calls;
};

TEST_F(StoreCallsTest, store_that_is_switched_off_or_absent_is_none) {
  Ground off([](CacheOptions& options) { options.flags.store_enabled = false; });
  EXPECT_FALSE(StoreRoom(off).calls.uses_store());
  Ground without([](CacheOptions& options) { options.store = nullptr; });
  EXPECT_FALSE(StoreRoom(without).calls.uses_store());
  EXPECT_TRUE(calls.uses_store());
}

// --- The store's clock ---

TEST_F(StoreCallsTest, clocks_that_differ_by_a_tenth_of_a_second_are_taken_as_alike) {
  for (const auto ahead : {0ms, 100ms, -100ms}) {
    store_clock(ahead);
    load();
    EXPECT_EQ(offset(), 0ms) << ahead.count();
  }
  for (const auto ahead : {101ms, -101ms, 1'000'000ms}) {
    store_clock(ahead);
    load();
    EXPECT_EQ(offset(), ahead);
  }
}

TEST_F(StoreCallsTest, slow_call_tells_the_stores_time_no_better_than_within_its_length) {
  store_clock(2'100ms, 2s);
  load();
  EXPECT_EQ(offset(), 0ms);
  store_clock(2'101ms, 2s);
  load();
  EXPECT_EQ(offset(), 2'101ms);
}

TEST_F(StoreCallsTest, reply_without_a_time_leaves_what_is_known_and_a_good_clock_ends_it) {
  store_clock(1h);
  load();
  store->on_load = {};
  load();
  EXPECT_EQ(offset(), 1h);
  store_clock(50ms);
  load();
  EXPECT_EQ(offset(), 0ms);
}

// --- Who may ask ---

TEST_F(StoreCallsTest, call_ends_at_the_callers_deadline_and_at_most_at_the_usual_one_I7) {
  load(ground.in(1s));
  load(ground.in(1h));
  calls.scan("d", {}, 10);
  calls.changes({}, 1, Urgency::background);
  calls.purge({}, kNever, Urgency::background);
  const SteadyTime usual = ground.in(ground.runtime.options.store_calls.call_timeout);
  EXPECT_EQ(store->deadlines, (std::vector<SteadyTime>{ground.in(1s), usual, usual, usual, usual}));
}

TEST_F(StoreCallsTest, open_breaker_refuses_all_but_what_was_asked_for_by_name) {
  fail(StoreStatus::unavailable);
  EXPECT_EQ(load().message, "out of order");
  const std::size_t asked = store->deadlines.size();
  const LoadReply refused = load();
  EXPECT_EQ(refused.status, StoreStatus::unavailable);
  EXPECT_NE(refused.message.find("not asked"), std::string::npos) << refused.message;
  EXPECT_EQ(calls.scan("d", {}, 10).status, StoreStatus::unavailable);
  EXPECT_EQ(calls.changes({}, 1, Urgency::background).status, StoreStatus::unavailable);
  EXPECT_EQ(calls.purge({}, kNever, Urgency::background).status, StoreStatus::unavailable);
  EXPECT_EQ(store->deadlines.size(), asked);
  EXPECT_EQ(calls.save(store_write(document(1)), ground.in(1s)).status, StoreStatus::ok)
      << "the last tier there is";
}

TEST_F(StoreCallsTest, first_call_that_works_again_tells_that_the_store_is_back_once) {
  fail(StoreStatus::unavailable);
  load();
  store->on_load = {};
  EXPECT_EQ(room.back, 0);
  load(kNever, Urgency::forced);
  EXPECT_EQ(room.back, 1);
  load();
  EXPECT_EQ(room.back, 1);
}

TEST_F(StoreCallsTest, store_that_comes_back_to_a_cache_that_has_gone_tells_nobody) {
  fail(StoreStatus::unavailable);
  load();
  store->on_load = {};
  ground.owner.reset();
  load(kNever, Urgency::forced);
  EXPECT_EQ(room.back, 0);
}

TEST_F(StoreCallsTest, exception_of_the_store_gets_no_further) {
  store->on_load = [](LoadReply&) { throw std::runtime_error("thrown"); };
  EXPECT_EQ(load().status, StoreStatus::unknown);
  EXPECT_EQ(calls.failures.read(), 1u);
  EXPECT_TRUE(calls.breaker()->refuses(Urgency::reader)) << "no permit stays out";
}

// --- What is counted and told ---

TEST_F(StoreCallsTest, calls_are_counted_by_kind_whatever_they_come_to_and_refused_ones_not_I13) {
  load();
  calls.scan("d", {}, 10);
  calls.changes({}, 1, Urgency::background);
  calls.purge({}, kNever, Urgency::background);
  calls.save(store_write(document(1)), ground.in(1s));
  fail(StoreStatus::unknown);
  load();
  load();
  EXPECT_EQ(calls.loads.read(), 3u) << "a scan is a load, and the last one was refused";
  EXPECT_EQ(calls.polls.read(), 1u);
  EXPECT_EQ(calls.purges.read(), 1u);
  EXPECT_EQ(calls.saves.read(), 1u);
  EXPECT_EQ(calls.failures.read(), 1u);
  EXPECT_EQ(calls.latency.read().count, 6u);
}

TEST_F(StoreCallsTest, latency_is_that_of_the_call) {
  store_clock(0ms, 3s);
  load();
  EXPECT_EQ(calls.latency.read().sum, 3s);
}

TEST_F(StoreCallsTest, calls_of_the_drain_count_and_tell_as_the_others) {
  StoreReply reply;
  reply.incarnation = "life 1";
  reply.store_time = ground.clock->wall_now() + 1h;
  calls.drain_called(reply, 2s);
  reply.status = StoreStatus::unknown;
  calls.drain_called(reply, 1s);
  EXPECT_EQ(calls.saves.read(), 2u);
  EXPECT_EQ(calls.failures.read(), 1u);
  EXPECT_EQ(calls.latency.read().sum, 3s);
  EXPECT_EQ(room.named, (std::vector<std::string>{"life 1", "life 1"}));
  EXPECT_EQ(offset(), 1h);
}

TEST_F(StoreCallsTest, reply_that_names_no_incarnation_tells_none) {
  load();
  EXPECT_TRUE(room.named.empty());
  store->on_load = [](LoadReply& reply) { reply.incarnation = "life 1"; };
  load();
  EXPECT_EQ(room.named, std::vector<std::string>{"life 1"});
}

TEST_F(StoreCallsTest, corrupt_row_is_counted_and_what_it_holds_is_told_I2_I9) {
  Entry damaged = document(1, "1");
  damaged.document = std::make_shared<const std::string>("2");
  store->on_load = [&](LoadReply& reply) { reply.entries[1] = shared(damaged); };
  const std::vector<EntryId> ids{{"d", "a"}, {"d", "b"}, {"d", "c"}};
  const LoadReply reply = calls.load(ids, kNever, Urgency::reader);
  EXPECT_TRUE(reply.is_corrupt(1));
  EXPECT_EQ(reply.entries[1], nullptr);
  EXPECT_FALSE(reply.is_corrupt(0) || reply.is_corrupt(2));
  EXPECT_EQ(calls.corrupt_rows.read(), 1u);
  ASSERT_EQ(room.corrupt.size(), 1u);
  EXPECT_EQ(room.corrupt.front().first, ids[1]);
  EXPECT_EQ(room.corrupt.front().second, "2");
}

TEST_F(StoreCallsTest, corrupt_row_whose_text_cannot_be_read_is_counted_alone_I9) {
  store->on_load = [](LoadReply& reply) { reply.corrupt = {true}; };
  EXPECT_TRUE(load().is_corrupt(0));
  EXPECT_EQ(calls.corrupt_rows.read(), 1u);
  EXPECT_TRUE(room.corrupt.empty());
}

TEST_F(StoreCallsTest, load_with_a_permit_makes_the_call_that_it_stands_for) {
  const Breaker::Permit permit = calls.breaker()->ask(Urgency::reader);
  EXPECT_EQ(calls.load({&kId, 1}, permit).status, StoreStatus::ok);
  EXPECT_EQ(calls.load({&kId, 1}, Breaker::Permit{}).status, StoreStatus::unavailable);
  EXPECT_EQ(store->loads.size(), 1u);
}

}  // namespace
}  // namespace tiercache::detail
