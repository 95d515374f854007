#include <gtest/gtest.h>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

DatasetOptions<JsonText> briefly_fresh() {
  return {.keyed = true, .fresh_for = 10min};
}

TEST(ReadPath, put_is_served_from_memory) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", briefly_fresh());
  const PutReceipt receipt = data.put("k", R"({"a":1})");
  EXPECT_TRUE(receipt.journaled);
  const auto snapshot = data.get("k");
  EXPECT_EQ(*snapshot, R"({"a":1})");
  EXPECT_EQ(snapshot.tier(), Tier::memory);
  EXPECT_EQ(snapshot.freshness(), Freshness::fresh);
  EXPECT_EQ(snapshot.version(), receipt.version);
}

TEST(ReadPath, miss_is_an_outcome_and_dereferencing_it_names_what_each_tier_said) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", briefly_fresh());
  const auto snapshot = data.get("nothing");
  EXPECT_FALSE(snapshot.has_value());
  EXPECT_EQ(snapshot.tier(), Tier::none);
  EXPECT_EQ(snapshot.passage().memory, TierAnswer::miss);
  EXPECT_EQ(snapshot.passage().files, TierAnswer::miss);
  EXPECT_EQ(snapshot.passage().store, TierAnswer::miss);
  try {
    (void)*snapshot;
    FAIL();
  } catch (const NoData& error) {
    EXPECT_NE(std::string(error.what()).find("files: miss"), std::string::npos) << error.what();
  }
}

TEST(ReadPath, each_tier_serves_in_turn) {
  World world;
  auto cache = world.open();
  int calls = 0;
  DatasetOptions<JsonText> options = briefly_fresh();
  options.refresh = [&](RefreshContext& context) {
    ++calls;
    return R"({"key":")" + context.key() + "\"}";
  };
  auto data = cache->dataset("d", options);
  EXPECT_EQ(data.get("k").tier(), Tier::source);
  EXPECT_EQ(data.get("k").tier(), Tier::memory);
  ASSERT_TRUE(cache->flush());
  cache->close();

  cache = world.open();
  data = cache->dataset("d", options);
  EXPECT_EQ(data.get("k").tier(), Tier::files);
  EXPECT_EQ(data.get("k").tier(), Tier::memory);
  cache->close();

  world.wipe();
  cache = world.open();
  options.hydrate = Hydrate::none();
  data = cache->dataset("d", options);
  EXPECT_EQ(data.get("k").tier(), Tier::store);
  EXPECT_EQ(data.get("k").tier(), Tier::memory);
  EXPECT_EQ(calls, 1);
}

TEST(ReadPath, document_of_a_store_that_keeps_values_is_promoted_with_its_own_text_I2) {
  World world;
  world.store->keep_values_only();
  auto cache = world.open();
  const PutReceipt receipt = cache->dataset("d", briefly_fresh()).put("k", "[1]");
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.wipe();
  cache = world.open();
  auto data = cache->dataset("d", {.keyed = true, .hydrate = Hydrate::none()});
  EXPECT_EQ(data.get("k").tier(), Tier::store);
  world.executor->run_for(1s);
  cache->close();
  world.store_down();
  cache = world.open();
  data = cache->dataset("d", briefly_fresh());
  const auto snapshot = data.get("k");
  EXPECT_EQ(snapshot.tier(), Tier::files);
  EXPECT_EQ(*snapshot, "[1] ");
  EXPECT_EQ(snapshot.version(), receipt.version);
}

TEST(ReadPath, memory_is_trusted_for_its_ttl_then_the_file_is_looked_at) {
  World world;
  auto cache = world.open([](CacheOptions& o) { o.memory.ttl = 5min; });
  auto data = cache->dataset("d", briefly_fresh());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(6min);
  EXPECT_EQ(data.get("k").tier(), Tier::files);
  EXPECT_EQ(data.get("k").tier(), Tier::memory);
}

TEST(ReadPath, age_counts_from_the_fetch_in_every_tier) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", briefly_fresh());
  data.put("k", "1");
  world.executor->run_for(3min);
  EXPECT_EQ(data.get("k").age(), 3min);
  cache->close();
  world.clock->advance(1min);
  cache = world.open();
  data = cache->dataset("d", briefly_fresh());
  EXPECT_EQ(data.get("k").age(), 4min);
}

