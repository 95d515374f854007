// Bounds of the entry files: what is evicted for them, and what never is.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

constexpr int kManyFiles = 300;
constexpr std::uint64_t kBound = 100;

void bounded(CacheOptions& options) {
  options.files.max_entries = kBound;
}

void put_all(Dataset<JsonText>& data) {
  for (int i = 0; i < kManyFiles; ++i) data.put(key(i), std::to_string(i));
}

// How many keys are answered, each rightly.
int answered(Dataset<JsonText>& data, Reach reach) {
  int count = 0;
  for (int i = 0; i < kManyFiles; ++i) {
    const auto snapshot = data.get(key(i), {.reach = reach});
    if (!snapshot.has_value()) continue;
    EXPECT_EQ(*snapshot, std::to_string(i));
    ++count;
  }
  return count;
}

// Tombstones are not counted.
bool within_bound(World& world, Cache& cache) {
  return world.run_until([&] { return cache.stats().datasets.front().keys <= kBound; }, 10min);
}

TEST(FileEviction, files_stay_within_max_entries_and_the_store_has_the_rest) {
  World world;
  auto cache = world.open(bounded);
  auto data = cache->dataset("d", keyed_stale());
  put_all(data);
  ASSERT_TRUE(cache->flush());
  ASSERT_TRUE(within_bound(world, *cache));
  EXPECT_LE(world.entry_files(), kBound);
  EXPECT_GE(cache->stats().files_evictions, kManyFiles - kBound);
  EXPECT_EQ(answered(data, Reach::store), kManyFiles);
  ASSERT_TRUE(within_bound(world, *cache)) << "what readers brought back counts too";
}

