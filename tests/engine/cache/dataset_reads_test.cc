// The reading calls of a dataset: what they refuse, when they end, and what they answer then.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

class ReadingCalls : public ::testing::Test {
 protected:
  DatasetOptions<JsonText> sourced() {
    return {.keyed = true,
            .fresh_for = 1min,
            .hydrate = Hydrate::none(),
            .refresh = [this](RefreshContext&) -> RefreshAnswer<std::string> {
              world.executor->sleep_for(takes);
              if (away) throw std::runtime_error("down");
              return "\"fetched\"";
            }};
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
  Dataset<JsonText> data = cache->dataset("d", sourced());
  std::chrono::milliseconds takes{0};
  bool away = false;
};

TEST_F(ReadingCalls, refresh_that_takes_too_long_says_so_and_goes_on_I7) {
  takes = 5s;
  const auto snapshot = data.refresh("k", 1s);
  EXPECT_FALSE(snapshot.has_value());
  EXPECT_EQ(snapshot.passage().source, TierAnswer::timed_out);
  EXPECT_EQ(snapshot.passage().source_why, "no answer by the call's deadline; the refresh goes on");
  world.executor->run_for(10s);
  EXPECT_EQ(*data.get("k", {.reach = Reach::local}), "\"fetched\"");
}

TEST_F(ReadingCalls, refresh_names_the_source_as_the_tier_that_served) {
  const auto snapshot = data.refresh("k");
  EXPECT_EQ(*snapshot, "\"fetched\"");
  EXPECT_EQ(snapshot.tier(), Tier::source);
  EXPECT_EQ(snapshot.passage().source, TierAnswer::hit);
}

TEST_F(ReadingCalls, closed_cache_answers_from_memory_alone) {
  data.put("k", "1");
  cache->close();
  EXPECT_EQ(*data.get("k"), "1");
  EXPECT_FALSE(data.get("other", {.reach = Reach::memory}).has_value());
  EXPECT_THROW(data.get("other", {.reach = Reach::local}), Closed);
  EXPECT_THROW(data.get_many(std::vector<std::string>{"k"}), Closed);
  EXPECT_THROW(data.refresh("k"), Closed);
  EXPECT_THROW(data.info("k"), Closed);
  EXPECT_THROW(data.keys(), Closed);
  Snapshot<JsonText> answer;
  data.get_async("k", {}, [&](Snapshot<JsonText> snapshot) { answer = std::move(snapshot); });
  world.executor->run_ready();
  EXPECT_FALSE(answer.has_value());
}

TEST_F(ReadingCalls, keys_that_cannot_be_are_refused_by_every_call) {
  const std::string bad(1, '\0');
  EXPECT_THROW(data.get(bad), Error);
  EXPECT_THROW(data.get_many(std::vector<std::string>{"k", bad}), Error);
  EXPECT_THROW(data.get_or_load(bad, [](RefreshContext&) { return std::string("1"); }), Error);
  EXPECT_THROW(data.refresh(bad), Error);
  EXPECT_THROW(data.info(bad), Error);
  Passage passage;
  data.get_async(bad, {}, [&](const auto& snapshot) { passage = snapshot.passage(); });
  world.executor->run_ready();
  EXPECT_FALSE(passage.call_why.empty());
}

TEST_F(ReadingCalls, keys_come_in_pages_and_the_last_one_has_no_next) {
  for (const char* key : {"a", "b", "c", "d"}) data.put(key, "1");
  ASSERT_TRUE(cache->flush());
  const KeyPage first = data.keys({}, 3);
  EXPECT_EQ(first.keys, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(first.next, "c");
  const KeyPage second = data.keys(first.next, 3);
  EXPECT_EQ(second.keys, std::vector<std::string>{"d"});
  EXPECT_FALSE(second.next);
  const KeyPage none = data.keys({}, 0);
  EXPECT_TRUE(none.keys.empty());
  EXPECT_FALSE(none.next);
}

TEST_F(ReadingCalls, info_tells_of_the_entry_and_nothing_of_an_erased_one) {
  EXPECT_FALSE(data.info("k"));
  const PutReceipt receipt = data.put("k", "[1, 2]");
  const auto info = data.info("k");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->version, receipt.version);
  EXPECT_EQ(info->size, 6u);
  EXPECT_EQ(info->last_fetch, world.clock->wall_now());
  EXPECT_TRUE(data.contains("k"));
  data.erase("k");
  EXPECT_FALSE(data.info("k"));
  EXPECT_FALSE(data.contains("k"));
}

TEST_F(ReadingCalls, document_read_from_the_store_is_refreshed_when_it_is_due) {
  int fetched = 0;
  auto scheduled = cache->dataset("d2", {.keyed = true,
                                         .refresh_every = 1h,
                                         .hydrate = Hydrate::none(),
                                         .refresh = [&](RefreshContext&) {
                                           ++fetched;
                                           return std::string("2");
                                         }});
  Entry row;
  row.document = std::make_shared<const std::string>("1");
  row.checksum = Checksum::of("1");
  row.version.time = 1;
  row.clocks.last_fetch = world.clock->wall_now();
  world.store->put_row("test", {"d2", "k"}, row);
  EXPECT_EQ(scheduled.get("k").tier(), Tier::store);
  world.executor->run_for(30min);
  EXPECT_EQ(fetched, 0);
  world.executor->run_for(1h);
  EXPECT_EQ(fetched, 1);
}

TEST_F(ReadingCalls, many_end_at_one_deadline_I7) {
  world.store->on_call([&](const std::string& operation) {
    if (operation == "load") world.executor->sleep_for(1min);
  });
  const auto began = world.clock->steady_now();
  const auto snapshots = data.get_many(std::vector<std::string>{"a", "b", "c"},
                                       {.deadline = 2s, .reach = Reach::store});
  EXPECT_EQ(snapshots.size(), 3u);
  for (const auto& snapshot : snapshots) {
    EXPECT_EQ(snapshot.passage().store, TierAnswer::timed_out);
    EXPECT_EQ(snapshot.passage().store_why, "no answer by the call's deadline");
  }
  EXPECT_GE(world.clock->steady_now() - began, 2s);
  world.executor->run_for(5min);
  world.store->on_call({});
}

TEST_F(ReadingCalls, store_that_is_switched_off_is_told_apart_from_one_that_is_away) {
  cache->close();
  cache = world.open([](CacheOptions& options) { options.flags.store_enabled = false; });
  away = true;
  const Passage passage = cache->dataset("d", sourced()).get("k").passage();
  EXPECT_EQ(passage.store, TierAnswer::disabled);
  EXPECT_EQ(passage.source, TierAnswer::failed);
  EXPECT_FALSE(cache->health().store.enabled);
  EXPECT_EQ(cache->health().store.why, "switched off by the flag store_enabled");
}

}  // namespace
}  // namespace tiercache::testing
