// Writes that the store refused: listed, retried, discarded.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

// A store that refuses whatever says "bad".
class OutboxTest : public ::testing::Test {
 protected:
  OutboxTest() { refuse(true); }

  void refuse(bool on) {
    world.store->set_refusal([on](const StoreWrite& write) -> std::optional<std::string> {
      const bool bad =
          on && write.entry.document && write.entry.document->find("bad") != std::string::npos;
      return bad ? std::optional<std::string>("it says bad") : std::nullopt;
    });
  }
  void open() {
    cache = world.open();
    data.emplace(cache->dataset("d", keyed()));
  }
  void park(const std::string& key) {
    data->put(key, "\"bad " + key + "\"");
    ASSERT_TRUE(cache->flush());
  }
  std::string local(const std::string& key) const {
    const auto snapshot = data->get(key, {.reach = Reach::local});
    return snapshot.has_value() ? *snapshot : "nothing";
  }
  std::string row(const std::string& key) const {
    const EntryPtr entry = world.store->row("test", {"d", key});
    return entry && entry->document ? *entry->document : "nothing";
  }
  // From now on `operation` is refused for entry files; with none the disk works again.
  void refuse_files(const std::string& operation, int error) {
    world.disk.set_fault([=](const std::string& tried, const std::string& path) {
      const bool of_files = path.find("/journal/") == std::string::npos;
      return !operation.empty() && of_files && tried.find(operation) == 0 ? error : 0;
    });
  }
  // A discard was not possible: nothing is lost or given up by it, also over a kill.
  void expect_still_parked(const std::string& key) {
    EXPECT_EQ(cache->outbox().discard({{"d", key}}), OutboxOutcome::disk_failed);
    EXPECT_EQ(local(key), "\"bad " + key + "\"");
    EXPECT_EQ(parked_keys(), std::vector<std::string>{key});
    refuse_files({}, 0);
    world.store_down();
    world.kill(cache);
    open();
    EXPECT_EQ(local(key), "\"bad " + key + "\"");
    EXPECT_EQ(parked_keys(), std::vector<std::string>{key});
    world.store_up();
  }
  void expect_discarded(const std::string& key, const std::string& standing) {
    EXPECT_EQ(cache->outbox().discard({{"d", key}}), OutboxOutcome::done);
    EXPECT_EQ(local(key), standing);
    world.store_down();
    world.kill(cache);
    open();
    EXPECT_EQ(local(key), standing);
    EXPECT_TRUE(parked_keys().empty());
  }
  std::vector<std::string> parked_keys() const {
    std::vector<std::string> keys;
    for (const OutboxWrite& write : cache->outbox().list().writes) keys.push_back(write.id.key);
    return keys;
  }

  World world;
  std::unique_ptr<Cache> cache;
  std::optional<Dataset<JsonText>> data;
};

TEST_F(OutboxTest, parked_write_is_listed_with_what_a_person_needs) {
  open();
  const WallTime before = world.clock->wall_now();
  const PutReceipt put = data->put("k", "\"bad\"");
  data->put("good", "1");
  ASSERT_TRUE(cache->flush());
  const OutboxPage page = cache->outbox().list();
  ASSERT_EQ(page.writes.size(), 1u);
  const OutboxWrite& write = page.writes.front();
  EXPECT_EQ(write.id, (EntryId{"d", "k"}));
  EXPECT_EQ(write.version, put.version);
  EXPECT_EQ(write.kind, OutboxKind::document);
  EXPECT_EQ(write.state, OutboxState::parked);
  EXPECT_EQ(write.why, "it says bad");
  EXPECT_GT(write.bytes, 5u);
  EXPECT_GE(write.since, before);
  EXPECT_LE(write.since, world.clock->wall_now());
  EXPECT_FALSE(page.next);
}

