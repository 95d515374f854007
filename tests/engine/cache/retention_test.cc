// What does not stay for ever, and machines that were away for longer.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

constexpr auto kMonth = 24h * 31;

// Two machines, "/here" and "/away", one store; one of them runs at a time.
class RetentionTest : public ::testing::Test {
 protected:
  void open(const std::string& directory, DatasetOptions<JsonText> options = keyed_for_a_year()) {
    cache = world.open([&](CacheOptions& all) { all.directory = directory; });
    data.emplace(cache->dataset("d", std::move(options)));
  }
  void close() {
    data.reset();
    cache->close();
    cache.reset();
  }
  // Long enough for a round.
  void wait_for_a_round() { world.executor->run_for(10h); }
  EntryPtr row(const std::string& key) const { return world.store->row("test", {"d", key}); }
  std::string local(const std::string& key) const {
    const auto snapshot = data->get(key, {.reach = Reach::local});
    return snapshot.has_value() ? *snapshot : "nothing";
  }
  // "away" has `k`, and an older document of `w` that never left it; "here" has erased both since,
  // and the tombstones are gone.
  void leave_one_machine_behind() {
    open("/away");
    data->put("k", "\"old\"");
    ASSERT_TRUE(cache->flush());
    world.executor->run_for(1min);
    world.store_down();
    data->put("w", "\"unsent\"");
    world.executor->run_for(1min);
    data.reset();
    world.kill(cache);
    world.store_up();
    open("/here");
    data->erase("k");
    data->erase("w");
    ASSERT_TRUE(cache->flush());
    world.clock->advance(kMonth);
    wait_for_a_round();
    ASSERT_EQ(row("k"), nullptr);
    ASSERT_EQ(row("w"), nullptr);
    close();
  }

  World world;
  std::unique_ptr<Cache> cache;
  std::optional<Dataset<JsonText>> data;
};

// The journal still has it on the disk.
TEST_F(RetentionTest, entry_erased_elsewhere_is_not_back_after_its_tombstone_went_and_a_kill_I4) {
  open("/here");
  data->put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(10s);
  world.write_elsewhere("k", std::nullopt);
  world.executor->run_for(10s);
  ASSERT_EQ(local("k"), "nothing");
  world.clock->advance(kMonth);
  wait_for_a_round();
  ASSERT_EQ(world.entry_files(), 0u);
  data.reset();
  world.kill(cache);
  world.store_down();
  open("/here");
  EXPECT_EQ(local("k"), "nothing");
}

TEST_F(RetentionTest, tombstones_go_from_store_and_files_after_thirty_days_and_not_before) {
  open("/here");
  data->put("k", "1");
  data->put("stays", "1");
  data->erase("k");
  ASSERT_TRUE(cache->flush());
  world.clock->advance(24h * 29);
  wait_for_a_round();
  ASSERT_NE(row("k"), nullptr);
  EXPECT_TRUE(data->get("k", {.reach = Reach::local}).gone());
  world.clock->advance(24h * 2);
  wait_for_a_round();
  EXPECT_EQ(row("k"), nullptr);
  EXPECT_EQ(world.entry_files(), 1u);
  EXPECT_EQ(local("stays"), "1");
  EXPECT_EQ(cache->stats().retention_purged, 1u);
  EXPECT_EQ(cache->stats().retention_dropped, 1u);
}

TEST_F(RetentionTest, tombstone_that_the_store_has_not_taken_stays_however_old_I4) {
  open("/here");
  data->put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.store_down();
  data->erase("k");
  world.clock->advance(kMonth);
  wait_for_a_round();
  EXPECT_TRUE(data->get("k", {.reach = Reach::local}).gone());
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row("k")->kind, EntryKind::tombstone);
}

TEST_F(RetentionTest, write_of_a_machine_that_was_away_for_too_long_is_parked_and_says_why_I4) {
  leave_one_machine_behind();
  open("/away");
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row("w"), nullptr);
  const OutboxPage parked = cache->outbox().list();
  ASSERT_EQ(parked.writes.size(), 1u);
  EXPECT_EQ(parked.writes[0].id.key, "w");
  EXPECT_NE(parked.writes[0].why.find("may have been erased since"), std::string::npos);
  EXPECT_EQ(local("w"), "\"unsent\"") << "nothing acknowledged goes in silence";
  EXPECT_EQ(cache->outbox().discard(OutboxId{{"d", "w"}}), OutboxOutcome::done);
  EXPECT_EQ(local("w"), "nothing");
}

TEST_F(RetentionTest, confirmed_entry_that_was_erased_and_purged_meanwhile_is_dropped_I4) {
  leave_one_machine_behind();
  open("/away");
  world.executor->run_for(1min);
  EXPECT_EQ(local("k"), "nothing");
  EXPECT_FALSE(data->get("k").has_value());
  EXPECT_FALSE(data->contains("k"));
}

