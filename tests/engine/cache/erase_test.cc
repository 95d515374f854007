#include <gtest/gtest.h>

#include <cerrno>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

// A fetch during which something else happens: the callback begins, then `meanwhile` runs as a task
// of its own, and only then does the callback answer "late". No time passes.
class Overtaken {
 public:
  Overtaken(World& world, std::function<void()> meanwhile)
      : world_(world), meanwhile_(std::move(meanwhile)) {}

  DatasetOptions<JsonText> options() {
    return {.keyed = true, .fresh_for = 1h, .stale_for = 1h, .refresh = [this](RefreshContext&) {
              return answer();
            }};
  }
  int calls() const { return calls_; }

 private:
  std::string answer() {
    if (++calls_ > 1) return "\"later\"";
    const std::shared_ptr<Event> done = world_.executor->make_event();
    world_.executor->post(Lane::compute, [this, done] {
      meanwhile_();
      done->set();
    });
    EXPECT_TRUE(done->wait_until(world_.clock->steady_now() + 1s));
    return "\"late\"";
  }

  World& world_;
  const std::function<void()> meanwhile_;
  int calls_ = 0;
};

TEST(Erase, erased_entry_stays_gone_through_kill_and_hydration_I4) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.store_down();
  data.erase("k");
  world.kill(cache);
  world.store_up();
  cache = world.open();
  data = cache->dataset("d", hydrated());
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
  std::optional<Dataset<JsonText>> data;
  Overtaken fetch(world, [&] { data->erase("k"); });
  data.emplace(cache->dataset("d", fetch.options()));
  data->put("k", "1");
  world.store_down();  // so that its guard in the store does not help
  (void)data->refresh("k");
  ASSERT_EQ(fetch.calls(), 1);
  EXPECT_TRUE(data->get("k", {.reach = Reach::local}).gone());
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(world.store->row("test", {"d", "k"})->kind, EntryKind::tombstone);
  world.kill(cache);
  cache = world.open();
  EXPECT_FALSE(cache->dataset("d", hydrated()).get("k").has_value());
}

TEST(Erase, refresh_of_an_unknown_key_begun_before_its_erase_does_not_bring_it_back_I4_I5) {
  World world;
  auto cache = world.open();
  std::optional<Dataset<JsonText>> data;
  Overtaken fetch(world, [&] { data->erase("k"); });
  data.emplace(cache->dataset("d", fetch.options()));
  world.store_down();  // so that its guard in the store does not help
  (void)data->refresh("k");
  ASSERT_EQ(fetch.calls(), 1);
  EXPECT_TRUE(data->get("k", {.reach = Reach::local}).gone());
}

TEST(Erase, refresh_begun_before_a_matching_erase_does_not_bring_it_back_I4_I5) {
  World world;
  auto cache = world.open();
  std::optional<Dataset<JsonText>> data;
  Overtaken fetch(world, [&] { data->erase_matching("*"); });
  data.emplace(cache->dataset("d", fetch.options()));
  data->put("k", "1");
  world.store_down();  // so that its guard in the store does not help
  (void)data->refresh("k");
  ASSERT_EQ(fetch.calls(), 1);
  EXPECT_FALSE(data->get("k", {.reach = Reach::local}).has_value());
}

TEST(Erase, refresh_begun_before_a_put_does_not_replace_it_I5) {
  World world;
  auto cache = world.open();
  std::optional<Dataset<JsonText>> data;
  Overtaken fetch(world, [&] { data->put("k", "\"put\""); });
  data.emplace(cache->dataset("d", fetch.options()));
  data->put("k", "1");
  world.store_down();  // so that its guard in the store does not help
  (void)data->refresh("k");
  ASSERT_EQ(fetch.calls(), 1);
  EXPECT_EQ(*data->get("k"), "\"put\"");
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "\"put\"");
}