TEST(ReadPath, stale_entry_is_served_at_once_and_refreshed_behind) {
  World world;
  auto cache = world.open();
  int calls = 0;
  auto data = cache->dataset(
      "d", {.keyed = true, .fresh_for = 1min, .stale_for = 1h, .refresh = [&](RefreshContext&) {
              return std::to_string(++calls);
            }});
  data.put("k", "0");
  world.executor->run_for(2min);
  const auto stale = data.get("k");
  EXPECT_EQ(*stale, "0");
  EXPECT_EQ(stale.freshness(), Freshness::stale);
  ASSERT_TRUE(world.run_until([&] { return calls == 1 && *data.peek("k") == "1"; }, 1min));
  EXPECT_EQ(data.get("k").freshness(), Freshness::fresh);
}

TEST(ReadPath, stale_is_served_while_the_source_fails_until_it_expires) {
  World world;
  auto cache = world.open();
  int calls = 0;
  auto data = cache->dataset("d", {.keyed = true,
                                   .fresh_for = 1min,
                                   .stale_for = 10min,
                                   .refresh = [&](RefreshContext&) -> std::string {
                                     ++calls;
                                     throw std::runtime_error("source is down");
                                   }});
  data.put("k", "0");
  for (int minute = 0; minute < 9; ++minute) {
    world.executor->run_for(1min);
    EXPECT_EQ(*data.get("k"), "0") << minute;
    world.executor->run_ready();
  }
  EXPECT_GT(calls, 1);
  EXPECT_LT(calls, 20) << "failures throttle the retries";
  world.executor->run_for(3min);
  const auto gone = data.get("k");
  EXPECT_FALSE(gone.has_value());
  EXPECT_TRUE(gone.passage().source == TierAnswer::failed ||
              gone.passage().source == TierAnswer::throttled);
  EXPECT_FALSE(cache->health().sources.at(0).second.working);
}

TEST(ReadPath, soft_timeout_waits_a_little_for_the_fresh_one) {
  World world;
  auto cache = world.open();
  std::chrono::milliseconds takes = 50ms;
  auto data = cache->dataset("d", {.keyed = true,
                                   .fresh_for = 1min,
                                   .stale_for = 1h,
                                   .soft_timeout = 100ms,
                                   .refresh = [&](RefreshContext&) {
                                     world.executor->sleep_for(takes);
                                     return std::string("\"new\"");
                                   }});
  data.put("k", "0");
  world.executor->run_for(2min);
  EXPECT_EQ(*data.get("k"), "\"new\"");
  world.executor->run_for(2min);
  takes = 10s;
  const auto began = world.clock->steady_now();
  EXPECT_EQ(data.get("k").freshness(), Freshness::stale);
  EXPECT_LE(world.clock->steady_now() - began, 10s);
}

TEST(ReadPath, max_stale_of_zero_wants_only_fresh) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true, .fresh_for = 1min, .stale_for = 1h});
  data.put("k", "0");
  world.executor->run_for(2min);
  EXPECT_TRUE(data.get("k").has_value());
  EXPECT_FALSE(data.get("k", {.max_stale = 0ms}).has_value());
  EXPECT_TRUE(data.get("k", {.max_stale = 5min}).has_value());
}

TEST(ReadPath, reach_bounds_how_far_a_read_goes) {
  World world;
  auto cache = world.open();
  int calls = 0;
  auto data = cache->dataset("d", {.keyed = true, .refresh = [&](RefreshContext&) {
                                     ++calls;
                                     return std::string("1");
                                   }});
  EXPECT_FALSE(data.get("k", {.reach = Reach::memory}).has_value());
  EXPECT_FALSE(data.get("k", {.reach = Reach::local}).has_value());
  EXPECT_FALSE(data.get("k", {.reach = Reach::store}).has_value());
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(*data.get("k"), "1");
}

TEST(ReadPath, local_answer_never_waits_for_a_hung_store_I6) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", briefly_fresh());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.store->on_call([&](const std::string&) { world.executor->sleep_for(1h); });
  cache = world.open();
  data = cache->dataset("d", briefly_fresh());
  const auto began = world.clock->steady_now();
  EXPECT_EQ(data.get("k").tier(), Tier::files);
  EXPECT_EQ(data.get("k").tier(), Tier::memory);
  EXPECT_EQ(world.clock->steady_now(), began);
  world.store->on_call({});
}

TEST(ReadPath, read_ends_at_its_deadline_when_the_source_hangs_I7) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true, .refresh = [&](RefreshContext&) {
                                     world.executor->sleep_for(20s);
                                     return std::string("1");
                                   }});
  Snapshot<JsonText> answer;
  bool answered = false;
  const auto began = world.clock->steady_now();
  std::chrono::nanoseconds took{};
  data.get_async("k", {.deadline = 2s}, [&](Snapshot<JsonText> snapshot) {
    answer = std::move(snapshot);
    answered = true;
    took = world.clock->steady_now() - began;
  });
  EXPECT_FALSE(answered) << "a handler never runs inside the call";
  ASSERT_TRUE(world.run_until([&] { return answered; }, 1min));
  EXPECT_EQ(took, 2s);
  EXPECT_FALSE(answer.has_value());
  EXPECT_EQ(answer.passage().source, TierAnswer::timed_out);
  world.executor->run_for(1min);
  EXPECT_EQ(*data.get("k"), "1") << "the refresh went on behind";
}

