// Machines that had a store each, like a SQLite file, and move to one that they share. Whichever of
// them comes first, what one of them has erased stays gone, and the newest document wins.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

// One machine runs at a time, in the directory of its name.
class Moving : public ::testing::Test {
 protected:
  Moving() {
    name_store(*of_a, 2, "store of A");
    name_store(*of_b, 3, "store of B");
    name_store(*shared(), 4, "shared");
    // B has old documents; A has since replaced "l", and erased "k" and all of "user:*".
    open("/b", of_b);
    for (const char* key : {"k", "l", "user:1", "only of B"}) data->put(key, "\"old\"");
    EXPECT_TRUE(cache->flush());
    close();
    world.clock->advance(1min);
    open("/a", of_a);
    for (const char* key : {"k", "l", "user:1"}) data->put(key, "\"new\"");
    data->erase("k");
    data->erase_matching("user:*");
    EXPECT_TRUE(cache->flush());
    close();
  }
  ~Moving() override {
    if (cache) close();
  }
  static void name_store(MemoryStore& store, int incarnation, const std::string& name) {
    store.set_limits({});
    store.set_name(name);
    for (int i = 1; i < incarnation; ++i) store.lose_change_cursors();
  }
  const std::shared_ptr<MemoryStore>& shared() const { return world.store; }

  void open(const std::string& directory, const std::shared_ptr<MemoryStore>& store,
            Dataset<JsonText>::RefreshFunction refresh = nullptr) {
    cache = world.open([&](CacheOptions& options) {
      options.directory = directory;
      options.store = store;
    });
    data.emplace(cache->dataset(
        "d", {.keyed = true, .fresh_for = 24h * 365, .refresh = std::move(refresh)}));
  }
  void close() {
    data.reset();
    cache->close();
    cache.reset();
  }
  // What the guide tells each machine to do.
  ScrubReport move(const std::string& directory) {
    open(directory, shared());
    world.executor->run_for(10s);
    const ScrubReport report = cache->scrub({.repair = true});
    EXPECT_TRUE(report.complete) << report.to_string();
    EXPECT_EQ(report.failed, 0u) << report.to_string();
    EXPECT_TRUE(cache->flush());
    EXPECT_EQ(cache->health().parked, 0u);
    return report;
  }
  EntryPtr row(const std::string& key) const { return shared()->row("test", {"d", key}); }
  bool is_erased_in_store(const std::string& key) const {
    const EntryPtr there = row(key);
    return there && there->kind == EntryKind::tombstone;
  }
  void expect_erased_everywhere() {
    for (const char* directory : {"/a", "/b", "/c"}) {
      if (cache) close();
      open(directory, shared());
      world.executor->run_for(1min);
      for (const char* key : {"k", "user:1"}) {
        EXPECT_FALSE(data->get(key).has_value()) << directory << ' ' << key;
        EXPECT_TRUE(is_erased_in_store(key)) << directory << ' ' << key;
      }
      EXPECT_EQ(*data->get("l"), "\"new\"") << directory;
    }
  }

  World world;
  const std::shared_ptr<MemoryStore> of_a = std::make_shared<MemoryStore>(world.clock);
  const std::shared_ptr<MemoryStore> of_b = std::make_shared<MemoryStore>(world.clock);
  std::unique_ptr<Cache> cache;
  std::optional<Dataset<JsonText>> data;
};

TEST_F(Moving, machine_that_erased_comes_first_I4) {
  move("/a");
  EXPECT_TRUE(is_erased_in_store("k"));
  close();
  move("/b");
  EXPECT_FALSE(data->get("k").has_value()) << "without another scrub, poll or restart";
  EXPECT_FALSE(data->get("user:1").has_value());
  EXPECT_EQ(*data->get("l"), "\"new\"");
  expect_erased_everywhere();
}

TEST_F(Moving, machine_that_has_the_document_comes_first_I4) {
  move("/b");
  EXPECT_EQ(*row("k")->document, "\"old\"") << "nobody has told the store yet";
  close();
  move("/a");
  expect_erased_everywhere();
}

// Both have looked before either has sent anything.
TEST_F(Moving, machines_come_at_the_same_time_I4) {
  open("/a", shared());
  world.executor->run_for(10s);
  shared()->set_fault([](const std::string& call) {
    return call == "save" ? StoreFault::unavailable : StoreFault::none;
  });
  EXPECT_TRUE(cache->scrub({.repair = true}).complete);
  data.reset();
  world.kill(cache);
  shared()->set_fault({});
  move("/b");
  EXPECT_EQ(*row("k")->document, "\"old\"");
  expect_erased_everywhere();
}

TEST_F(Moving, report_tells_what_was_sent_and_taken_and_nothing_is_left_for_the_next_I13) {
  const ScrubReport of_first = move("/a");
  EXPECT_EQ(of_first.keys, 3u);
  EXPECT_EQ(of_first.store_missing, 3u) << "two tombstones and a document";
  EXPECT_EQ(of_first.repaired, 3u);
  EXPECT_EQ(cache->scrub({.repair = true}).differences(), 0u);
  close();
  const ScrubReport of_second = move("/b");
  EXPECT_EQ(of_second.store_ahead, 3u);
  EXPECT_EQ(of_second.store_missing, 1u);
  EXPECT_EQ(of_second.repaired, 4u);
  const ScrubReport again = cache->scrub({.repair = true});
  EXPECT_EQ(again.differences(), 0u) << again.to_string();
}

