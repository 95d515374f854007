// `scrub`: each difference between the tiers is found, and mended where that is asked for.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kScrubbedKeys = 25;

// A confirmed document per key; memory is empty, so that files are looked at.
class Scrubbing : public ::testing::Test {
 protected:
  Scrubbing() {
    reopen();
    for (std::uint64_t i = 0; i < kScrubbedKeys; ++i) data().put(key(i), std::to_string(i));
    EXPECT_TRUE(cache->flush());
    reopen();
  }
  void reopen() {
    if (cache) cache->close();
    // The feed would mend some of it by itself.
    cache = world.open([](CacheOptions& options) { options.store_calls.poll_every = 0ms; });
    data();
  }
  Dataset<JsonText> data() { return cache->dataset("d", keyed_stale()); }
  ScrubReport look() { return cache->scrub({.page = 10}); }
  ScrubReport repair() {
    ScrubReport report = cache->scrub({.repair = true, .page = 10});
    EXPECT_TRUE(cache->flush());
    return report;
  }
  void change_row(const std::string& of, const std::function<void(Entry&)>& change) {
    Entry row = *world.store->row("test", {"d", of});
    change(row);
    world.store->put_row("test", {"d", of}, row);
  }
  static void set_text(Entry& entry, const std::string& text) {
    entry.document = std::make_shared<const std::string>(text);
    entry.checksum = Checksum::of(text);
  }
  std::string bytes_of(const std::string& of) {
    std::string bytes;
    EXPECT_TRUE(world.disk.read(path_of(of), &bytes));
    return bytes;
  }
  // Puts another document, lets it reach its file and the store, and puts the old file back.
  // Memory has the new one then. Returns the new file.
  std::string set_file_back(const std::string& of) {
    const std::string old = bytes_of(of);
    data().put(of, "\"new\"");
    EXPECT_TRUE(cache->flush());
    const std::string replaced = bytes_of(of);
    world.disk.write(path_of(of), old);
    return replaced;
  }
  std::string path_of(const std::string& of) const {
    for (const std::string& path : world.disk.files()) {
      if (path.ends_with("/" + of + ".json")) return path;
    }
    ADD_FAILURE() << "no file of " << of;
    return {};
  }
  std::string local(const std::string& of) {
    const auto snapshot = data().get(of, {.reach = Reach::local});
    return snapshot.has_value() ? *snapshot : "nothing";
  }
  std::string row(const std::string& of) {
    const EntryPtr there = world.store->row("test", {"d", of});
    return there && there->document ? *there->document : "nothing";
  }
  // Nothing is left to find, in any tier.
  void expect_sound() {
    const ScrubReport report = look();
    EXPECT_TRUE(report.complete) << report.to_string();
    EXPECT_EQ(report.differences(), 0u) << report.to_string();
    EXPECT_EQ(report.keys, kScrubbedKeys);
  }

  World world;
  std::unique_ptr<Cache> cache;
};

TEST_F(Scrubbing, tiers_that_agree_are_left_alone) {
  expect_sound();
  const std::uint64_t saves = world.store->calls("save");
  EXPECT_EQ(repair().repaired, 0u);
  EXPECT_EQ(world.store->calls("save"), saves);
}

TEST_F(Scrubbing, write_on_its_way_to_its_file_is_no_difference_and_its_key_stays_listed_I13) {
  for (const bool with_store : {true, false}) {
    cache->close();
    world.wipe();
    cache = world.open([&](CacheOptions& options) {
      if (!with_store) options.store = nullptr;
    });
    data().put("before", "1");
    ASSERT_TRUE(cache->flush());
    data().put("before", "2");
    data().put("fresh", "3");
    EXPECT_EQ(look().differences(), 0u) << look().to_string();
    EXPECT_EQ(data().keys().keys.size(), 2u);
    EXPECT_EQ(local("before") + local("fresh"), "23");
  }
}