TEST(ReadPath, many_readers_of_a_missing_key_share_one_flight_I5) {
  World world;
  auto cache = world.open();
  int calls = 0;
  auto data = cache->dataset("d", {.keyed = true, .refresh = [&](RefreshContext&) {
                                     ++calls;
                                     world.executor->sleep_for(100ms);
                                     return std::string("1");
                                   }});
  int answers = 0;
  for (int i = 0; i < 100; ++i) {
    data.get_async("k", {}, [&](Snapshot<JsonText> snapshot) {
      EXPECT_EQ(*snapshot, "1");
      ++answers;
    });
  }
  ASSERT_TRUE(world.run_until([&] { return answers == 100; }, 10s));
  EXPECT_EQ(calls, 1);
}

TEST(ReadPath, get_many_loads_what_is_missing_in_batches) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true, .fresh_for = 1h, .hydrate = Hydrate::none()});
  std::vector<std::string> keys;
  for (int i = 0; i < 300; ++i) {
    keys.push_back("k" + std::to_string(i));
    data.put(keys.back(), std::to_string(i));
  }
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.wipe();
  cache = world.open();
  data = cache->dataset("d", {.keyed = true, .fresh_for = 1h, .hydrate = Hydrate::none()});
  const auto before = world.store->calls("load");
  const auto snapshots = data.get_many(keys);
  ASSERT_EQ(snapshots.size(), keys.size());
  for (int i = 0; i < 300; ++i)
    EXPECT_EQ(*snapshots[static_cast<std::size_t>(i)], std::to_string(i));
  EXPECT_LE(world.store->calls("load") - before, 10u);
}

TEST(ReadPath, get_many_takes_each_from_the_tier_that_has_it) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", briefly_fresh());
  data.put("file", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  cache = world.open();
  data = cache->dataset("d", briefly_fresh());
  data.put("memory", "2");
  const auto snapshots = data.get_many(std::vector<std::string>{"memory", "none", "file"});
  ASSERT_EQ(snapshots.size(), 3u);
  EXPECT_EQ(*snapshots[0], "2");
  EXPECT_EQ(snapshots[0].tier(), Tier::memory);
  EXPECT_FALSE(snapshots[1].has_value());
  EXPECT_EQ(*snapshots[2], "1");
  EXPECT_EQ(snapshots[2].tier(), Tier::files);
}

TEST(ReadPath, load_whose_outcome_is_unknown_is_told_as_timed_out) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", briefly_fresh());
  world.store->set_fault([](const std::string& operation) {
    return operation == "load" ? StoreFault::unknown_undone : StoreFault::none;
  });
  const Passage passage = data.get("k").passage();
  EXPECT_EQ(passage.store, TierAnswer::timed_out);
  EXPECT_FALSE(passage.store_why.empty());
}

TEST(ReadPath, erased_entry_is_known_to_memory_and_the_file_is_not_looked_at) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", briefly_fresh());
  data.put("k", "1");
  data.erase("k");
  const Passage passage = data.get("k").passage();
  EXPECT_EQ(passage.memory, TierAnswer::gone);
  EXPECT_EQ(passage.files, TierAnswer::not_asked);
}

// As after the store refused what memory has, and another process filed the winner.
TEST(ReadPath, file_counts_where_memory_has_something_newer_that_is_no_write_under_way) {
  World world;
  auto cache = world.open([](CacheOptions& options) { options.store = nullptr; });
  auto data = cache->dataset("d", briefly_fresh());
  const auto file = [&] {
    for (const auto& path : world.disk.files()) {
      if (path.find("/data/") != std::string::npos) return path;
    }
    return std::string();
  };
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  std::string winner;
  ASSERT_TRUE(world.disk.read(file(), &winner));
  data.put("k", "2");
  ASSERT_TRUE(cache->flush());
  world.disk.write(file(), winner);
  EXPECT_EQ(*data.get("k"), "2") << "memory is trusted yet";
  world.executor->run_for(6min);
  const auto snapshot = data.get("k");
  EXPECT_EQ(*snapshot, "1");
  EXPECT_EQ(snapshot.tier(), Tier::files);
  EXPECT_EQ(*data.peek("k"), "1");
}

