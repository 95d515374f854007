// Refreshes that bring the document that is there already: only clocks move, in every tier.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

const std::string kText = R"({"a":1})";

class Unchanged : public ::testing::Test {
 protected:
  Unchanged() {
    first = data().put("k", kText).version;
    EXPECT_TRUE(cache->flush());
    world.clock->advance(2h);
  }
  Dataset<JsonText> data() {
    DatasetOptions<JsonText> options{
        .keyed = true, .fresh_for = 1h, .stale_for = 24h, .hydrate = Hydrate::none()};
    options.cache_version = cache_version;
    options.refresh = [this](RefreshContext&) { return source; };
    return cache->dataset("d", options);
  }
  void refresh() { EXPECT_TRUE(data().refresh("k").has_value()); }
  Entry row() const { return *world.store->row("test", kId); }
  std::uint64_t unchanged() const { return cache->stats().datasets.front().unchanged; }
  void reopen() {
    cache->close();
    cache = world.open();
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
  std::string cache_version = "1.0";
  Refreshed<std::string> source{.value = kText};
  Version first;
};

TEST_F(Unchanged, refresh_moves_clocks_alone_in_every_tier) {
  ASSERT_EQ(data().peek("k").freshness(), Freshness::stale);
  refresh();
  EXPECT_EQ(data().peek("k").freshness(), Freshness::fresh);
  EXPECT_EQ(data().peek("k").version(), first);
  EXPECT_EQ(unchanged(), 1u);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row().version, first);
  EXPECT_EQ(row().clocks.last_fetch, data().info("k")->last_fetch);
  reopen();
  EXPECT_EQ(data().get("k").tier(), Tier::files);
  EXPECT_EQ(data().get("k").freshness(), Freshness::fresh);
  EXPECT_EQ(data().get("k").version(), first);
}

TEST_F(Unchanged, clocks_survive_a_kill_before_the_file_is_written_I1) {
  world.store_down();
  refresh();
  world.kill(cache);
  cache = world.open();
  EXPECT_EQ(data().get("k").freshness(), Freshness::fresh);
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row().clocks.last_fetch, data().info("k")->last_fetch);
}

TEST_F(Unchanged, where_memory_is_empty_the_file_is_looked_at) {
  reopen();
  refresh();
  EXPECT_EQ(data().get("k").version(), first);
}

TEST_F(Unchanged, other_text_of_the_same_value_is_another_document) {
  source.value = R"({"a": 1})";
  refresh();
  EXPECT_EQ(*data().get("k"), source.value);
  EXPECT_GT(data().get("k").version(), first);
  EXPECT_EQ(unchanged(), 0u);
}

TEST_F(Unchanged, metadata_goes_along) {
  source.metadata = R"({"by":"me"})";
  refresh();
  EXPECT_EQ(data().get("k").version(), first);
  EXPECT_EQ(data().get("k").metadata(), source.metadata);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row().metadata, source.metadata);
}

TEST_F(Unchanged, another_lifetime_is_a_change) {
  source.fresh_for = 5min;
  refresh();
  EXPECT_GT(data().get("k").version(), first);
}

TEST_F(Unchanged, another_cache_version_is_a_change) {
  reopen();
  cache_version = "2.0";
  refresh();
  EXPECT_GT(data().get("k").version(), first);
  EXPECT_EQ(*data().get("k"), kText);
}

TEST_F(Unchanged, invalidated_document_is_fresh_again) {
  data().invalidate("k");
  refresh();
  EXPECT_EQ(data().get("k").freshness(), Freshness::fresh);
  EXPECT_EQ(data().get("k").version(), first);
}

TEST_F(Unchanged, invalidation_holds_after_a_fetch_by_a_clock_that_was_ahead) {
  const WallTime right = world.clock->wall_now();
  world.clock->set_wall(right + 30s);
  refresh();
  ASSERT_EQ(data().peek("k").version(), first);
  world.clock->set_wall(right);
  data().invalidate("k");
  EXPECT_EQ(data().peek("k").freshness(), Freshness::stale);
}