TEST_F(OutboxTest, waiting_writes_of_each_kind_are_listed_oldest_first) {
  open();
  data->put("clocks", "1");
  ASSERT_TRUE(cache->flush());
  world.store_down();
  world.clock->advance(1s);
  data->put("document", "1");
  data->erase("tombstone");
  data->erase_matching("x*");
  data->invalidate("clocks");
  const auto page = cache->outbox().list({.state = OutboxState::pending});
  std::vector<std::string> kinds;
  for (const OutboxWrite& write : page.writes) {
    kinds.emplace_back(to_string(write.kind));
    EXPECT_EQ(write.state, OutboxState::pending);
    EXPECT_TRUE(write.why.empty());
    EXPECT_LE(world.clock->wall_now() - write.since, 1ms) << to_string(write.kind);
  }
  EXPECT_EQ(kinds, (std::vector<std::string>{"clocks", "document", "tombstone", "erase_matching"}))
      << "clocks have the version of the older content";
  EXPECT_EQ(page.writes[3].id.key, "x*");
  EXPECT_TRUE(cache->outbox().list().writes.empty());
}

TEST_F(OutboxTest, writes_held_back_without_retries_are_listed_too) {
  cache = world.open([](CacheOptions& options) { options.flags.background_retry = false; });
  data.emplace(cache->dataset("d", keyed()));
  world.store_down();
  data->put("a", "1");
  world.executor->run_for(1s);
  data->put("b", "1");
  EXPECT_EQ(cache->outbox().list({.state = OutboxState::pending}).writes.size(), 2u);
}

TEST_F(OutboxTest, pages_go_through_all_once_and_one_dataset_alone) {
  open();
  auto other = cache->dataset("other", keyed());
  for (int i = 0; i < 7; ++i) park("k" + std::to_string(i));
  other.put("o", "\"bad\"");
  ASSERT_TRUE(cache->flush());
  std::vector<std::string> keys;
  OutboxQuery query{.dataset = "d", .limit = 3};
  do {
    const OutboxPage page = cache->outbox().list(query);
    EXPECT_LE(page.writes.size(), 3u);
    for (const OutboxWrite& write : page.writes) keys.push_back(write.id.key);
    query.after = page.next;
  } while (query.after);
  EXPECT_EQ(keys, (std::vector<std::string>{"k0", "k1", "k2", "k3", "k4", "k5", "k6"}));
  EXPECT_EQ(cache->outbox().list().writes.size(), 8u);
  EXPECT_TRUE(cache->outbox().list({.limit = 0}).writes.empty());
}

TEST_F(OutboxTest, retried_write_arrives_once_the_store_takes_it_I1) {
  open();
  park("k");
  refuse(false);
  EXPECT_EQ(cache->outbox().retry({{"d", "k"}}), OutboxOutcome::done);
  EXPECT_TRUE(parked_keys().empty());
  ASSERT_TRUE(world.run_until([&] { return row("k") == "\"bad k\""; }, 1s));
  EXPECT_EQ(cache->health().parked, 0u);
}

TEST_F(OutboxTest, write_that_is_refused_again_is_parked_again) {
  open();
  park("k");
  EXPECT_EQ(cache->outbox().retry_all().done, 1u);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(parked_keys(), std::vector<std::string>{"k"});
  EXPECT_EQ(local("k"), "\"bad k\"");
}

TEST_F(OutboxTest, what_is_not_parked_is_an_outcome_and_no_error) {
  open();
  data->put("k", "1");
  park("p");
  const Version version = cache->outbox().list().writes.front().version;
  const Version another{version.time + 1, version.writer};
  EXPECT_EQ(cache->outbox().retry({{"d", "unknown"}}), OutboxOutcome::not_parked);
  EXPECT_EQ(cache->outbox().discard({{"d", "k"}}), OutboxOutcome::not_parked);
  EXPECT_EQ(cache->outbox().discard({{"d", "p"}, another}), OutboxOutcome::not_parked);
  EXPECT_EQ(parked_keys(), std::vector<std::string>{"p"});
}

TEST_F(OutboxTest, discarded_write_gives_its_place_to_the_stores_row) {
  open();
  data->put("k", "\"good\"");
  ASSERT_TRUE(cache->flush());
  park("k");
  ASSERT_EQ(local("k"), "\"bad k\"");
  EXPECT_EQ(cache->outbox().discard({{"d", "k"}}), OutboxOutcome::done);
  EXPECT_EQ(local("k"), "\"good\"");
  EXPECT_EQ(*data->peek("k"), "\"good\"");
  EXPECT_TRUE(parked_keys().empty());
  const PutReceipt put = data->put("k", "\"later\"");
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row("k"), "\"later\"");
  EXPECT_EQ(put.version, data->peek("k").version());
}