// It does not say that the store is meant, so nothing of it is kept.
TEST_F(Moving, scrub_of_one_dataset_does_not_claim_what_it_may_not_take_I13) {
  move("/a");
  close();
  open("/b", shared());
  world.executor->run_for(10s);
  const ScrubReport report = cache->scrub({.dataset = "d", .repair = true});
  EXPECT_EQ(report.store_ahead, 3u);
  EXPECT_EQ(report.repaired, 1u) << "what was sent waits in the outbox";
  EXPECT_EQ(report.failed, 3u);
  EXPECT_NE(report.why.find("accept_store"), std::string::npos) << report.to_string();
  EXPECT_EQ(*data->get("k"), "\"old\"");
}

TEST_F(Moving, refresh_on_the_way_to_the_store_gives_way_to_the_erase_I4_I5) {
  move("/a");
  close();
  open("/b", shared(), [](RefreshContext&) { return std::string("\"fetched\""); });
  world.executor->run_for(10s);
  ASSERT_EQ(*data->refresh("k"), "\"fetched\"");
  EXPECT_EQ(cache->scrub({.repair = true}).unsettled, 1u);
  EXPECT_TRUE(cache->flush());
  expect_erased_everywhere();
}

TEST_F(Moving, document_that_the_shared_store_got_from_its_source_later_is_as_good_as_any) {
  move("/b");
  close();
  open("/b", shared(), [](RefreshContext&) { return std::string("\"fetched\""); });
  ASSERT_EQ(*data->refresh("k"), "\"fetched\"");
  EXPECT_TRUE(cache->flush());
  close();
  move("/a");
  EXPECT_EQ(*data->get("k"), "\"fetched\"");
  EXPECT_FALSE(data->get("user:1").has_value());
}

// The feed has passed over these rows while the store was not the directory's.
TEST_F(Moving, erase_that_came_before_the_store_was_accepted_is_heard_of_I4) {
  move("/a");
  close();
  open("/b", shared());
  world.executor->run_for(1min);
  EXPECT_EQ(*data->get("k"), "\"old\"") << "it may be the wrong store";
  close();
  open("/b", shared());
  world.executor->run_for(1min);
  EXPECT_TRUE(cache->accept_store());
  world.executor->run_for(1min);
  EXPECT_FALSE(data->get("k").has_value());
  EXPECT_FALSE(data->get("user:1").has_value());
  EXPECT_EQ(*data->get("l"), "\"new\"");
}

TEST_F(Moving, erase_is_heard_of_by_the_next_cache_on_the_directory_after_a_kill_I4) {
  move("/a");
  close();
  open("/b", shared());
  world.executor->run_for(1min);
  EXPECT_TRUE(cache->accept_store());
  data.reset();
  world.kill(cache);
  open("/b", shared());
  world.executor->run_for(1min);
  EXPECT_FALSE(data->get("k").has_value());
}

// Erases that are nearly as old as tombstones get come with the first machine. Once they were
// purged, the horizon would stand against all that others have from before.
TEST_F(Moving, machines_have_as_long_as_tombstones_are_kept_I1_I4) {
  world.clock->advance(24h * 29);
  move("/a");
  world.clock->advance(24h * 5);
  world.executor->run_for(10h);  // a round
  EXPECT_NE(row("k"), nullptr);
  close();
  move("/b");  // nothing is parked
  EXPECT_EQ(*row("only of B")->document, "\"old\"");
  expect_erased_everywhere();
}

TEST_F(Moving, tombstones_go_once_the_store_is_as_old_as_they_get) {
  world.clock->advance(24h * 29);
  move("/a");
  world.clock->advance(24h * 31);
  world.executor->run_for(10h);
  EXPECT_EQ(row("k"), nullptr);
  EXPECT_EQ(*data->get("l"), "\"new\"");
  EXPECT_EQ(cache->scrub({.repair = true}).differences(), 0u);
}

TEST_F(Moving, tombstone_that_the_store_has_purged_is_not_sent_again) {
  move("/a");
  close();
  PurgeRequest request;
  request.tombstones_below.time = ~std::uint64_t{0};
  shared()->purge("test", request, kNever);
  ASSERT_EQ(row("k"), nullptr);
  open("/a", shared());
  EXPECT_EQ(cache->scrub({.repair = true}).differences(), 0u);
  EXPECT_TRUE(cache->flush());
  EXPECT_EQ(row("k"), nullptr);
  close();
  open("/b", shared());
  EXPECT_TRUE(cache->scrub({.repair = true}).complete);
  EXPECT_TRUE(cache->flush());
  EXPECT_EQ(row("k"), nullptr);
  EXPECT_EQ(cache->health().parked, 3u) << "all but \"l\": the store cannot tell which was erased";
}

}  // namespace
}  // namespace tiercache::testing