TEST(Erase, later_put_and_later_refresh_may_bring_it_back) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
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
  auto data = cache->dataset("d", hydrated());
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
  data = cache->dataset("d", hydrated());
  ASSERT_TRUE(cache->warm_up());
  EXPECT_FALSE(data.get("session:3").has_value());
  EXPECT_FALSE(data.get("session:pending").has_value());
  data.put("session:3", "4");
  EXPECT_EQ(*data.get("session:3"), "4");
}

TEST(Erase, matching_erase_survives_kill_before_the_store_heard_of_it_I4) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  data.put("session:1", "1");
  data.put("x", "1");
  ASSERT_TRUE(cache->flush());
  world.store_down();
  data.put("session:2", "2");
  data.erase_matching("session:*");
  world.kill(cache);
  cache = world.open();
  data = cache->dataset("d", hydrated());
  EXPECT_FALSE(data.get("session:1").has_value());
  EXPECT_FALSE(data.get("session:2").has_value());
  EXPECT_TRUE(data.get("x").has_value());
  world.store_up();
  ASSERT_TRUE(cache->flush(10min));
  EXPECT_EQ(world.store->row("test", {"d", "session:1"})->kind, EntryKind::tombstone);
}

TEST(Erase, row_that_no_file_has_is_hidden_by_a_matching_erase_on_its_way_I4) {
  World world;
  world.write_elsewhere("session:9", "1");
  world.clock->advance(1s);
  auto cache = world.open();
  auto options = hydrated();
  options.hydrate = Hydrate::none();
  auto data = cache->dataset("d", options);
  world.store->set_fault([](const std::string& operation) {
    return operation == "erase_matching" ? StoreFault::unavailable : StoreFault::none;
  });
  data.erase_matching("session:*");
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(data.get("session:9").has_value());
    world.executor->run_for(10s);
  }
  EXPECT_EQ(world.store->row("test", {"d", "session:9"})->kind, EntryKind::document);
}

TEST(Erase, refresh_after_a_matching_erase_that_no_file_shows_yet_reaches_the_store) {
  World world;
  auto cache = world.open();
  auto options = hydrated();
  options.refresh = [](RefreshContext&) { return std::string("\"fetched\""); };
  auto data = cache->dataset("d", options);
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.disk.set_fault([](const std::string&, const std::string& path) {
    return path.find("/tmp/") != std::string::npos ? ENOSPC : 0;
  });
  data.erase_matching("*");
  EXPECT_EQ(*data.get("k"), "\"fetched\"");
  world.disk.set_fault({});
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(world.store->row("test", {"d", "k"})->kind, EntryKind::document);
  EXPECT_EQ(*data.get("k", {.reach = Reach::local}), "\"fetched\"");
}

TEST(Erase, compare_and_set_sees_a_matching_erase_that_no_file_shows_yet) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  const Version first = data.put("k", "1").version;
  ASSERT_TRUE(cache->flush());
  world.disk.set_fault([](const std::string&, const std::string& path) {
    return path.find("/tmp/") != std::string::npos ? ENOSPC : 0;
  });
  data.erase_matching("*");
  EXPECT_THROW(data.put("k", "2", {.if_version = first}), VersionConflict);
  data.put("k", "2", {.if_version = Version{}});
  EXPECT_EQ(*data.get("k"), "2");
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
  std::optional<Dataset<JsonText>> data;
  Overtaken fetch(world, [&] { data->invalidate("k"); });
  data.emplace(cache->dataset("d", fetch.options()));
  data->put("k", "0");
  (void)data->refresh("k");
  ASSERT_EQ(fetch.calls(), 1);
  const auto snapshot = data->peek("k");
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(*snapshot, "\"late\"");
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

TEST(Erase, invalidation_of_what_is_not_there_does_not_stay_in_the_journal) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  data.invalidate("never");
  data.put("erased", "1");
  data.erase("erased");
  data.invalidate("erased");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(1min);
  EXPECT_EQ(cache->stats().journal_live_records, 0u);
}

}  // namespace
}  // namespace tiercache::testing
