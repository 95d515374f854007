// What a read says of each tier it passed: the reason stands by the tier that it is of.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <stdexcept>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Passages : public ::testing::Test {
 protected:
  DatasetOptions<JsonText> sourced() {
    return {.keyed = true,
            .fresh_for = 10s,
            .stale_for = 24h,
            .retry_first = 1ms,
            .hydrate = Hydrate::none(),
            .refresh = [this](RefreshContext&) -> RefreshAnswer<std::string> { return fetch(); }};
  }
  std::string fetch() {
    if (takes_ > 0ms) world_.executor->sleep_for(takes_);
    if (away_) throw RetryAfter(60s, "HTTP 503");
    return "1";
  }
  void damage_files() {
    for (const std::string& path : world_.disk.files()) {
      std::string bytes;
      if (path.find("/data/") == std::string::npos || !world_.disk.read(path, &bytes)) continue;
      bytes[bytes.size() - 5] ^= 1;
      world_.disk.write(path, bytes);
    }
  }

  World world_;
  bool away_ = false;
  std::chrono::milliseconds takes_{0};
};

TEST(Passage, texts_name_tier_answer_and_reason_in_place) {
  Passage passage;
  EXPECT_EQ(passage.to_string(), "");
  passage.memory = TierAnswer::stale;
  passage.files = TierAnswer::corrupt;
  passage.files_why = "its checksum";
  passage.source = TierAnswer::throttled;
  passage.source_why = "HTTP 503";
  EXPECT_EQ(passage.to_string(),
            "memory: stale; files: corrupt (its checksum); source: throttled (HTTP 503)");
  EXPECT_EQ(passage.why(), "files: its checksum; source: HTTP 503");
  EXPECT_EQ(passage.summary(), "memory: stale; files: corrupt; source: throttled");
  passage.source = TierAnswer::not_asked;
  EXPECT_THAT(passage.to_string(), HasSubstr("source: not asked (HTTP 503)"));
  EXPECT_EQ(passage.summary(), "memory: stale; files: corrupt");
}

TEST_F(Passages, each_reason_stands_by_its_tier) {
  auto cache = world_.open();
  auto data = cache->dataset("d", sourced());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  damage_files();
  cache = world_.open();
  data = cache->dataset("d", sourced());
  world_.store_down();
  away_ = true;
  const Passage passage = data.get("k").passage();
  EXPECT_EQ(passage.memory, TierAnswer::miss);
  EXPECT_EQ(passage.memory_why, "");
  EXPECT_EQ(passage.files, TierAnswer::corrupt);
  EXPECT_NE(passage.files_why, "");
  EXPECT_EQ(passage.store, TierAnswer::unavailable);
  EXPECT_NE(passage.store_why, "");
  EXPECT_EQ(passage.source, TierAnswer::failed);
  EXPECT_EQ(passage.source_why, "HTTP 503; next try in 60 s");
}

TEST_F(Passages, document_that_does_not_decode_is_told_of_the_tier_that_had_it) {
  auto cache = world_.open();
  auto data = cache->dataset("d", {.keyed = true, .cache_version = "1"});
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  cache = world_.open();
  data = cache->dataset("d", {.keyed = true, .cache_version = "2", .hydrate = Hydrate::none()});
  const Passage passage = data.get("k").passage();
  EXPECT_EQ(passage.files, TierAnswer::undecodable);
  EXPECT_THAT(passage.files_why, HasSubstr("cache_version"));
  EXPECT_EQ(passage.store, TierAnswer::undecodable);
  EXPECT_THAT(passage.store_why, HasSubstr("cache_version"));
}

TEST_F(Passages, store_that_has_nothing_newer_says_so_and_the_local_tiers_how_old_theirs_is) {
  auto cache = world_.open();
  auto data = cache->dataset("d", {.keyed = true, .fresh_for = 10s, .stale_for = 24h});
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world_.executor->run_for(11s);
  EXPECT_EQ(data.get("k", {.max_stale = 0s}).passage().to_string(),
            "memory: stale; files: stale; store: miss (it has nothing newer than the local tiers)");
}

TEST_F(Passages, fresh_value_whose_file_is_looked_at_says_why_it_was) {
  auto cache = world_.open();
  auto data = cache->dataset("d", {.keyed = true, .fresh_for = 24h});
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world_.executor->run_for(6min);
  const auto snapshot = data.get("k");
  EXPECT_EQ(snapshot.tier(), Tier::files);
  EXPECT_EQ(snapshot.passage().to_string(),
            "memory: stale (its file was last looked at longer ago than memory.ttl); files: hit");
}