TEST_F(OutboxTest, discarded_write_of_a_key_that_the_store_lacks_is_dropped) {
  open();
  park("k");
  EXPECT_EQ(cache->outbox().discard({{"d", "k"}}), OutboxOutcome::done);
  EXPECT_EQ(local("k"), "nothing");
  EXPECT_FALSE(data->contains("k"));
  EXPECT_EQ(world.entry_files(), 0u);
}

TEST_F(OutboxTest, discarded_write_stays_gone_after_a_kill_or_a_power_loss_I1) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    open();
    const std::string key = "k" + std::to_string(seed);
    data->put(key, "\"good\"");
    data->put("beside" + key, "\"beside\"");
    ASSERT_TRUE(cache->flush());
    park(key);
    world.store_down();
    data->put("waits" + key, "\"waits\"");
    world.store_up();
    ASSERT_EQ(cache->outbox().discard({{"d", key}}), OutboxOutcome::done);
    world.store_down();
    if (seed % 2 == 0) {
      world.kill(cache);
    } else {
      world.lose_power(cache, seed);
    }
    open();
    EXPECT_EQ(local(key), "\"good\"") << seed;
    EXPECT_EQ(local("beside" + key), "\"beside\"") << seed;
    EXPECT_TRUE(parked_keys().empty()) << seed;
    world.store_up();
    ASSERT_TRUE(cache->flush());
    EXPECT_EQ(row("waits" + key), "\"waits\"") << seed;
    cache->close();
  }
}

TEST_F(OutboxTest, while_the_store_is_away_nothing_is_discarded) {
  open();
  park("k");
  world.store_down();
  EXPECT_EQ(cache->outbox().discard({{"d", "k"}}, 1s), OutboxOutcome::store_unavailable);
  EXPECT_EQ(local("k"), "\"bad k\"");
  EXPECT_EQ(parked_keys(), std::vector<std::string>{"k"});
  world.store_up();
  EXPECT_EQ(cache->outbox().discard_all().done, 1u);
  EXPECT_EQ(local("k"), "nothing");
}

TEST_F(OutboxTest, disk_that_does_not_take_the_stores_row_keeps_the_write_parked_I1) {
  open();
  data->put("k", "\"good\"");
  ASSERT_TRUE(cache->flush());
  park("k");
  world.executor->run_for(1s);
  refuse_files("write", ENOSPC);
  expect_still_parked("k");
  expect_discarded("k", "\"good\"");
}

TEST_F(OutboxTest, disk_that_does_not_take_the_stores_newer_row_keeps_the_write_parked_I3) {
  open();
  park("k");
  world.executor->run_for(1s);
  Entry newer;
  newer.version = {data->peek("k").version().time + 1, 7};
  newer.document = std::make_shared<std::string>("\"newer\"");
  newer.checksum = Checksum::of(*newer.document);
  newer.clocks.last_fetch = world.clock->wall_now();
  world.store->put_row("test", {"d", "k"}, newer);
  refuse_files("write", ENOSPC);
  expect_still_parked("k");
  expect_discarded("k", "\"newer\"");
}

TEST_F(OutboxTest, file_that_the_disk_does_not_remove_keeps_the_write_parked) {
  open();
  park("k");
  world.executor->run_for(1s);
  refuse_files("remove_file", EROFS);
  expect_still_parked("k");
  expect_discarded("k", "nothing");
}

TEST_F(OutboxTest, one_file_that_cannot_be_given_up_does_not_keep_the_others) {
  open();
  for (const std::string key : {"a", "b", "c"}) park(key);
  world.executor->run_for(1s);
  world.disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "remove_file" && path.ends_with("/b.json") ? EIO : 0;
  });
  const OutboxCounts counts = cache->outbox().discard_all();
  EXPECT_EQ(counts.done, 2u);
  EXPECT_EQ(counts.disk_failed, 1u);
  EXPECT_EQ(local("a") + local("b") + local("c"), "nothing\"bad b\"nothing");
  EXPECT_EQ(parked_keys(), std::vector<std::string>{"b"});
}

TEST_F(OutboxTest, discard_leaves_a_later_write_alone) {
  open();
  park("k");
  const OutboxWrite parked = cache->outbox().list().writes.front();
  data->put("k", "\"good\"");
  EXPECT_EQ(cache->outbox().discard({parked.id, parked.version}), OutboxOutcome::not_parked);
  EXPECT_EQ(local("k"), "\"good\"");
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row("k"), "\"good\"");
}