TEST_F(RetentionTest, new_write_of_a_purged_key_is_as_good_as_any) {
  leave_one_machine_behind();
  open("/away");
  data->put("k", "\"new\"");
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*row("k")->document, "\"new\"");
  wait_for_a_round();
  EXPECT_EQ(local("k"), "\"new\"");
}

TEST_F(RetentionTest, entries_above_the_horizon_stay_where_the_store_lacks_them) {
  leave_one_machine_behind();
  open("/away");
  data->put("later", "1");
  ASSERT_TRUE(cache->flush());
  world.store->drop_row("test", {"d", "later"});
  world.store->lose_change_cursors();
  close();
  open("/away");
  world.executor->run_for(1min);
  EXPECT_EQ(local("later"), "1");
}

TEST_F(RetentionTest, after_a_reset_of_the_store_nothing_is_dropped_and_health_says_so_I1) {
  leave_one_machine_behind();
  world.store->lose_change_cursors();  // another incarnation, as after a restore
  open("/away");
  EXPECT_FALSE(cache->health().store_replaced_since) << "nothing was asked yet";
  world.executor->run_for(1min);
  wait_for_a_round();
  EXPECT_TRUE(cache->health().store_replaced_since);
  EXPECT_FALSE(cache->health().all_working());
  EXPECT_EQ(local("k"), "\"old\"");
  close();
  open("/away");
  world.executor->run_for(1min);
  EXPECT_TRUE(cache->health().store_replaced_since) << "it is remembered over restarts";
}

TEST_F(RetentionTest, scrub_with_repair_brings_a_reset_store_what_it_lacks_and_knows_it_then_I1) {
  open("/here");
  data->put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(1min);
  world.store->drop_row("test", {"d", "k"});
  world.store->lose_change_cursors();
  world.executor->run_for(1min);
  ASSERT_TRUE(cache->health().store_replaced_since);
  EXPECT_TRUE(cache->scrub({.repair = true}).complete);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*row("k")->document, "1");
  EXPECT_FALSE(cache->health().store_replaced_since);
  close();
  open("/here");
  world.executor->run_for(1min);
  EXPECT_FALSE(cache->health().store_replaced_since);
}

TEST_F(RetentionTest, scrub_with_repair_does_not_send_what_was_purged_again_I4) {
  leave_one_machine_behind();
  cache = world.open([](CacheOptions& all) {
    all.directory = "/away";
    all.store_calls.poll_every = 0ms;
  });
  data.emplace(cache->dataset("d", keyed_for_a_year()));
  ASSERT_EQ(local("k"), "\"old\"") << "without the feed nobody has told it";
  EXPECT_TRUE(cache->scrub({.dataset = "d", .repair = true}).complete);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(local("k"), "nothing");
  EXPECT_EQ(row("k"), nullptr);
}

TEST_F(RetentionTest, same_store_is_known_again_after_a_restart_and_a_wiped_directory) {
  open("/here");
  data->put("k", "1");
  ASSERT_TRUE(cache->flush());
  close();
  open("/here");
  world.executor->run_for(1min);
  EXPECT_FALSE(cache->health().store_replaced_since);
  close();
  world.disk.boot()->remove_tree("/here");
  world.store->lose_change_cursors();
  open("/here");
  world.executor->run_for(1min);
  EXPECT_FALSE(cache->health().store_replaced_since) << "an empty directory knows of no other";
}

TEST_F(RetentionTest, documents_past_their_retention_go_from_files_and_store) {
  auto options = keyed_for_a_year();
  options.fresh_for = 1h;
  options.retention = 24h;
  open("/here", options);
  data->put("old", "1");
  ASSERT_TRUE(cache->flush());
  world.clock->advance(20h);
  data->put("fresh", "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(10h);
  EXPECT_EQ(row("old")->kind, EntryKind::tombstone);
  EXPECT_EQ(row("fresh")->kind, EntryKind::document);
  EXPECT_FALSE(data->contains("old"));
  EXPECT_TRUE(data->contains("fresh"));
  data->put("old", "2");
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*row("old")->document, "2");
}

TEST_F(RetentionTest, what_the_store_has_not_taken_stays_however_old_though_it_answers_I1_I4) {
  open("/here", {.keyed = true, .fresh_for = 1h, .retention = 24h, .hydrate = Hydrate::none()});
  data->put("erased", "1");
  ASSERT_TRUE(cache->flush());
  world.store->set_fault([](const std::string& operation) {
    return operation == "save" ? StoreFault::unavailable : StoreFault::none;
  });
  data->put("k", "1");
  data->erase("erased");
  world.executor->run_for(1min);
  world.clock->advance(kMonth);
  for (int round = 0; round < 3; ++round) wait_for_a_round();
  EXPECT_EQ(world.entry_files(), 2u);
  EXPECT_EQ(cache->stats().outbox_depth, 2u);
  world.store_up();
  ASSERT_TRUE(cache->flush());
  ASSERT_NE(row("k"), nullptr);
  EXPECT_EQ(row("k")->kind, EntryKind::document);
}