TEST_F(Scrubbing, without_a_store_a_lost_file_is_written_again_from_memory) {
  cache->close();
  world.wipe();
  cache = world.open([](CacheOptions& options) { options.store = nullptr; });
  data().put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(5s);
  const std::string path = path_of("k");
  world.disk.boot()->remove_file(path);
  const ScrubReport report = look();
  EXPECT_EQ(report.file_lost + report.repaired, 2u) << report.to_string();
  EXPECT_EQ(path_of("k"), path);
  EXPECT_EQ(local("k"), "1");
}

TEST_F(Scrubbing, without_repair_nothing_is_changed) {
  const auto file = path_of("k3");
  std::string bytes;
  ASSERT_TRUE(world.disk.read(file, &bytes));
  change_row("k3", [](Entry& row) {
    ++row.version.time;
    set_text(row, "\"newer\"");
  });
  EXPECT_EQ(look().store_ahead, 1u);
  std::string after;
  ASSERT_TRUE(world.disk.read(file, &after));
  EXPECT_EQ(bytes, after);
  EXPECT_EQ(look().store_ahead, 1u);
}

TEST_F(Scrubbing, newer_row_is_taken_I3) {
  ASSERT_EQ(local("k3"), "3");
  change_row("k3", [](Entry& row) {
    ++row.version.time;
    set_text(row, "\"newer\"");
  });
  const ScrubReport report = repair();
  EXPECT_EQ(report.store_ahead, 1u);
  EXPECT_EQ(report.repaired, 1u);
  EXPECT_EQ(local("k3"), "\"newer\"");
  expect_sound();
}

TEST_F(Scrubbing, tombstone_in_the_store_is_taken_I4) {
  change_row("k3", [](Entry& row) {
    row.kind = EntryKind::tombstone;
    row.document = nullptr;
    row.checksum = {};
    ++row.version.time;
  });
  EXPECT_EQ(repair().store_ahead, 1u);
  EXPECT_EQ(local("k3"), "nothing");
  expect_sound();
}

TEST_F(Scrubbing, older_row_is_written_again_after_a_restore_I1) {
  for (std::uint64_t i = 0; i < kScrubbedKeys; ++i) {
    change_row(key(i), [](Entry& row) {
      row.version.time -= 1000;
      set_text(row, "\"backup\"");
    });
  }
  EXPECT_EQ(look().store_behind, kScrubbedKeys);
  EXPECT_EQ(row("k3"), "\"backup\"");
  EXPECT_EQ(repair().repaired, kScrubbedKeys);
  EXPECT_EQ(row("k3"), "3");
  expect_sound();
}