TEST_F(OutboxTest, discard_all_takes_one_dataset_or_everything) {
  open();
  auto other = cache->dataset("other", keyed());
  for (int i = 0; i < 120; ++i) data->put("k" + std::to_string(i), "\"bad\"");
  other.put("o", "\"bad\"");
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(cache->outbox().discard_all("d").done, 120u);
  EXPECT_EQ(cache->health().parked, 1u);
  EXPECT_EQ(cache->outbox().discard_all().done, 1u);
  EXPECT_EQ(cache->health().parked, 0u);
  EXPECT_EQ(world.entry_files(), 0u);
}

TEST_F(OutboxTest, parked_writes_are_still_parked_and_still_say_why_after_a_restart) {
  open();
  park("k");
  world.kill(cache);
  open();
  ASSERT_EQ(parked_keys(), std::vector<std::string>{"k"});
  EXPECT_EQ(cache->outbox().list().writes.front().why, "it says bad");
  refuse(false);
  EXPECT_EQ(cache->outbox().retry_all("d").done, 1u);
  ASSERT_TRUE(cache->flush());
  world.kill(cache);
  open();
  EXPECT_TRUE(parked_keys().empty());
  EXPECT_EQ(row("k"), "\"bad k\"");
}

// --- Of many, each ---

TEST_F(OutboxTest, each_write_has_its_own_outcome_at_the_place_it_was_asked_at) {
  open();
  for (const std::string key : {"a", "b", "c"}) park(key);
  world.executor->run_for(1s);
  world.disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "remove_file" && path.ends_with("/b.json") ? EIO : 0;
  });
  const std::vector<OutboxId> ids{{{"d", "unknown"}}, {{"d", "a"}}, {{"d", "b"}}, {{"d", "c"}}};
  using enum OutboxOutcome;
  EXPECT_EQ(cache->outbox().discard(ids),
            (std::vector<OutboxOutcome>{not_parked, done, disk_failed, done}));
  EXPECT_FALSE(cache->health().files.working);
  world.disk.set_fault({});
  EXPECT_EQ(cache->outbox().retry(ids),
            (std::vector<OutboxOutcome>{not_parked, not_parked, done, not_parked}));
}

TEST_F(OutboxTest, store_that_is_away_keeps_them_all_and_that_is_counted) {
  open();
  for (const std::string key : {"a", "b"}) park(key);
  world.store_down();
  const std::vector<OutboxId> ids{{{"d", "unknown"}}, {{"d", "a"}}};
  using enum OutboxOutcome;
  EXPECT_EQ(cache->outbox().discard(ids, 1s),
            (std::vector<OutboxOutcome>{not_parked, store_unavailable}));
  const OutboxCounts counts = cache->outbox().discard_all({}, 1s);
  EXPECT_EQ(counts.store_unavailable, 2u);
  EXPECT_EQ(counts.done + counts.not_parked + counts.disk_failed, 0u);
  EXPECT_EQ(parked_keys(), (std::vector<std::string>{"a", "b"}));
}

TEST_F(OutboxTest, store_that_is_switched_off_does_not_say_what_is_to_stand_there) {
  open();
  park("k");
  cache->close();
  cache = world.open([](CacheOptions& options) { options.flags.store_enabled = false; });
  data.emplace(cache->dataset("d", keyed()));
  EXPECT_EQ(cache->outbox().discard({{"d", "k"}}), OutboxOutcome::store_unavailable);
  EXPECT_EQ(local("k"), "\"bad k\"");
  EXPECT_EQ(cache->outbox().retry({{"d", "k"}}), OutboxOutcome::done) << "it waits for a store";
  const auto waiting = cache->outbox().list({.state = OutboxState::pending});
  ASSERT_EQ(waiting.writes.size(), 1u);
  EXPECT_EQ(waiting.writes.front().why, "");
}

