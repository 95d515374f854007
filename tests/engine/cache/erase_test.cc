#include <gtest/gtest.h>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

DatasetOptions<JsonText> keyed() {
  return {.keyed = true, .fresh_for = 24h};
}

TEST(Erase, erased_entry_stays_gone_through_kill_and_hydration_I4) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.store_down();
  data.erase("k");
  world.kill(cache);
  world.store_up();
  cache = world.open();
  data = cache->dataset("d", keyed());
  ASSERT_TRUE(cache->warm_up());
  EXPECT_FALSE(data.get("k").has_value());
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(world.store->row("test", {"d", "k"})->kind, EntryKind::tombstone);
  EXPECT_FALSE(data.contains("k"));
  EXPECT_TRUE(data.keys().keys.empty());
}

TEST(Erase, refresh_begun_before_the_erase_does_not_bring_it_back_I4_I5) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true, .refresh = [&](RefreshContext&) {
                                     world.executor->sleep_for(1s);
                                     return std::string("\"late\"");
                                   }});
  data.put("k", "1");
  bool ended = false;
  world.executor->post(Lane::compute, [&] {
    (void)data.refresh("k");
    ended = true;
  });
  world.executor->run_for(500ms);
  data.erase("k");
  ASSERT_TRUE(world.run_until([&] { return ended; }, 1min));
  EXPECT_FALSE(data.get("k", {.reach = Reach::store}).has_value());
}

TEST(Erase, refresh_begun_before_a_put_does_not_replace_it_I5) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true, .refresh = [&](RefreshContext&) {
                                     world.executor->sleep_for(1s);
                                     return std::string("\"late\"");
                                   }});
  data.put("k", "1");
  bool ended = false;
  world.executor->post(Lane::compute, [&] {
    (void)data.refresh("k");
    ended = true;
  });
  world.executor->run_for(500ms);
  data.put("k", "\"put\"");
  ASSERT_TRUE(world.run_until([&] { return ended; }, 1min));
  EXPECT_EQ(*data.get("k"), "\"put\"");
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "\"put\"");
}

TEST(Erase, later_put_and_later_refresh_may_bring_it_back) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed());
  data.put("k", "1");
  data.erase("k");
  EXPECT_TRUE(data.get("k").gone());
  data.put("k", "2");
  EXPECT_EQ(*data.get("k"), "2");
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "2");

  auto fed = cache->dataset("fed", {.keyed = true, .refresh = [](RefreshContext&) { return "3"; }});
  fed.put("k", "1");
  fed.erase("k");
  EXPECT_EQ(*fed.get("k"), "3");
}

TEST(Erase, matching_erase_takes_all_tiers_and_only_the_matching_keys_I4) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed());
  for (int i = 0; i < 20; ++i) data.put(make_key({"session", std::to_string(i)}), "1");
  data.put("other", "2");
  ASSERT_TRUE(cache->flush());
  world.store_down();
  data.put("session:pending", "3");
  data.erase_matching("session:*");
  EXPECT_FALSE(data.get("session:3").has_value());
  EXPECT_FALSE(data.get("session:pending").has_value());
  EXPECT_EQ(*data.get("other"), "2");
  EXPECT_EQ(data.keys().keys, std::vector<std::string>{"other"});
  world.store_up();
  EXPECT_FALSE(data.get("session:3").has_value()) << "filtered while the store still has it";
  ASSERT_TRUE(cache->flush(10min));
  EXPECT_EQ(world.store->row("test", {"d", "session:3"})->kind, EntryKind::tombstone);
  EXPECT_EQ(world.store->row("test", {"d", "other"})->kind, EntryKind::document);
  cache->close();
  cache = world.open();
  data = cache->dataset("d", keyed());
  ASSERT_TRUE(cache->warm_up());
  EXPECT_FALSE(data.get("session:3").has_value());
  EXPECT_FALSE(data.get("session:pending").has_value());
  data.put("session:3", "4");
  EXPECT_EQ(*data.get("session:3"), "4");
}

TEST(Erase, matching_erase_survives_kill_before_the_store_heard_of_it_I4) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed());
  data.put("session:1", "1");
  data.put("x", "1");
  ASSERT_TRUE(cache->flush());
  world.store_down();
  data.put("session:2", "2");
  data.erase_matching("session:*");
  world.kill(cache);
  cache = world.open();
  data = cache->dataset("d", keyed());
  EXPECT_FALSE(data.get("session:1").has_value());
  EXPECT_FALSE(data.get("session:2").has_value());
  EXPECT_TRUE(data.get("x").has_value());
  world.store_up();
  ASSERT_TRUE(cache->flush(10min));
  EXPECT_EQ(world.store->row("test", {"d", "session:1"})->kind, EntryKind::tombstone);
}

TEST(Erase, invalidated_entry_is_stale_keeps_its_document_and_is_refreshed) {
  World world;
  auto cache = world.open();
  int calls = 0;
  auto data = cache->dataset(
      "d", {.keyed = true, .fresh_for = 1h, .stale_for = 1h, .refresh = [&](RefreshContext&) {
              return std::to_string(++calls);
            }});
  data.put("k", "0");
  world.executor->run_for(1s);
  data.invalidate("k");
  const auto stale = data.get("k");
  EXPECT_EQ(*stale, "0");
  EXPECT_EQ(stale.freshness(), Freshness::stale);
  world.executor->run_for(1s);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(*data.get("k"), "1");
  EXPECT_EQ(data.get("k").freshness(), Freshness::fresh);
}

TEST(Erase, refresh_begun_before_an_invalidate_stores_its_content_but_stays_stale) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset(
      "d", {.keyed = true, .fresh_for = 1h, .stale_for = 1h, .refresh = [&](RefreshContext&) {
              world.executor->sleep_for(1s);
              return std::string("\"new\"");
            }});
  data.put("k", "0");
  bool ended = false;
  world.executor->post(Lane::compute, [&] {
    (void)data.refresh("k");
    ended = true;
  });
  world.executor->run_for(500ms);
  data.invalidate("k");
  ASSERT_TRUE(world.run_until([&] { return ended; }, 1min));
  const auto snapshot = data.peek("k");
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(*snapshot, "\"new\"");
  EXPECT_EQ(snapshot.freshness(), Freshness::stale);
}

TEST(Erase, invalidate_survives_restart_and_reaches_the_store) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true, .fresh_for = 1h, .stale_for = 1h});
  data.put("k", "0");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(1s);
  data.invalidate("k");
  world.kill(cache);
  cache = world.open();
  data = cache->dataset("d", {.keyed = true, .fresh_for = 1h, .stale_for = 1h});
  EXPECT_EQ(data.get("k").freshness(), Freshness::stale);
  ASSERT_TRUE(cache->flush());
  EXPECT_TRUE(world.store->row("test", {"d", "k"})->clocks.invalidated_at.has_value());
}

}  // namespace
}  // namespace tiercache::testing