// The feed is off, and the entry that a reader has in hand is stale: it waits for a better one.
TEST_F(RetentionTest, read_does_not_serve_what_it_learns_was_purged_I4) {
  leave_one_machine_behind();
  cache = world.open([](CacheOptions& all) {
    all.directory = "/away";
    all.store_calls.poll_every = 0ms;
  });
  data.emplace(cache->dataset("d", {.keyed = true,
                                    .fresh_for = 1h,
                                    .stale_for = 24h * 365,
                                    .soft_timeout = 100ms,
                                    .hydrate = Hydrate::none()}));
  ASSERT_EQ(local("k"), "\"old\"");
  wait_for_a_round();
  EXPECT_FALSE(data->get("k", {.reach = Reach::store}).has_value());
  EXPECT_EQ(local("k"), "nothing");
}

TEST_F(RetentionTest, without_a_store_files_alone_let_go) {
  auto options = keyed_for_a_year();
  options.fresh_for = 1h;
  options.retention = 24h;
  cache = world.open([](CacheOptions& all) { all.store = nullptr; });
  data.emplace(cache->dataset("d", options));
  data->put("old", "1");
  data->put("erased", "1");
  data->erase("erased");
  ASSERT_TRUE(cache->flush());
  world.clock->advance(kMonth);
  wait_for_a_round();
  EXPECT_EQ(world.entry_files(), 0u);
}

// A store whose clock is its own: this machine's may then be wrong.
class RetentionByTheStoresClock : public RetentionTest {
 protected:
  RetentionByTheStoresClock() {
    world.store = std::make_shared<MemoryStore>(stores_clock);
    world.store->set_limits({});
  }
  // No polls: nothing but the round itself asks the store.
  void open_without_polls(const std::string& directory) {
    auto options = keyed_for_a_year();
    options.fresh_for = 1h;
    options.retention = 48h;
    cache = world.open([&](CacheOptions& all) {
      all.directory = directory;
      all.store_calls.poll_every = 0ms;
    });
    data.emplace(cache->dataset("d", options));
  }
  void leave_a_document_and_a_tombstone() {
    open_without_polls("/here");
    data->put("k", "1");
    data->put("erased", "1");
    data->erase("erased");
    ASSERT_TRUE(cache->flush());
  }

  std::shared_ptr<ManualClock> stores_clock = std::make_shared<ManualClock>();
};

TEST_F(RetentionByTheStoresClock, clock_that_jumped_ahead_deletes_nothing_fleet_wide_I1_I4) {
  leave_a_document_and_a_tombstone();
  world.clock->set_wall(world.clock->wall_now() + 24h * 400);
  wait_for_a_round();
  ASSERT_GT(world.store->calls("purge"), 0u) << "the store was asked";
  ASSERT_NE(row("k"), nullptr);
  EXPECT_EQ(row("k")->kind, EntryKind::document);
  ASSERT_NE(row("erased"), nullptr);
  EXPECT_TRUE(data->contains("k"));
  EXPECT_EQ(world.entry_files(), 2u);
}

TEST_F(RetentionByTheStoresClock, nothing_goes_while_the_store_does_not_tell_the_time_I1) {
  leave_a_document_and_a_tombstone();
  world.store_down();
  world.clock->set_wall(world.clock->wall_now() + 24h * 400);
  wait_for_a_round();
  EXPECT_EQ(world.entry_files(), 2u);
  EXPECT_EQ(row("k")->kind, EntryKind::document);
}

TEST_F(RetentionByTheStoresClock, what_is_old_by_the_stores_clock_goes_though_ours_stands_still) {
  leave_a_document_and_a_tombstone();
  stores_clock->set_wall(stores_clock->wall_now() + kMonth);
  wait_for_a_round();
  EXPECT_EQ(row("k")->kind, EntryKind::tombstone);
  EXPECT_EQ(row("erased"), nullptr);
  EXPECT_EQ(world.entry_files(), 0u);
}

TEST_F(RetentionTest, retention_shorter_than_what_is_served_is_refused) {
  auto options = keyed_for_a_year();
  options.fresh_for = 2h;
  options.retention = 1h;
  EXPECT_THROW(open("/here", options), BadConfiguration);
  EXPECT_THROW(world.open([](CacheOptions& all) { all.tombstone_retention = 1h; }),
               BadConfiguration);
}

}  // namespace
}  // namespace tiercache::testing
