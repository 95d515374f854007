// Writes of the document that is there already: only clocks move, in every tier.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

const EntryId kId{"d", "k"};

DatasetOptions<JsonText> keyed() {
  return {.keyed = true, .fresh_for = 1h, .stale_for = 24h, .hydrate = Hydrate::none()};
}

class Unchanged : public ::testing::Test {
 protected:
  Unchanged() {
    first = data().put("k", R"({"a":1})").version;
    EXPECT_TRUE(cache->flush());
    world.clock->advance(2h);
  }
  Dataset<JsonText> data() { return cache->dataset("d", keyed()); }
  Entry row() const { return *world.store->row("test", kId); }
  std::uint64_t unchanged() const { return cache->stats().datasets.front().unchanged; }
  void reopen() {
    cache->close();
    cache = world.open();
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
  Version first;
};

TEST_F(Unchanged, put_moves_clocks_alone_in_every_tier) {
  ASSERT_EQ(data().get("k").freshness(), Freshness::stale);
  const PutReceipt receipt = data().put("k", R"({"a":1})");
  EXPECT_TRUE(receipt.journaled);
  EXPECT_EQ(receipt.version, first);
  EXPECT_EQ(data().get("k").freshness(), Freshness::fresh);
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
  data().put("k", R"({"a":1})");
  world.kill(cache);
  cache = world.open();
  EXPECT_EQ(data().get("k").freshness(), Freshness::fresh);
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row().clocks.last_fetch, data().info("k")->last_fetch);
}

TEST_F(Unchanged, put_where_memory_is_empty_looks_into_the_file) {
  reopen();
  EXPECT_EQ(data().put("k", R"({"a":1})").version, first);
  EXPECT_EQ(data().get("k").freshness(), Freshness::fresh);
}

TEST_F(Unchanged, other_text_of_the_same_value_is_another_document) {
  EXPECT_GT(data().put("k", R"({"a": 1})").version, first);
  EXPECT_EQ(*data().get("k"), R"({"a": 1})");
  EXPECT_EQ(unchanged(), 0u);
}

TEST_F(Unchanged, metadata_goes_along) {
  EXPECT_EQ(data().put("k", R"({"a":1})", {.metadata = R"({"by":"me"})"}).version, first);
  EXPECT_EQ(data().get("k").metadata(), R"({"by":"me"})");
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row().metadata, R"({"by":"me"})");
}

TEST_F(Unchanged, another_lifetime_is_a_change) {
  EXPECT_GT(data().put("k", R"({"a":1})", {.fresh_for = 5min}).version, first);
  EXPECT_EQ(unchanged(), 0u);
}

TEST_F(Unchanged, another_cache_version_is_a_change) {
  cache->close();
  cache = world.open();
  auto options = keyed();
  options.cache_version = "2.0";
  auto next = cache->dataset("d", options);
  EXPECT_GT(next.put("k", R"({"a":1})").version, first);
  EXPECT_EQ(*next.get("k"), R"({"a":1})");
}

TEST_F(Unchanged, put_after_an_erase_brings_the_document_back_I4) {
  data().erase("k");
  EXPECT_GT(data().put("k", R"({"a":1})").version, first);
  EXPECT_TRUE(data().get("k").has_value());
  data().erase_matching("*");
  data().put("k", R"({"a":1})");
  EXPECT_TRUE(data().get("k").has_value());
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row().kind, EntryKind::document);
}

TEST_F(Unchanged, put_after_an_invalidation_makes_it_fresh) {
  data().put("k", R"({"a":1})");
  data().invalidate("k");
  ASSERT_EQ(data().get("k").freshness(), Freshness::stale);
  EXPECT_EQ(data().put("k", R"({"a":1})").version, first);
  EXPECT_EQ(data().get("k").freshness(), Freshness::fresh);
}

TEST_F(Unchanged, compare_and_set_compares_all_the_same) {
  EXPECT_THROW(data().put("k", R"({"a":1})", {.if_version = Version{}}), Error);
  EXPECT_EQ(data().put("k", R"({"a":1})", {.if_version = first}).version, first);
}

TEST_F(Unchanged, refresh_that_brings_the_same_moves_clocks_alone) {
  reopen();
  auto options = keyed();
  options.refresh = [](RefreshContext&) { return std::string(R"({"a":1})"); };
  auto refreshed = cache->dataset("d", options);
  const auto snapshot = refreshed.refresh("k");
  EXPECT_TRUE(snapshot.has_value());
  EXPECT_EQ(refreshed.get("k").freshness(), Freshness::fresh);
  EXPECT_EQ(refreshed.get("k").version(), first);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row().version, first);
  EXPECT_EQ(cache->stats().datasets.front().refreshes, 1u);
  EXPECT_EQ(unchanged(), 1u);
}

TEST_F(Unchanged, document_as_a_store_of_values_gives_it_back_is_the_same) {
  cache->close();
  world.wipe();
  world.store->keep_values_only();
  cache = world.open();
  ASSERT_EQ(data().get("k").tier(), Tier::store);
  EXPECT_EQ(data().put("k", R"({"a":1})").version, first);
}

TEST_F(Unchanged, store_that_has_no_row_gets_the_document_again_I1) {
  cache->close();
  world.store = std::make_shared<MemoryStore>(world.clock);
  world.store->set_limits({});
  cache = world.open();
  data().put("k", R"({"a":1})");
  ASSERT_TRUE(world.run_until([&] { return world.store->row("test", kId) != nullptr; }));
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row().version, first);
  EXPECT_EQ(*row().document, R"({"a":1})");
  EXPECT_EQ(row().clocks.last_fetch, data().info("k")->last_fetch);
}

TEST_F(Unchanged, erased_row_is_not_brought_back_by_clocks_I4) {
  Entry tombstone = row();
  tombstone.kind = EntryKind::tombstone;
  tombstone.document = nullptr;
  tombstone.checksum = {};
  ++tombstone.version.time;
  world.store->put_row("test", kId, tombstone);
  data().put("k", R"({"a":1})");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(1min);
  EXPECT_EQ(row().kind, EntryKind::tombstone);
}

TEST_F(Unchanged, parked_write_is_tried_anew) {
  world.store->set_refusal([](const StoreWrite&) { return std::string("no"); });
  const Version parked = data().put("k", R"({"a":2})").version;
  ASSERT_TRUE(cache->flush());
  ASSERT_EQ(cache->health().parked, 1u);
  world.store->set_refusal({});
  EXPECT_GT(data().put("k", R"({"a":2})").version, parked);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*row().document, R"({"a":2})");
  EXPECT_EQ(cache->health().parked, 0u);
}

TEST_F(Unchanged, put_back_of_what_another_process_replaced_is_a_change_I3) {
  auto mine = std::exchange(world.executor, nullptr);
  auto other = world.open();
  auto theirs = other->dataset("d", keyed());
  theirs.put("k", R"({"a":2})");
  ASSERT_TRUE(other->flush());
  EXPECT_GT(data().put("k", R"({"a":1})").version, first);
  EXPECT_EQ(*theirs.get("k", {.reach = Reach::memory}), R"({"a":2})");
  mine->run_for(1s);
  EXPECT_EQ(*theirs.get("k"), R"({"a":1})");
  other->close();
  world.executor->shutdown(world.clock->steady_now());
  world.executor = std::move(mine);
}

}  // namespace
}  // namespace tiercache::testing