TEST(FileEviction, files_stay_within_max_bytes) {
  World world;
  auto cache = world.open([](CacheOptions& options) { options.files.max_bytes = 10'000; });
  auto data = cache->dataset("d", keyed_stale());
  for (int i = 0; i < 50; ++i) data.put(key(i), '"' + std::string(998, 'x') + '"');
  ASSERT_TRUE(cache->flush());
  ASSERT_TRUE(world.run_until([&] { return cache->stats().files_bytes <= 10'000; }, 10min));
  EXPECT_GE(cache->stats().files_bytes, 8'000u) << "no more than need be";
}

TEST(FileEviction, nothing_goes_while_the_store_is_away_I1) {
  World world;
  auto cache = world.open(bounded);
  auto data = cache->dataset("d", keyed_stale());
  put_all(data);
  ASSERT_TRUE(cache->flush());
  world.store_down();
  world.executor->run_for(10min);
  const std::uint64_t left = cache->stats().files_entries;
  data.put("more", "1");
  world.executor->run_for(10min);
  EXPECT_EQ(cache->stats().files_entries, left + 1);
  world.store_up();
  ASSERT_TRUE(cache->flush());
  ASSERT_TRUE(within_bound(world, *cache));
  EXPECT_EQ(answered(data, Reach::store), kManyFiles);
}

TEST(FileEviction, unconfirmed_writes_stay_until_the_store_has_them_I1) {
  World world;
  auto cache = world.open(bounded);
  auto data = cache->dataset("d", keyed_stale());
  world.store_down();
  put_all(data);
  world.executor->run_for(10min);
  EXPECT_EQ(world.entry_files(), static_cast<std::size_t>(kManyFiles));
  EXPECT_EQ(answered(data, Reach::local), kManyFiles);
  world.kill(cache);
  cache = world.open(bounded);
  world.store_up();
  data = cache->dataset("d", keyed_stale());
  ASSERT_TRUE(cache->flush());
  ASSERT_TRUE(within_bound(world, *cache));
  EXPECT_EQ(world.store->rows(), static_cast<std::size_t>(kManyFiles));
  EXPECT_EQ(answered(data, Reach::store), kManyFiles);
}

TEST(FileEviction, entry_that_the_store_has_only_older_stays_I3) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  put_all(data);
  ASSERT_TRUE(cache->flush());
  cache->close();
  // The store was restored from a backup.
  for (int i = 0; i < kManyFiles; ++i) {
    Entry row = *world.store->row("test", {"d", key(i)});
    --row.version.time;
    row.document = std::make_shared<const std::string>("\"old\"");
    row.checksum = Checksum::of(*row.document);
    world.store->put_row("test", {"d", key(i)}, row);
  }
  cache = world.open(bounded);
  data = cache->dataset("d", keyed_stale());
  world.executor->run_for(10min);
  EXPECT_EQ(cache->stats().files_evictions, 0u);
  EXPECT_EQ(answered(data, Reach::store), kManyFiles);
}

// More than are looked at in one turn: the store has lost what was confirmed.
TEST(FileEviction, many_that_cannot_go_do_not_keep_the_others_I8) {
  constexpr int kStuck = 2'300;
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  for (int i = 0; i < kStuck; ++i) data.put("stuck" + std::to_string(i), "1");
  ASSERT_TRUE(cache->flush());
  for (int i = 0; i < kStuck; ++i) {
    world.store->drop_row("test", {"d", "stuck" + std::to_string(i)});
  }
  world.executor->run_for(1min);
  for (int i = 0; i < 200; ++i) data.put(key(i), std::to_string(i));
  ASSERT_TRUE(cache->flush());
  cache->close();
  cache = world.open([](CacheOptions& options) { options.files.max_entries = kStuck + 100; });
  data = cache->dataset("d", keyed_stale());
  const std::uint64_t loads = world.store->calls("load");
  EXPECT_TRUE(world.run_until([&] { return cache->stats().files_evictions >= 100; }, 1min));
  EXPECT_LE(world.store->calls("load"), loads + 60) << "each is looked at once in a while";
  EXPECT_EQ(world.entry_files(), cache->stats().files_entries);
  for (int i = 0; i < kStuck; ++i) {
    const auto snapshot = data.get("stuck" + std::to_string(i), {.reach = Reach::local});
    ASSERT_TRUE(snapshot.has_value()) << "the last copy";
  }
}

TEST(FileEviction, without_a_store_nothing_goes_I1) {
  World world;
  auto cache = world.open([](CacheOptions& options) {
    bounded(options);
    options.store = nullptr;
  });
  auto data = cache->dataset("d", keyed_stale());
  put_all(data);
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(10min);
  EXPECT_EQ(answered(data, Reach::local), kManyFiles);
}

TEST(FileEviction, longest_unfetched_goes_first_and_what_memory_holds_last) {
  World world;
  auto cache = world.open([](CacheOptions& options) { options.memory.max_bytes = 0; });
  auto data = cache->dataset("d", keyed_stale());
  for (int i = 0; i < kManyFiles; ++i) {
    data.put(key(i), std::to_string(i));
    world.executor->run_for(1s);
  }
  ASSERT_TRUE(cache->flush());
  cache->close();
  cache = world.open();
  data = cache->dataset("d", keyed_stale());
  ASSERT_EQ(data.get(key(0)).tier(), Tier::files);
  cache->close();

  cache = world.open([](CacheOptions& options) {
    bounded(options);
    options.store_calls.call_timeout = 1h;
  });
  data = cache->dataset("d", keyed_stale());
  ASSERT_EQ(data.get(key(0)).tier(), Tier::files) << "now in memory";
  ASSERT_TRUE(within_bound(world, *cache));
  EXPECT_TRUE(data.contains(key(0)));
  EXPECT_FALSE(data.contains(key(1)));
  EXPECT_TRUE(data.contains(key(kManyFiles - 1)));
}

TEST(FileEviction, what_is_read_while_others_go_stays) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  for (int i = 0; i < kManyFiles; ++i) {
    data.put(key(i), std::to_string(i));
    world.executor->run_for(1s);
  }
  ASSERT_TRUE(cache->flush());
  cache->close();
  cache = world.open([](CacheOptions& options) {
    bounded(options);
    options.store_calls.call_timeout = 1h;
  });
  data = cache->dataset("d", keyed_stale());
  bool read = false;
  world.store->set_fault([&](const std::string& operation) {
    if (operation == "load" && !std::exchange(read, true)) {
      EXPECT_EQ(data.get(key(150), {.reach = Reach::local}).tier(), Tier::files);
    }
    return StoreFault::none;
  });
  ASSERT_TRUE(within_bound(world, *cache));
  world.store_up();
  EXPECT_TRUE(read);
  EXPECT_TRUE(data.contains(key(150)));
  EXPECT_FALSE(data.contains(key(149)));
  EXPECT_FALSE(data.contains(key(151)));
}

TEST(FileEviction, erased_entry_does_not_come_back_when_others_go_I4) {
  World world;
  auto cache = world.open(bounded);
  auto data = cache->dataset("d", keyed_stale());
  put_all(data);
  for (int i = 0; i < 10; ++i) data.erase(key(i));
  ASSERT_TRUE(cache->flush());
  ASSERT_TRUE(within_bound(world, *cache));
  world.store_down();
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(data.get(key(i)).has_value());
}

TEST(FileEviction, hydration_ends_where_the_files_are_full) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  for (int i = 0; i < 5'000; ++i) data.put(key(i), "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.wipe();
  cache = world.open(bounded);
  data = cache->dataset(
      "d", {.keyed = true, .fresh_for = 24h, .stale_for = 24h, .hydrate = Hydrate::all()});
  ASSERT_TRUE(cache->warm_up());
  EXPECT_LT(cache->stats().files_evictions, 2'000u);
  EXPECT_TRUE(within_bound(world, *cache));
}

// --- How many go, and which ---

// Entries of 100 bytes, fetched one after the other; confirmed, filed, and in no memory.
void fill(World& world, int count) {
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  for (int i = 0; i < count; ++i) {
    data.put(key(i), '"' + std::string(98, 'x') + '"');
    world.executor->run_for(1s);
  }
  ASSERT_TRUE(cache->flush());
  cache->close();
}

// What the rows of the store become, and how many entries are left here after ten minutes.
std::uint64_t left_after(World& world, const std::function<void(Entry&)>& alter) {
  fill(world, 101);
  for (int i = 0; i < 101; ++i) {
    Entry row = *world.store->row("test", {"d", key(i)});
    alter(row);
    world.store->put_row("test", {"d", key(i)}, row);
  }
  auto cache = world.open([](CacheOptions& options) {
    bounded(options);
    options.store_calls.poll_every = 0ms;
  });
  auto data = cache->dataset("d", keyed_stale());
  world.executor->run_for(10min);
  return cache->stats().files_entries;
}

TEST(FileEviction, one_above_the_bound_makes_room_of_a_twentieth_and_the_bound_itself_none) {
  for (const int count : {100, 101}) {
    World world;
    fill(world, count);
    auto cache = world.open(bounded);
    auto data = cache->dataset("d", keyed_stale());
    world.executor->run_for(10min);
    EXPECT_EQ(cache->stats().files_entries, count == 100 ? 100u : 95u);
    EXPECT_EQ(data.contains(key(5)), count == 100) << "the first to go";
    EXPECT_TRUE(data.contains(key(6)));
  }
}

TEST(FileEviction, bytes_above_the_bound_make_room_of_a_twentieth) {
  for (const int count : {100, 101}) {
    World world;
    fill(world, count);
    auto cache = world.open([](CacheOptions& options) { options.files.max_bytes = 10'000; });
    auto data = cache->dataset("d", keyed_stale());
    world.executor->run_for(10min);
    EXPECT_EQ(cache->stats().files_bytes, count == 100 ? 10'000u : 9'500u);
  }
}

TEST(FileEviction, entry_goes_where_the_store_has_it_or_a_newer_one_and_nowhere_else_I3) {
  const auto replace = [](Entry& row) {
    row.document = std::make_shared<const std::string>("\"other\"");
    row.checksum = Checksum::of(*row.document);
  };
  World same;
  EXPECT_EQ(left_after(same, [](Entry&) {}), 95u);
  World newer;
  EXPECT_EQ(left_after(newer,
                       [&](Entry& row) {
                         replace(row);
                         ++row.version.time;
                       }),
            95u);
  World other;
  EXPECT_EQ(left_after(other, replace), 101u) << "another document of the same version";
}

TEST(FileEviction, what_could_not_go_is_tried_again_every_half_minute) {
  World world;
  fill(world, 101);
  std::vector<Entry> rows;
  for (int i = 0; i < 101; ++i) {
    rows.push_back(*world.store->row("test", {"d", key(i)}));
    world.store->drop_row("test", {"d", key(i)});
  }
  auto cache = world.open(bounded);
  auto data = cache->dataset("d", keyed_stale());
  world.executor->run_for(1s);
  const std::uint64_t once = world.store->calls("load");
  EXPECT_GT(once, 0u);
  world.executor->run_for(28s);
  EXPECT_EQ(world.store->calls("load"), once);
  world.executor->run_for(2s);
  EXPECT_GE(world.store->calls("load"), 2 * once - 2) << "all of them";
  for (int i = 0; i < 101; ++i) {
    world.store->put_row("test", {"d", key(i)}, rows[static_cast<std::size_t>(i)]);
  }
  world.executor->run_for(30s);
  EXPECT_EQ(cache->stats().files_entries, 95u);
}

TEST(FileEviction, dataset_of_one_document_keeps_it) {
  World world;
  auto cache = world.open();
  cache->dataset("one", {.fresh_for = 24h}).put("", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  fill(world, 101);
  cache = world.open(bounded);
  auto data = cache->dataset("d", keyed_stale());
  world.executor->run_for(10min);
  EXPECT_TRUE(cache->dataset("one", {.fresh_for = 24h}).contains());
  EXPECT_EQ(cache->stats().files_entries, 95u);
}

TEST(FileEviction, evicted_entry_is_out_of_memory_and_off_the_schedule_too) {
  World world;
  auto cache = world.open(bounded);
  std::map<std::string, int> refreshed;
  auto options = keyed_stale();
  options.refresh_every = 1h;
  options.refresh_jitter = 0ms;
  options.refresh = [&](RefreshContext& context) {
    ++refreshed[context.key()];
    return std::string("2");
  };
  auto data = cache->dataset("d", options);
  for (int i = 0; i < 101; ++i) {
    data.put(key(i), "1");
    world.executor->run_for(1s);
  }
  ASSERT_TRUE(cache->flush());
  ASSERT_TRUE(world.run_until([&] { return cache->stats().files_entries == 95; }, 5min));
  for (int i = 0; i < 101; ++i) EXPECT_EQ(data.peek(key(i)).has_value(), i >= 6) << i;
  world.executor->run_for(70min);
  EXPECT_EQ(refreshed.size(), 95u);
  EXPECT_FALSE(refreshed.contains(key(0)));
}

// What the journal still has on disk of a key is older than what was evicted.
TEST(FileEviction, evicted_entry_is_not_followed_by_an_older_write_of_the_journal_after_a_kill_I3) {
  World world;
  auto cache = world.open(bounded);
  auto data = cache->dataset("d", keyed_stale());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.write_elsewhere("k", "2");
  world.executor->run_for(2s);
  ASSERT_EQ(*data.get("k", {.reach = Reach::local}), "2");
  put_all(data);
  ASSERT_TRUE(cache->flush());
  ASSERT_TRUE(within_bound(world, *cache));
  ASSERT_FALSE(data.get("k", {.reach = Reach::local}).has_value());
  world.kill(cache);
  world.store_down();
  cache = world.open(bounded);
  data = cache->dataset("d", keyed_stale());
  const auto found = data.get("k", {.reach = Reach::local});
  EXPECT_FALSE(found.has_value()) << *found;
}

}  // namespace
}  // namespace tiercache::testing
