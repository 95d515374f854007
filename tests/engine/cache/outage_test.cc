// A store that is away: who asks it, who does not, and how it is noticed to be back.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

class OutageTest : public ::testing::Test {
 protected:
  void open(const std::function<void(CacheOptions&)>& adjust = {}) {
    cache = world.open([&](CacheOptions& options) {
      options.store_calls.poll_every = 0ms;  // nobody but reads and the drain
      if (adjust) adjust(options);
    });
    data.emplace(cache->dataset("d", keyed()));
    ASSERT_TRUE(cache->flush());
  }
  // From now on a call takes its whole deadline and then says that it does not know.
  void hang() {
    world.store->on_call([this](const std::string&) { world.clock->advance(10s); });
  }
  void heal() {
    world.store->on_call({});
    world.store_up();
  }
  std::uint64_t calls() const { return world.store->calls("load") + world.store->calls("save"); }

  World world;
  std::unique_ptr<Cache> cache;
  std::optional<Dataset<JsonText>> data;
};

TEST_F(OutageTest, hung_store_costs_one_caller_per_probe_I7) {
  open();
  hang();
  std::vector<std::string> whys;
  const auto read_all = [&](int count) {
    whys.clear();
    int answered = 0;
    for (int i = 0; i < count; ++i) {
      data->get_async("k" + std::to_string(i), {.deadline = 60s}, [&](const auto& snapshot) {
        ++answered;
        whys.push_back(snapshot.passage().store_why);
      });
    }
    EXPECT_TRUE(world.run_until([&] { return answered == count; }, 1min));
  };
  read_all(3);
  const std::uint64_t before = calls();
  read_all(50);
  EXPECT_EQ(calls(), before) << "the store was found away a moment ago";
  for (const std::string& why : whys) {
    EXPECT_NE(why.find("not asked"), std::string::npos) << why;
  }
  world.clock->advance(5s);
  read_all(50);
  EXPECT_EQ(calls(), before + 1);
  EXPECT_EQ(
      std::count_if(whys.begin(), whys.end(),
                    [](const auto& why) { return why.find("not asked") == std::string::npos; }),
      1);
}

TEST_F(OutageTest, readers_do_not_wait_for_the_probe_of_another_I7) {
  open();
  world.store_down();
  for (int i = 0; i < 10; ++i) data->get("k");
  ASSERT_FALSE(cache->health().store.working);
  world.store_up();
  world.store->on_call([this](const std::string&) { world.executor->sleep_for(5s); });
  world.clock->advance(5s);
  const SteadyTime began = world.clock->steady_now();
  std::vector<std::chrono::nanoseconds> took;
  for (int i = 0; i < 20; ++i) {
    data->get_async(i % 2 == 0 ? "even" : "odd", {.deadline = 60s},
                    [&](const auto&) { took.push_back(world.clock->steady_now() - began); });
  }
  ASSERT_TRUE(world.run_until([&] { return took.size() == 20; }, 1min));
  EXPECT_EQ(std::count(took.begin(), took.end(), 0ns), 19);
  EXPECT_EQ(took.back(), 5s);
  world.store->on_call({});
}

TEST_F(OutageTest, refused_read_neither_waits_nor_moves_time_I6_I7) {
  open();
  world.store_down();
  (void)data->get("k");
  hang();
  const SteadyTime before = world.clock->steady_now();
  const auto snapshot = data->get("k", {.deadline = 60s});
  EXPECT_EQ(world.clock->steady_now(), before);
  EXPECT_EQ(snapshot.passage().store, TierAnswer::unavailable);
  EXPECT_NE(snapshot.passage().to_string().find("not asked"), std::string::npos);
}