TEST_F(Passages, stale_from_memory_says_the_last_failure_and_the_next_try) {
  auto cache = world_.open();
  auto data = cache->dataset("d", sourced());
  data.get("k");
  EXPECT_EQ(data.get("k").passage().to_string(), "memory: hit");
  away_ = true;
  world_.executor->run_for(11s);
  const auto first = data.get("k");
  ASSERT_EQ(first.freshness(), Freshness::stale);
  EXPECT_EQ(first.tier(), Tier::memory);
  EXPECT_EQ(first.passage().to_string(), "memory: stale; source: refreshing");
  world_.executor->run_for(12s);
  EXPECT_EQ(
      data.get("k").passage().to_string(),
      "memory: stale; source: throttled (last failure 12 s ago: HTTP 503; the source asked to "
      "be left alone; next try in 48 s)");
  EXPECT_EQ(data.peek("k").passage().source, TierAnswer::throttled);
  const Health health = cache->health();
  EXPECT_EQ(health.sources.at(0).second.why, "HTTP 503");
  EXPECT_EQ(health.sources.at(0).second.next_probe, world_.clock->wall_now() + 48s);
  EXPECT_TRUE(health.sources.at(0).second.since);
  world_.executor->run_for(50s);
  EXPECT_EQ(data.get("k").passage().to_string(),
            "memory: stale; source: refreshing (last failure 62 s ago: HTTP 503)");
}

TEST_F(Passages, nothing_served_locally_says_the_last_failure_too) {
  auto cache = world_.open();
  auto data = cache->dataset("d", sourced());
  away_ = true;
  EXPECT_FALSE(data.get("k"));
  const Passage passage = data.get("k", {.reach = Reach::local}).passage();
  EXPECT_EQ(passage.store, TierAnswer::not_asked);
  EXPECT_EQ(passage.source, TierAnswer::throttled);
  EXPECT_THAT(passage.source_why, HasSubstr("HTTP 503"));
}

TEST_F(Passages, refresh_under_way_is_told_by_those_who_do_not_wait_for_it) {
  auto cache = world_.open();
  auto options = sourced();
  options.soft_timeout = 50ms;
  auto data = cache->dataset("d", options);
  data.get("k");
  world_.executor->run_for(11s);
  takes_ = 5s;
  const auto softly = data.get("k");
  EXPECT_EQ(softly.freshness(), Freshness::stale);
  EXPECT_EQ(softly.passage().source, TierAnswer::refreshing);
  EXPECT_EQ(data.peek("k").passage().source, TierAnswer::refreshing);
}

TEST_F(Passages, deadline_is_told_of_the_tier_that_was_being_asked) {
  auto cache = world_.open();
  auto data = cache->dataset("d", sourced());
  takes_ = 5s;
  const std::vector<std::string> keys{"a", "b"};
  for (const auto& snapshot : data.get_many(keys, {.deadline = 1s})) {
    const Passage passage = snapshot.passage();
    EXPECT_EQ(passage.store, TierAnswer::miss);
    EXPECT_EQ(passage.source, TierAnswer::timed_out);
    EXPECT_THAT(passage.source_why, HasSubstr("the call's deadline"));
  }
}

// It has not begun, and nothing is wrong with its own source.
TEST_F(Passages, refresh_that_waits_for_the_callbacks_of_others_is_not_said_to_go_on_I13) {
  auto cache = world_.open([](CacheOptions& options) { options.concurrent_refreshes = 1; });
  auto options = sourced();
  std::optional<Passage> hangs, waits;
  std::optional<Dataset<JsonText>> data;
  options.refresh = [&](RefreshContext& context) {
    if (context.key() == "hangs") {
      data->get_async("waits", {.deadline = 1s}, [&](const auto& s) { waits = s.passage(); });
      world_.executor->sleep_for(20s);
    }
    return std::string("1");
  };
  data.emplace(cache->dataset("d", options));
  data->get_async("hangs", {.deadline = 1s}, [&](const auto& s) { hangs = s.passage(); });
  world_.executor->run_for(1min);
  ASSERT_TRUE(hangs && waits);
  EXPECT_EQ(waits->source, TierAnswer::timed_out);
  EXPECT_THAT(waits->source_why, HasSubstr("has not begun: it waits for 1 callback of other keys"));
  EXPECT_EQ(hangs->source, TierAnswer::timed_out);
  EXPECT_THAT(hangs->source_why, HasSubstr("the refresh goes on"));
}

TEST_F(Passages, get_or_load_tells_the_same_and_shows_in_health) {
  auto cache = world_.open();
  auto data = cache->dataset("d", {.keyed = true, .fresh_for = 10s, .stale_for = 24h});
  EXPECT_TRUE(cache->health().sources.empty()) << "it has no source so far";
  const auto load = [&] {
    return data.get_or_load("k", [this](RefreshContext&) { return fetch(); });
  };
  load();
  EXPECT_TRUE(cache->health().sources.at(0).second.last_worked);
  world_.executor->run_for(11s);
  away_ = true;
  EXPECT_EQ(load().passage().source, TierAnswer::refreshing);
  world_.executor->run_for(1s);
  EXPECT_EQ(load().passage().source, TierAnswer::throttled);
  EXPECT_THAT(load().passage().source_why, HasSubstr("HTTP 503"));
  ASSERT_EQ(cache->health().sources.size(), 1u);
  EXPECT_FALSE(cache->health().sources.at(0).second.working);
  EXPECT_TRUE(cache->health().sources.at(0).second.next_probe);
}