TEST_F(OutboxTest, corrupt_row_does_not_take_the_place_of_a_discarded_write_I2) {
  open();
  data->put("k", "\"good\"");
  ASSERT_TRUE(cache->flush());
  park("k");
  world.store->corrupt_row("test", {"d", "k"}, "\"damaged\"");
  EXPECT_EQ(cache->outbox().discard({{"d", "k"}}), OutboxOutcome::store_unavailable);
  EXPECT_EQ(local("k"), "\"bad k\"");
  EXPECT_EQ(parked_keys(), std::vector<std::string>{"k"});
}

// Another machine writes between the two looks at the store.
TEST_F(OutboxTest, row_that_comes_while_a_write_is_discarded_is_the_one_that_stands_I3) {
  for (const bool answers_again : {true, false}) {
    SCOPED_TRACE(answers_again);
    open();
    data->put("k", "\"good\"");
    ASSERT_TRUE(cache->flush());
    park("k");
    int loads = 0;
    world.store->set_fault([&](const std::string& operation) {
      if (operation != "load" || ++loads != 2) return StoreFault::none;
      if (answers_again) world.write_elsewhere("k", "\"newer\"");
      return answers_again ? StoreFault::none : StoreFault::unavailable;
    });
    EXPECT_EQ(cache->outbox().discard({{"d", "k"}}), OutboxOutcome::done);
    EXPECT_GE(loads, 2);
    EXPECT_EQ(local("k"), answers_again ? "\"newer\"" : "\"good\"");
    EXPECT_EQ(world.entry_files(), 1u);
    world.store_up();
    data->erase("k");
    ASSERT_TRUE(cache->flush());
    world.kill(cache);
  }
}

TEST_F(OutboxTest, journal_that_cannot_forget_it_is_a_disk_that_failed_I13) {
  for (const bool all : {false, true}) {
    open();
    park("k");
    world.executor->run_for(10s);
    world.disk.set_fault([](const std::string&, const std::string& path) {
      return path.find("/journal/") != std::string::npos ? EIO : 0;
    });
    if (all) {
      const OutboxCounts counts = cache->outbox().discard_all();
      EXPECT_EQ(counts.disk_failed, 1u);
      EXPECT_EQ(counts.done, 0u);
    } else {
      EXPECT_EQ(cache->outbox().discard({{"d", "k"}}), OutboxOutcome::disk_failed);
    }
    world.disk.set_fault({});
    world.kill(cache);
    world.wipe();
  }
}

TEST_F(OutboxTest, page_that_is_full_names_the_next_and_one_that_is_not_ends_the_list) {
  open();
  for (const std::string key : {"a", "b"}) park(key);
  OutboxPage page = cache->outbox().list({.limit = 1});
  ASSERT_TRUE(page.next);
  EXPECT_EQ(page.next->id.key, "a");
  page = cache->outbox().list({.limit = 2, .after = page.next});
  EXPECT_EQ(page.writes.size(), 1u);
  EXPECT_FALSE(page.next);
  EXPECT_FALSE(cache->outbox().list({.limit = 0}).next);
}

TEST_F(OutboxTest, retry_sends_also_where_nothing_is_retried_by_itself) {
  for (const bool all : {false, true}) {
    const std::string key = all ? "all" : "one";
    cache = world.open([](CacheOptions& options) { options.flags.background_retry = false; });
    data.emplace(cache->dataset("d", keyed()));
    refuse(true);
    park(key);
    world.store_down();
    data->put("held", "1");
    world.executor->run_for(1min);
    world.store_up();
    refuse(false);
    if (all) {
      EXPECT_EQ(cache->outbox().retry_all().done, 1u);
    } else {
      EXPECT_EQ(cache->outbox().retry({{"d", key}}), OutboxOutcome::done);
    }
    world.executor->run_for(1min);
    EXPECT_EQ(row(key), "\"bad " + key + "\"");
    EXPECT_EQ(row("held"), "1");
    world.kill(cache);
    world.store->drop_row("test", {"d", "held"});
  }
}

TEST_F(OutboxTest, handle_of_a_closed_cache_throws) {
  open();
  const Outbox outbox = cache->outbox();
  cache->close();
  cache.reset();
  EXPECT_THROW((void)outbox.list(), Closed);
  EXPECT_THROW((void)outbox.retry_all(), Closed);
  EXPECT_THROW((void)outbox.retry({{"d", "k"}}), Closed);
  EXPECT_THROW((void)outbox.discard({{"d", "k"}}), Closed);
}

}  // namespace
}  // namespace tiercache::testing