TEST(ReadPath, refresh_of_a_dataset_without_a_source_is_refused) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", briefly_fresh());
  EXPECT_THROW(data.refresh("k"), BadConfiguration);
}

TEST(ReadPath, corrupt_file_is_kept_aside_and_healed_from_the_store_I9_I2) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", briefly_fresh());
  data.put("k", R"({"good":true})");
  ASSERT_TRUE(cache->flush());
  cache->close();
  std::string damaged_path;
  for (const auto& path : world.disk.files()) {
    std::string bytes;
    if (path.find("/data/") == std::string::npos || !world.disk.read(path, &bytes)) continue;
    bytes[bytes.size() - 5] ^= 1;
    world.disk.write(path, bytes);
    damaged_path = path;
  }
  ASSERT_FALSE(damaged_path.empty());
  cache = world.open();
  DatasetOptions<JsonText> options = briefly_fresh();
  options.hydrate = Hydrate::none();
  data = cache->dataset("d", options);
  const auto healed = data.get("k");
  EXPECT_EQ(*healed, R"({"good":true})");
  EXPECT_EQ(healed.tier(), Tier::store);
  EXPECT_EQ(healed.passage().files, TierAnswer::corrupt);
  EXPECT_EQ(cache->stats().files_quarantined, 1u);
  world.executor->run_for(1s);
  cache->close();
  cache = world.open();
  EXPECT_EQ(cache->dataset("d", options).get("k").tier(), Tier::files);
}

TEST(ReadPath, fallback_is_returned_with_tier_none_and_never_saved) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true, .fallback = "{}"});
  const auto snapshot = data.get("k");
  EXPECT_EQ(*snapshot, "{}");
  EXPECT_TRUE(snapshot.is_fallback());
  EXPECT_EQ(snapshot.tier(), Tier::none);
  EXPECT_EQ(snapshot.freshness(), Freshness::expired);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(world.entry_files(), 0u);
  EXPECT_EQ(world.store->rows(), 0u);
}

TEST(ReadPath, not_found_is_remembered_and_told_from_gone) {
  World world;
  auto cache = world.open();
  int calls = 0;
  auto data = cache->dataset(
      "d", {.keyed = true, .refresh = [&](RefreshContext&) -> RefreshAnswer<std::string> {
              ++calls;
              return NotFound{};
            }});
  EXPECT_TRUE(data.get("k").not_found());
  EXPECT_TRUE(data.get("k").not_found());
  EXPECT_FALSE(data.get("k").gone());
  EXPECT_EQ(calls, 1);
  world.executor->run_for(2min);
  EXPECT_TRUE(data.get("k").not_found());
  EXPECT_EQ(calls, 2);

  auto plain = cache->dataset("plain", briefly_fresh());
  plain.put("k", "1");
  plain.erase("k");
  EXPECT_TRUE(plain.get("k").gone());
  EXPECT_FALSE(plain.get("k").not_found());
}

TEST(ReadPath, other_cache_version_is_undecodable_and_left_alone) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", briefly_fresh());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  cache = world.open();
  DatasetOptions<JsonText> newer = briefly_fresh();
  newer.cache_version = "2.0";
  newer.hydrate = Hydrate::none();
  auto data2 = cache->dataset("d", newer);
  const auto snapshot = data2.get("k");
  EXPECT_FALSE(snapshot.has_value());
  EXPECT_EQ(snapshot.passage().files, TierAnswer::undecodable);
  EXPECT_EQ(world.entry_files(), 1u);
  cache->close();
  cache = world.open();
  EXPECT_EQ(*cache->dataset("d", briefly_fresh()).get("k"), "1");
}

TEST(ReadPath, works_without_a_store) {
  World world;
  auto cache = world.open([](CacheOptions& o) { o.store = nullptr; });
  auto data = cache->dataset("d", briefly_fresh());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.kill(cache);
  cache = world.open([](CacheOptions& o) { o.store = nullptr; });
  EXPECT_EQ(*cache->dataset("d", briefly_fresh()).get("k"), "1");
}

TEST(ReadPath, snapshots_keep_their_value_and_memory_reads_work_after_close) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", briefly_fresh());
  data.put("k", "1");
  const auto snapshot = data.get("k");
  cache->close();
  EXPECT_EQ(*data.peek("k"), "1");
  EXPECT_EQ(*data.get_or_load("k", [](RefreshContext&) { return std::string("2"); }), "1");
  EXPECT_THROW(data.put("k", "2"), Closed);
  EXPECT_THROW(data.get("other"), Closed);
  cache.reset();
  EXPECT_EQ(*snapshot, "1");
  EXPECT_EQ(*data.peek("k"), "1");
}

}  // namespace
}  // namespace tiercache::testing
