// Many waiting reads with few calls, and a single one where the store is only tried again.
#include "cache/store/store_reader.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/ground.h"
#include "engine/cache/store/scripted_store.h"

namespace tiercache::detail {
namespace {

class StoreReaderTest : public ::testing::Test {
 protected:
  void load(const std::string& key) {
    room.reader.load({"d", key}, [this, key](const LoadedRow& row) { told[key].push_back(row); });
  }
  void load_many(int count) {
    for (int i = 0; i < count; ++i) load("k" + std::to_string(i));
  }
  // How many reads were answered so, each of which may be answered once.
  int answered(StoreStatus status) const {
    int count = 0;
    for (const auto& [key, rows] : told) {
      for (const LoadedRow& row : rows) count += row.status == status ? 1 : 0;
    }
    return count;
  }
  std::size_t ids_of_call(std::size_t call) const { return store->loads.at(call).size(); }
  // The breaker is open, and its pause is over: the next call is a probe.
  void open_breaker_and_wait() {
    store->on_load = [](LoadReply& reply) { reply.status = StoreStatus::unavailable; };
    load("opens");
    ground.run_ready();
    told.clear();
    store->loads.clear();
    store->on_load = {};
    ground.clock->advance(10s);
  }

  std::shared_ptr<ScriptedStore> store = std::make_shared<ScriptedStore>();
  Ground ground{[this](CacheOptions& options) { options.store = store; }};
  StoreRoom room{ground};
  std::map<std::string, std::vector<LoadedRow>> told;
};

TEST_F(StoreReaderTest, reads_that_wait_share_a_call_of_a_hundred_keys) {
  load_many(150);
  EXPECT_TRUE(told.empty()) << "no thread of the caller's is taken";
  ground.run_ready();
  EXPECT_EQ(answered(StoreStatus::ok), 150);
  ASSERT_EQ(store->loads.size(), 2u);
  EXPECT_EQ(ids_of_call(0), 100u);
  EXPECT_EQ(ids_of_call(1), 50u);
}

TEST_F(StoreReaderTest, reads_of_one_key_share_one_load) {
  store->on_load = [](LoadReply& reply) { reply.entries[0] = shared(document(1, "row")); };
  for (int i = 0; i < 3; ++i) load("k");
  ground.run_ready();
  ASSERT_EQ(told["k"].size(), 3u);
  for (const LoadedRow& row : told["k"]) EXPECT_EQ(text_of(row.entry), "row");
  ASSERT_EQ(store->loads.size(), 1u);
  EXPECT_EQ(ids_of_call(0), 1u);
}

TEST_F(StoreReaderTest, read_that_comes_while_a_call_is_out_gets_a_call_of_its_own) {
  store->on_load = [this](LoadReply&) {
    if (store->loads.size() == 1) load("k");
  };
  load("k");
  ground.run_ready();
  EXPECT_EQ(told["k"].size(), 2u);
  EXPECT_EQ(store->loads.size(), 2u) << "the row may have changed since the first was read";
}

TEST_F(StoreReaderTest, two_calls_are_out_at_once_and_no_third) {
  int out = 0, most = 0;
  store->on_load = [&](LoadReply&) {
    most = std::max(most, ++out);
    if (store->loads.size() < 10) load("more" + std::to_string(store->loads.size()));
    ground.executor->sleep_for(1s);
    --out;
  };
  for (int i = 0; i < 5; ++i) load("k" + std::to_string(i));
  ground.run_for(1min);
  EXPECT_EQ(most, 2);
  EXPECT_EQ(out, 0);
}

TEST_F(StoreReaderTest, rows_absent_corrupt_and_found_are_told_each_to_its_own_I9) {
  store->on_load = [](LoadReply& reply) {
    reply.entries[0] = shared(document(1, "row"));
    reply.corrupt = {false, true, false};
  };
  for (const char* key : {"a", "b", "c"}) load(key);
  ground.run_ready();
  EXPECT_EQ(text_of(told["a"].front().entry), "row");
  EXPECT_TRUE(told["b"].front().corrupt);
  EXPECT_EQ(told["b"].front().entry, nullptr);
  EXPECT_FALSE(told["c"].front().corrupt);
  EXPECT_EQ(told["c"].front().entry, nullptr);
}

TEST_F(StoreReaderTest, call_that_fails_tells_all_who_waited_why_and_has_no_rows) {
  store->on_load = [](LoadReply& reply) {
    reply.status = StoreStatus::unknown;
    reply.message = "broken pipe";
    reply.entries[0] = shared(document(1));
  };
  load_many(3);
  ground.run_ready();
  EXPECT_EQ(answered(StoreStatus::unknown), 3);
  EXPECT_EQ(told["k0"].front().message, "broken pipe");
  EXPECT_EQ(told["k0"].front().entry, nullptr);
}

TEST_F(StoreReaderTest, reads_are_answered_at_once_while_the_breaker_is_open_I6) {
  open_breaker_and_wait();
  store->on_load = [](LoadReply& reply) { reply.status = StoreStatus::unavailable; };
  load("probe");
  ground.run_ready();
  load_many(3);
  ground.run_ready();
  EXPECT_EQ(answered(StoreStatus::unavailable), 4);
  EXPECT_EQ(store->loads.size(), 1u) << "the probe alone";
}

TEST_F(StoreReaderTest,
       when_the_store_is_tried_again_one_read_goes_and_the_others_are_answered_I6) {
  open_breaker_and_wait();
  int answered_before = -1;
  store->on_load = [&](LoadReply&) { answered_before = answered(StoreStatus::unavailable); };
  load_many(150);
  load("k0");
  ground.run_ready();
  ASSERT_EQ(store->loads.size(), 1u);
  EXPECT_EQ(ids_of_call(0), 1u);
  EXPECT_EQ(answered_before, 150) << "of whom nobody waits for a store that may hang";
  EXPECT_EQ(answered(StoreStatus::ok), 1);
  load_many(3);
  ground.run_ready();
  EXPECT_EQ(answered(StoreStatus::ok), 4) << "it works again";
}

TEST_F(StoreReaderTest, reads_that_waited_when_the_breaker_opened_are_answered_without_a_call) {
  load_many(150);
  room.calls.breaker()->ended(room.calls.breaker()->ask(Breaker::Urgency::forced), false, "away");
  ground.run_ready();
  EXPECT_EQ(answered(StoreStatus::unavailable), 150);
  EXPECT_TRUE(store->loads.empty());
}

// Of the two calls that were asked for the second finds nothing to load.
TEST_F(StoreReaderTest, probe_with_nothing_to_load_is_given_back) {
  open_breaker_and_wait();
  load("a");
  room.reader.close();
  ground.run_ready();
  EXPECT_TRUE(store->loads.empty());
  EXPECT_FALSE(room.calls.breaker()->refuses(Breaker::Urgency::reader)) << "the next one may go";
  load("b");
  ground.run_ready();
  EXPECT_EQ(told["b"].front().status, StoreStatus::ok);
}

TEST_F(StoreReaderTest, close_answers_who_still_waits_once) {
  load_many(3);
  room.reader.close();
  EXPECT_EQ(answered(StoreStatus::unavailable), 3);
  EXPECT_EQ(told["k0"].front().message, "the cache is closing");
  ground.run_ready();
  EXPECT_EQ(told["k0"].size(), 1u);
  EXPECT_TRUE(store->loads.empty());
}

}  // namespace
}  // namespace tiercache::detail