TEST_F(Passages, refresh_asked_for_says_what_the_source_said) {
  auto cache = world_.open();
  auto data = cache->dataset("d", sourced());
  away_ = true;
  EXPECT_EQ(data.refresh("k").passage().source_why, "HTTP 503; next try in 60 s");
  const Passage again = data.refresh("k").passage();
  EXPECT_EQ(again.source, TierAnswer::throttled);
  EXPECT_EQ(again.source_why,
            "last failure 0 ms ago: HTTP 503; the source asked to be left alone; next try in 60 s");
}

TEST_F(Passages, health_and_stats_say_no_more_than_was_seen_I13) {
  auto cache = world_.open();
  auto data = cache->dataset("d", sourced());
  EXPECT_FALSE(cache->health().sources.at(0).second.last_worked) << "it was never asked";
  away_ = true;
  takes_ = 1s;
  std::atomic<int> answered{0};
  for (int i = 0; i < 5; ++i) {
    data.get_async("k", {.deadline = 10s}, [&](const auto&) { ++answered; });
  }
  ASSERT_TRUE(world_.run_until([&] { return answered == 5; }));
  EXPECT_EQ(cache->stats().datasets.at(0).refreshes, 1u);
  EXPECT_EQ(cache->stats().datasets.at(0).refresh_failures, 1u) << "of five that waited for one";
}

// The source is not asked again and again for what cannot be kept.
TEST_F(Passages, not_modified_that_could_not_be_saved_is_a_failed_refresh) {
  auto cache = world_.open([](CacheOptions& options) { options.store = nullptr; });
  int asked = 0;
  auto options = sourced();
  options.retry_first = 1min;
  options.refresh = [&](RefreshContext& context) -> RefreshAnswer<std::string> {
    ++asked;
    if (context.previous()) return NotModified{};
    return "1";
  };
  auto data = cache->dataset("d", options);
  data.get("k");
  ASSERT_TRUE(cache->flush());
  world_.executor->run_for(11s);
  world_.disk.set_fault([](const std::string& operation, const std::string&) {
    return operation.starts_with("read") ? 0 : EIO;
  });
  data.get("k");
  world_.executor->run_for(10ms);
  EXPECT_EQ(asked, 2);
  for (int i = 0; i < 10; ++i) data.get("k");
  world_.executor->run_for(10ms);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(data.get("k").passage().source, TierAnswer::throttled);
}

class ForOutsiders : public Passages {
 protected:
  static void expect_tells_nothing(const std::string& text) {
    EXPECT_THAT(text, Not(HasSubstr("db.internal")));
    EXPECT_THAT(text, Not(HasSubstr("HTTP 503")));
    EXPECT_THAT(text, Not(HasSubstr("/cache")));
  }
};

TEST_F(ForOutsiders, what_an_empty_snapshot_throws_quotes_nobody_and_its_details_do_I11) {
  auto cache = world_.open();
  auto data = cache->dataset("d", sourced());
  away_ = true;
  const auto snapshot = data.get("k");
  expect_tells_nothing(snapshot.passage().summary());
  try {
    (void)*snapshot;
    FAIL() << "it has a value";
  } catch (const NoData& error) {
    EXPECT_THAT(error.what(), HasSubstr("source: failed"));
    expect_tells_nothing(error.what());
    EXPECT_EQ(error.details(), snapshot.passage().to_string());
  }
}

TEST_F(ForOutsiders, write_that_the_store_refused_quotes_it_in_the_details_alone_I11) {
  auto cache = world_.open();
  auto data = cache->dataset("d", {.keyed = true});
  world_.store->set_refusal(
      [](const StoreWrite&) { return std::optional<std::string>("postgres db.internal: no"); });
  try {
    data.put("k", "1", {.durability = Durability::store});
    FAIL() << "it was stored";
  } catch (const NotDurable& error) {
    expect_tells_nothing(error.what());
    EXPECT_THAT(error.details(), HasSubstr("db.internal"));
  }
}

TEST_F(ForOutsiders, write_that_no_tier_took_quotes_disk_and_store_in_the_details_alone_I11) {
  auto cache = world_.open();
  auto data = cache->dataset("d", {.keyed = true});
  world_.store_down();
  world_.disk.set_fault([](const std::string& operation, const std::string&) {
    return operation.starts_with("read") ? 0 : EIO;
  });
  try {
    data.put("k", "1");
    FAIL() << "it is durable";
  } catch (const NotDurable& error) {
    expect_tells_nothing(error.what());
    EXPECT_THAT(error.details(), HasSubstr("the store: "));
  }
}

}  // namespace
}  // namespace tiercache::testing
