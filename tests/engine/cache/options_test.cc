#include <gtest/gtest.h>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

TEST(Options, every_fault_is_named_with_field_value_and_allowed_range) {
  World world;
  try {
    world.open([](CacheOptions& o) {
      o.project = "";
      o.directory = "";
      o.limits.max_depth = 0;
      o.concurrent_refreshes = 0;
      o.files.write_behind = 500ms;
    });
    FAIL();
  } catch (const BadConfiguration& error) {
    const std::string text = error.what();
    for (const char* field :
         {"project", "directory", "limits.max_depth = 0", "concurrent_refreshes",
          "files.write_behind = 500", "at most 50 ms"}) {
      EXPECT_NE(text.find(field), std::string::npos) << field << "\n" << text;
    }
  }
}

TEST(Options, faults_of_a_dataset_are_named_together) {
  World world;
  auto cache = world.open();
  try {
    cache->dataset("d", {.refresh_every = 1h, .stale_for = -1s, .hard_timeout = 0ms});
    FAIL();
  } catch (const BadConfiguration& error) {
    const std::string text = error.what();
    for (const char* field : {"stale_for", "hard_timeout", "refresh = none"}) {
      EXPECT_NE(text.find(field), std::string::npos) << field << "\n" << text;
    }
  }
  EXPECT_THROW(cache->dataset("", {}), BadConfiguration);
  EXPECT_THROW(cache->dataset("a\nb", {}), BadConfiguration);
}

TEST(Options, directory_of_another_project_is_refused_and_unharmed) {
  World world;
  auto cache = world.open();
  cache->dataset("d", {.keyed = true}).put("k", "1");
  cache->close();
  const auto before = world.disk.files();
  EXPECT_THROW(world.open([](CacheOptions& o) { o.project = "another"; }), BadDirectory);
  EXPECT_EQ(world.disk.files(), before);
  world.disk.set_remote(true);
  EXPECT_THROW(world.open(), BadDirectory);
  EXPECT_NO_THROW(world.open([](CacheOptions& o) { o.files.allow_remote = true; }));
}

TEST(Options, corrupt_files_are_kept_up_to_the_bound_that_all_kinds_share_I8_I9) {
  World world;
  const auto bounded = [](CacheOptions& options) { options.files.max_quarantine_bytes = 5 * 4096; };
  auto cache = world.open(bounded);
  const DatasetOptions<JsonText> options = {.keyed = true, .fresh_for = 24h};
  auto data = cache->dataset("d", options);
  for (int i = 0; i < 20; ++i) data.put(std::to_string(i), "1");
  cache->close();
  for (const std::string& path : world.disk.files()) {
    if (path.find("/data/") != std::string::npos) world.disk.write(path, "damage");
  }
  cache = world.open(bounded);
  data = cache->dataset("d", options);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(*data.get(std::to_string(i)), "1") << "from the store";
  const Stats stats = cache->stats();
  EXPECT_EQ(stats.files_quarantined, 20u);
  EXPECT_EQ(stats.quarantine_deleted, 15u);
  EXPECT_EQ(stats.quarantine_bytes, 5u * 4096);
  std::size_t kept = 0;
  for (const std::string& path : world.disk.files()) {
    kept += path.find("/quarantine/") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(kept, 5u);
}

TEST(Keys, parts_are_joined_escaped_and_split_again) {
  EXPECT_EQ(make_key({"session", "42", "state"}), "session:42:state");
  EXPECT_NE(make_key({"a:b", "c"}), make_key({"a", "b:c"}));
  const std::vector<std::string> parts = {"a:b", "*", "100%", "", "\\?"};
  EXPECT_EQ(split_key(make_key({"a:b", "*", "100%", "", "\\?"})), parts);
  EXPECT_EQ(escape_key_part("*").find('*'), std::string::npos);
}

TEST(Stats, tiers_and_datasets_are_counted) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true, .fresh_for = 1h});
  data.put("a", "1");
  data.get("a");
  data.get("a");
  data.get("none");
  ASSERT_TRUE(cache->flush());
  const Stats stats = cache->stats();
  ASSERT_EQ(stats.datasets.size(), 1u);
  EXPECT_EQ(stats.datasets[0].memory_hits, 2u);
  EXPECT_EQ(stats.datasets[0].misses, 1u);
  EXPECT_EQ(stats.datasets[0].puts, 1u);
  EXPECT_EQ(stats.datasets[0].keys, 1u);
  EXPECT_EQ(stats.memory_entries, 1u);
  EXPECT_GT(stats.memory_bytes_charged, 0u);
  EXPECT_GE(stats.store_saves, 1u);
  EXPECT_GE(stats.store_loads, 1u);
  EXPECT_EQ(stats.outbox_depth, 0u);
  EXPECT_EQ(stats.put_latency.count, 1u);
  EXPECT_TRUE(cache->health().all_working());
}

TEST(Keys, are_listed_in_pages) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true});
  for (int i = 0; i < 25; ++i) data.put("k" + std::to_string(10 + i), "1");
  std::vector<std::string> all;
  std::optional<std::string> after;
  int pages = 0;
  do {
    const KeyPage page = after ? data.keys(*after, 10) : data.keys({}, 10);
    all.insert(all.end(), page.keys.begin(), page.keys.end());
    after = page.next;
    ++pages;
  } while (after);
  EXPECT_EQ(all.size(), 25u);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  EXPECT_EQ(pages, 3);
}

}  // namespace
}  // namespace tiercache::testing