TEST_F(Unchanged, put_of_the_same_document_is_a_write_and_wins_I1) {
  EXPECT_GT(data().put("k", kText).version, first);
  Entry theirs = row();
  ++theirs.version.time;
  theirs.document = std::make_shared<const std::string>("2");
  theirs.checksum = Checksum::of("2");
  world.store->put_row("test", kId, theirs);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*row().document, kText);
}

TEST_F(Unchanged, what_the_store_may_yet_refuse_is_no_ground_to_leave_the_document_out) {
  world.store_down();
  source.value = "2";
  refresh();
  const Version guarded = data().get("k").version();
  world.clock->advance(1s);
  refresh();
  EXPECT_GT(data().get("k").version(), guarded);
  EXPECT_EQ(unchanged(), 0u);
}

TEST_F(Unchanged, document_as_a_store_of_values_gives_it_back_is_the_same) {
  cache->close();
  world.wipe();
  world.store->keep_values_only();
  cache = world.open();
  ASSERT_EQ(data().get("k", {.reach = Reach::store}).tier(), Tier::store);
  world.executor->run_for(1s);
  refresh();
  EXPECT_EQ(data().get("k").version(), first);
}

TEST_F(Unchanged, newer_row_that_the_clocks_meet_is_taken) {
  cache->close();
  cache = world.open([](CacheOptions& options) { options.store_calls.poll_every = 0s; });
  Entry theirs = row();
  theirs.version.time += 5;
  theirs.document = std::make_shared<const std::string>("2");
  theirs.checksum = Checksum::of("2");
  world.store->put_row("test", kId, theirs);
  data().invalidate("k", {.durability = Durability::store});
  ASSERT_TRUE(world.run_until([&] { return data().info("k")->version == theirs.version; }, 100ms));
  EXPECT_EQ(*data().peek("k"), "2");
  EXPECT_EQ(data().peek("k").freshness(), Freshness::stale) << "the invalidation holds for it too";
  EXPECT_TRUE(row().clocks.invalidated_at);
}

TEST_F(Unchanged, store_that_has_no_row_gets_the_document_again_I1) {
  cache->close();
  world.store = std::make_shared<MemoryStore>(world.clock);
  world.store->set_limits({});
  cache = world.open();
  refresh();
  ASSERT_TRUE(world.run_until([&] { return world.store->row("test", kId) != nullptr; }));
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row().version, first);
  EXPECT_EQ(*row().document, kText);
  EXPECT_EQ(row().clocks.last_fetch, data().info("k")->last_fetch);
}

TEST_F(Unchanged, document_that_was_sent_again_leaves_the_journal) {
  world.store->drop_row("test", kId);
  refresh();
  ASSERT_TRUE(cache->flush());
  ASSERT_EQ(row().version, first);
  world.executor->run_for(1min);
  EXPECT_EQ(cache->stats().journal_live_records, 0u);
}

TEST_F(Unchanged, store_that_has_no_row_gets_the_document_once_the_disk_takes_it_I1) {
  cache->close();
  world.store = std::make_shared<MemoryStore>(world.clock);
  world.store_down();
  cache = world.open();
  refresh();
  world.disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "write_at" ? ENOSPC : 0;
  });
  world.store_up();
  cache->flush(10s);
  world.disk.set_fault({});
  EXPECT_TRUE(cache->flush());
  ASSERT_NE(world.store->row("test", kId), nullptr);
  EXPECT_EQ(*row().document, kText);
}

TEST_F(Unchanged, erased_row_is_not_brought_back_by_clocks_I4) {
  Entry tombstone = row();
  tombstone.kind = EntryKind::tombstone;
  tombstone.document = nullptr;
  tombstone.checksum = {};
  ++tombstone.version.time;
  world.store->put_row("test", kId, tombstone);
  data().refresh("k");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(1min);
  EXPECT_EQ(row().kind, EntryKind::tombstone);
}

}  // namespace
}  // namespace tiercache::testing