TEST_F(Scrubbing, lost_rows_are_written_again_after_a_reset_I1) {
  data().erase("k1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.store = std::make_shared<MemoryStore>(world.clock);
  world.store->set_limits({});
  reopen();
  EXPECT_EQ(look().store_missing, kScrubbedKeys);
  const ScrubReport report = repair();
  EXPECT_EQ(report.repaired, kScrubbedKeys);
  EXPECT_EQ(world.store->rows(), kScrubbedKeys);
  EXPECT_EQ(row("k3"), "3");
  EXPECT_EQ(world.store->row("test", {"d", "k1"})->kind, EntryKind::tombstone);
  EXPECT_EQ(cache->stats().outbox_depth, 0u);
  expect_sound();
}

TEST_F(Scrubbing, two_contents_of_one_version_become_the_stores) {
  ASSERT_EQ(local("k3"), "3");
  change_row("k3", [](Entry& row) { set_text(row, "\"other\""); });
  const ScrubReport report = repair();
  EXPECT_EQ(report.store_differs, 1u);
  EXPECT_EQ(local("k3"), "\"other\"");
  expect_sound();
}

TEST_F(Scrubbing, later_clocks_of_the_row_are_taken) {
  change_row("k3", [&](Entry& row) {
    world.clock->advance(5s);
    row.clocks.invalidated_at = world.clock->wall_now();
  });
  EXPECT_EQ(repair().store_ahead, 1u);
  EXPECT_EQ(data().get("k3", {.reach = Reach::local}).freshness(), Freshness::stale);
  expect_sound();
}

TEST_F(Scrubbing, damaged_file_is_kept_aside_and_taken_from_the_store_I9) {
  const std::string file = path_of("k3");
  std::string bytes;
  ASSERT_TRUE(world.disk.read(file, &bytes));
  bytes[bytes.size() / 2] ^= 1;
  world.disk.write(file, bytes);
  const ScrubReport report = repair();
  EXPECT_EQ(report.file_corrupt, 1u);
  EXPECT_EQ(report.repaired, 1u);
  EXPECT_EQ(cache->stats().files_quarantined, 1u);
  EXPECT_EQ(local("k3"), "3");
  expect_sound();
}

TEST_F(Scrubbing, damaged_file_is_written_from_memory_while_the_store_is_away_I9) {
  ASSERT_EQ(local("k3"), "3");
  const std::string file = path_of("k3");
  world.disk.write(file, "rubbish");
  world.store_down();
  const ScrubReport report = cache->scrub({.repair = true});
  EXPECT_EQ(report.file_corrupt, 1u);
  EXPECT_EQ(report.repaired, 1u);
  EXPECT_FALSE(report.complete);
  world.store_up();
  world.executor->run_for(1min);
  reopen();
  EXPECT_EQ(local("k3"), "3");
}

TEST_F(Scrubbing, damaged_file_is_counted_alone_without_repair) {
  ASSERT_EQ(local("k3"), "3");
  world.disk.write(path_of("k3"), "rubbish");
  const ScrubReport report = look();
  EXPECT_EQ(report.file_corrupt, 1u);
  EXPECT_EQ(report.differences(), 1u) << report.to_string();
  EXPECT_EQ(report.repaired, 0u);
  world.executor->run_for(1s);
  EXPECT_EQ(world.entry_files(), kScrubbedKeys - 1)
      << "it is in the quarantine, and nothing in its place";
}

TEST_F(Scrubbing, file_older_than_memory_is_written_from_memory_I3) {
  set_file_back("k3");
  const ScrubReport seen = look();
  EXPECT_EQ(seen.index_wrong, 1u);
  EXPECT_EQ(seen.memory_differs, 1u);
  EXPECT_EQ(seen.store_ahead, 1u);
  EXPECT_EQ(seen.repaired, 0u);
  world.store_down();
  const ScrubReport report = cache->scrub({.repair = true});
  EXPECT_EQ(report.memory_differs, 1u);
  EXPECT_EQ(report.repaired, 1u);
  world.store_up();
  world.executor->run_for(1min);
  reopen();
  EXPECT_EQ(local("k3"), "\"new\"");
  expect_sound();
}

TEST_F(Scrubbing, file_set_back_is_mended_in_index_memory_and_from_the_store_I3) {
  set_file_back("k3");
  EXPECT_EQ(repair().repaired, 3u);
  EXPECT_EQ(local("k3"), "\"new\"");
  expect_sound();
}

TEST_F(Scrubbing, memory_older_than_the_file_lets_go_I3) {
  const std::string newer = set_file_back("k3");
  reopen();
  ASSERT_EQ(local("k3"), "3");
  world.disk.write(path_of("k3"), newer);
  const ScrubReport report = repair();
  EXPECT_EQ(report.memory_differs, 1u);
  EXPECT_EQ(report.differences(), 1u) << report.to_string();
  EXPECT_EQ(report.repaired, 1u);
  EXPECT_FALSE(data().peek("k3").has_value());
  EXPECT_EQ(local("k3"), "\"new\"");
  expect_sound();
}

TEST_F(Scrubbing, damaged_file_is_not_written_from_a_memory_older_than_the_index_I3_I9) {
  const std::string newer = set_file_back("k3");
  reopen();
  ASSERT_EQ(local("k3"), "3");
  world.disk.write(path_of("k3"), newer);
  EXPECT_EQ(look().memory_differs, 1u);
  world.disk.write(path_of("k3"), "rubbish");
  EXPECT_EQ(repair().file_corrupt, 1u);
  reopen();
  EXPECT_EQ(local("k3"), "\"new\"");
  expect_sound();
}

TEST_F(Scrubbing, file_of_another_content_than_the_index_says_is_found) {
  const std::string before = bytes_of("k3");
  change_row("k3", [](Entry& row) { set_text(row, "\"other\""); });
  EXPECT_EQ(repair().store_differs, 1u);
  reopen();
  world.disk.write(path_of("k3"), before);
  const ScrubReport report = repair();
  EXPECT_EQ(report.index_wrong, 1u);
  EXPECT_EQ(report.store_differs, 1u);
  EXPECT_EQ(report.repaired, 2u);
  EXPECT_EQ(local("k3"), "\"other\"");
  expect_sound();
}

TEST_F(Scrubbing, tombstone_whose_file_went_away_is_not_lost) {
  data().erase("k3");
  ASSERT_TRUE(cache->flush());
  reopen();
  ASSERT_TRUE(world.disk.remove(path_of("k3")));
  const ScrubReport report = look();
  EXPECT_EQ(report.differences(), 0u) << report.to_string();
  EXPECT_TRUE(report.complete);
}

TEST_F(Scrubbing, dataset_that_is_not_open_is_mended_too_I9) {
  change_row("k4", [](Entry& row) {
    ++row.version.time;
    set_text(row, "\"newer\"");
  });
  change_row("k5", [](Entry& row) { set_text(row, "\"other\""); });
  cache->close();
  cache = world.open([](CacheOptions& options) { options.store_calls.poll_every = 0ms; });
  world.disk.write(path_of("k3"), "rubbish");
  const ScrubReport report = cache->scrub({.repair = true});
  EXPECT_EQ(report.file_corrupt, 1u);
  EXPECT_EQ(report.store_ahead, 1u);
  EXPECT_EQ(report.store_differs, 1u);
  EXPECT_EQ(report.repaired, 3u);
  EXPECT_EQ(local("k3"), "3");
  EXPECT_EQ(local("k4"), "\"newer\"");
  EXPECT_EQ(local("k5"), "\"other\"");
}

TEST_F(Scrubbing, one_dataset_alone_is_looked_at_where_that_is_asked_for) {
  cache->dataset("e", keyed_stale()).put("k", "1");
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(cache->scrub({.dataset = "e"}).keys, 1u);
  EXPECT_EQ(cache->scrub().keys, kScrubbedKeys + 1);
}

TEST_F(Scrubbing, file_that_went_away_comes_back_from_the_store) {
  ASSERT_TRUE(world.disk.remove(path_of("k3")));
  const ScrubReport report = repair();
  EXPECT_EQ(report.file_lost, 1u);
  EXPECT_EQ(local("k3"), "3");
  expect_sound();
}

// Each process bounds the files for all; the others' indexes hear of it only when they look.
TEST_F(Scrubbing, what_another_process_evicted_is_not_lost) {
  cache->close();
  cache = world.open([](CacheOptions& options) {
    options.store_calls.poll_every = 0ms;
    options.files.max_entries = kScrubbedKeys + 1;
  });
  CacheOptions options;
  options.project = "test";
  options.directory = "/cache";
  options.store = world.store;
  options.files.max_entries = 10;
  options.ports = {
      .clock = world.clock, .executor = world.executor, .file_system = world.disk.boot()};
  options.seed = 77;
  Cache other(std::move(options));
  other.dataset("d", keyed_stale()).put("k0", "0");
  ASSERT_TRUE(other.flush());
  ASSERT_TRUE(world.run_until([&] { return world.entry_files() <= 10; }, 10min));
  const ScrubReport report = repair();
  EXPECT_TRUE(report.complete) << report.to_string();
  EXPECT_EQ(report.differences(), 0u) << report.to_string();
  EXPECT_LE(world.entry_files(), 10u) << "what was evicted was brought back";
  other.close();
}

TEST_F(Scrubbing, writes_that_are_not_in_their_files_yet_are_not_lost) {
  data().put("new", "1");
  const ScrubReport report = look();
  EXPECT_EQ(report.file_lost, 0u) << report.to_string();
  EXPECT_EQ(report.unsettled, 1u);
}

// Without it what the store has purged would be sent there again (I4).
TEST_F(Scrubbing, horizon_that_is_not_known_ends_it_and_says_why_I4) {
  world.store->drop_row("test", {"d", "k3"});
  world.store->set_fault([](const std::string& call) {
    return call == "purge" ? StoreFault::unavailable : StoreFault::none;
  });
  const ScrubReport report = cache->scrub({.repair = true, .page = 10});
  EXPECT_FALSE(report.complete);
  EXPECT_NE(report.why.find("how far it has purged"), std::string::npos) << report.to_string();
  EXPECT_EQ(report.repaired, 0u);
  world.store_up();
}

TEST_F(Scrubbing, writes_that_wait_are_left_to_the_outbox) {
  world.store_down();
  data().put("k3", "\"waits\"");
  world.executor->run_for(1s);
  world.store_up();
  const ScrubReport report = look();
  EXPECT_EQ(report.unsettled, 1u);
  EXPECT_EQ(report.differences(), 0u) << report.to_string();
}

TEST_F(Scrubbing, store_that_is_away_ends_it_and_says_why) {
  world.store_down();
  const ScrubReport report = look();
  EXPECT_FALSE(report.complete);
  EXPECT_FALSE(report.why.empty());
  EXPECT_LT(report.keys, kScrubbedKeys);
}

TEST_F(Scrubbing, deadline_ends_it) {
  const ScrubReport report = cache->scrub({.deadline = 0ms});
  EXPECT_FALSE(report.complete);
  EXPECT_EQ(report.keys, 0u);
}

TEST_F(Scrubbing, pause_follows_each_page) {
  const auto began = world.clock->steady_now();
  EXPECT_TRUE(cache->scrub({.page = 10, .pause = 1s}).complete);
  EXPECT_EQ(world.clock->steady_now() - began, 3s);
}

TEST_F(Scrubbing, pause_ends_at_the_deadline_I7) {
  const auto began = world.clock->steady_now();
  const ScrubReport report = cache->scrub({.page = 10, .pause = 1s, .deadline = 1500ms});
  EXPECT_EQ(world.clock->steady_now() - began, 1500ms);
  EXPECT_EQ(report.keys, 20u);
  EXPECT_FALSE(report.complete);
  EXPECT_EQ(report.why, "the deadline passed");
}

TEST_F(Scrubbing, close_ends_it_between_two_pages) {
  world.executor->schedule(world.clock->steady_now() + 500ms, Lane::compute,
                           [&] { cache->close(0ms); });
  const ScrubReport report = cache->scrub({.page = 10, .pause = 1s});
  EXPECT_EQ(report.keys, 10u);
  EXPECT_FALSE(report.complete);
  EXPECT_EQ(report.why, "the cache was closed");
}

TEST_F(Scrubbing, page_of_no_keys_or_too_many_is_refused) {
  EXPECT_THROW(cache->scrub({.page = 0}), BadConfiguration);
  EXPECT_THROW(cache->scrub({.page = 10'001}), BadConfiguration);
  EXPECT_TRUE(cache->scrub({.page = 10'000}).complete);
}

TEST_F(Scrubbing, closed_cache_refuses) {
  cache->close();
  EXPECT_THROW(cache->scrub(), Closed);
}

TEST(Scrub, without_a_store_files_are_looked_at) {
  World world;
  auto cache = world.open([](CacheOptions& options) { options.store = nullptr; });
  auto data = cache->dataset("d", keyed_stale());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  const ScrubReport report = cache->scrub({.repair = true});
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.keys, 1u);
  EXPECT_EQ(report.differences(), 0u) << report.to_string();
}

TEST(Scrub, without_a_store_a_file_that_went_away_is_lost) {
  World world;
  const auto alone = [](CacheOptions& options) { options.store = nullptr; };
  auto cache = world.open(alone);
  cache->dataset("d", keyed_stale()).put("k", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  cache = world.open(alone);
  for (const std::string& path : world.disk.files()) {
    if (path.find("/data/") != std::string::npos) world.disk.remove(path);
  }
  EXPECT_EQ(cache->scrub().file_lost, 1u);
}

}  // namespace
}  // namespace tiercache::testing