TEST_F(OutageTest, health_and_stats_tell_since_when_why_and_when_it_is_tried_again) {
  open();
  EXPECT_TRUE(cache->health().store.working);
  EXPECT_FALSE(cache->health().store.next_probe);
  world.store_down();
  const WallTime before = world.clock->wall_now();
  (void)data->get("k");
  (void)data->get("k");
  const TierHealth store = cache->health().store;
  EXPECT_FALSE(store.working);
  EXPECT_EQ(store.since, before);
  EXPECT_GT(store.next_probe, before);
  EXPECT_EQ(store.why, "fault asked for by the test");
  EXPECT_EQ(cache->stats().store_outages, 1u);
  EXPECT_EQ(cache->stats().store_not_asked, 0u);
  heal();
  world.clock->advance(5s);
  (void)data->get("k");
  EXPECT_TRUE(cache->health().store.working);
  EXPECT_GE(cache->stats().store_probes, 1u);
}

// As where another transaction has locked the table of the entries, and not that of the changes.
TEST_F(OutageTest, store_that_tells_changes_and_takes_no_write_does_not_work_I13) {
  open([](CacheOptions& options) { options.store_calls.poll_every = 100ms; });
  world.store->set_fault([](const std::string& operation) {
    return operation == "save" ? StoreFault::unknown_undone : StoreFault::none;
  });
  world.store->on_call([this](const std::string& operation) {
    if (operation == "save") world.executor->sleep_for(500ms);
  });
  data->put("a", "1");
  data->put("b", "1");
  ASSERT_TRUE(world.run_until([&] { return !cache->health().store.working; }, 1min));
  const std::uint64_t polls = world.store->calls("changes");
  ASSERT_TRUE(world.run_until([&] { return world.store->calls("changes") > polls + 3; }, 1min));
  const TierHealth store = cache->health().store;
  EXPECT_FALSE(store.working) << "that it answers others does not make it so";
  EXPECT_NE(store.why.find("one write of dataset d"), std::string::npos) << store.why;
  EXPECT_TRUE(store.since);
  EXPECT_EQ(cache->stats().store_outages, 0u) << "reads ask it";
  heal();
  ASSERT_TRUE(cache->flush());
  EXPECT_TRUE(cache->health().store.working);
  EXPECT_TRUE(cache->health().all_working());
}

TEST_F(OutageTest, one_read_that_is_answered_lets_the_whole_outbox_go_at_once_I1) {
  open([](CacheOptions& options) { options.store_calls.batch_items = 10; });
  world.store_down();
  for (int i = 0; i < 200; ++i) data->put("k" + std::to_string(i), "1");
  world.executor->run_for(6h);
  ASSERT_EQ(cache->stats().outbox_depth, 200u);
  heal();
  world.clock->advance(5s);
  const SteadyTime before = world.clock->steady_now();
  (void)data->get("unknown");
  ASSERT_TRUE(world.run_until([&] { return cache->stats().outbox_depth == 0; }, 1ms));
  EXPECT_LE(world.clock->steady_now() - before, 1ms);
  EXPECT_EQ(world.store->rows(), 200u);
}

TEST_F(OutageTest, flush_tries_the_store_whatever_the_pause_I1) {
  open();
  world.store_down();
  data->put("k", "1");
  world.executor->run_for(6h);
  heal();
  EXPECT_TRUE(cache->flush(1ms));
  EXPECT_EQ(world.store->rows(), 1u);
}

TEST_F(OutageTest, write_that_only_the_store_can_take_is_tried_while_it_counts_as_away_I1) {
  open();
  world.store_down();
  (void)data->get("k");
  heal();
  world.disk.set_fault([](const std::string& operation, const std::string&) {
    return operation.starts_with("write") || operation.starts_with("sync") ||
                   operation == "create" || operation == "allocate"
               ? ENOSPC
               : 0;
  });
  const PutReceipt put = data->put("k", "1");
  EXPECT_TRUE(put.stored);
  EXPECT_TRUE(cache->health().store.working);
  world.disk.set_fault({});
}

}  // namespace
}  // namespace tiercache::testing
