// Reads that nobody waits for: files and store first, since another machine may have fetched it.
#include "cache/reading/background_reads.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class BackgroundReadsTest : public ::testing::Test {
 protected:
  static void scheduled(DatasetPolicy& policy) {
    policy.options.refresh_every = 10min;
    policy.options.refresh_jitter = 0ms;
    policy.options.fresh_for = 1h;
  }
  // It was served something stale.
  void served_stale() { room.background_reads.served_stale({.dataset = &data, .key = "k"}); }
  void due(Cadence cadence = Cadence::normal) { room.background_reads.due(kId, cadence, 3s); }
  Entry fetched(std::uint64_t time, const std::string& text, WallTime when) {
    Entry entry = document(time, text);
    entry.clocks.last_fetch = when;
    return entry;
  }
  void into_file(const Entry& entry) { local.into_file(entry); }

  Ground ground;
  ReadingRoom room{ground};
  LocalRoom& local = room.refreshing.writing.local;
  int asked = 0, asked_richly = 0;
  DatasetState& data = ground.open("d", [this](DatasetPolicy& policy) {
    scheduled(policy);
    policy.refresh = [this](RefreshContext&) -> RefreshResult {
      ++asked;
      NewDocument answer;
      answer.document = std::make_shared<const std::string>("\"source\"");
      return answer;
    };
    policy.rich_refresh = [this](RefreshContext&) -> RefreshResult {
      ++asked_richly;
      return NotModified{};
    };
  });
};

TEST_F(BackgroundReadsTest, row_that_another_machine_fetched_is_taken_and_the_source_not_asked) {
  into_file(document(5, "stale"));
  ground.clock->advance(2h);
  ground.put_row(fetched(6, "row", kStart + 2h));
  served_stale();
  ground.run_for(1s);
  EXPECT_EQ(local.found(data), "row");
  EXPECT_EQ(asked, 0);
}

TEST_F(BackgroundReadsTest, source_is_asked_where_nobody_has_something_fresh) {
  into_file(document(5, "stale"));
  ground.clock->advance(2h);
  served_stale();
  ground.run_for(1s);
  EXPECT_EQ(local.found(data), "\"source\"");
  EXPECT_EQ(asked, 1);
}

TEST_F(BackgroundReadsTest, readers_of_one_key_have_one_look_at_a_time_I5) {
  into_file(document(5, "stale"));
  ground.clock->advance(2h);
  for (int i = 0; i < 3; ++i) served_stale();
  ground.run_for(1s);
  EXPECT_EQ(ground.store->calls("load"), 1u);
  EXPECT_EQ(asked, 1);
  ground.clock->advance(2h);
  served_stale();
  ground.run_for(1s);
  EXPECT_EQ(asked, 2) << "the first look has ended";
}

TEST_F(BackgroundReadsTest, nothing_is_looked_at_where_nothing_could_be_newer_or_the_cache_closes) {
  Ground without([](CacheOptions& options) { options.store = nullptr; });
  ReadingRoom alone(without);
  DatasetState& plain = without.open();
  alone.background_reads.served_stale({.dataset = &plain, .key = "k"});
  EXPECT_EQ(without.executor->pending(), 0u);
  ground.runtime.tasks.close();
  served_stale();
  due();
  ground.run_for(1s);
  EXPECT_EQ(ground.store->calls("load"), 0u);
  EXPECT_EQ(asked, 0);
}

TEST_F(BackgroundReadsTest, turn_asks_the_source_and_counts_how_late_it_was) {
  into_file(document(5, "5"));
  ground.clock->advance(10min);
  due();
  ground.run_for(1s);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(asked_richly, 0);
  EXPECT_EQ(data.counters.refresh_lateness.read().sum, 3s);
}

TEST_F(BackgroundReadsTest, turn_is_over_where_another_machine_has_fetched_since_ours) {
  into_file(document(5, "5"));
  ground.clock->advance(10min);
  ground.put_row(fetched(6, "row", kStart + 9min));
  data.hydrated = true;
  due();
  ground.run_for(1s);
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(local.found(data), "row");
  ground.run_for(9min);
  EXPECT_EQ(room.refreshing.due.size(), 1u) << "the next one is armed by the row's clock";
}

TEST_F(BackgroundReadsTest,
       rich_turn_enriches_what_is_there_and_brings_the_document_first_where_nothing_is) {
  due(Cadence::rich);
  ground.run_for(1s);
  EXPECT_EQ(asked, 1);
  asked = asked_richly = 0;
  due(Cadence::rich);
  ground.run_for(1s);
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(asked_richly, 1);
}

TEST_F(BackgroundReadsTest, turn_of_a_dataset_that_is_not_open_is_nothing) {
  room.background_reads.due({"not open", "k"}, Cadence::normal, 0ms);
  EXPECT_EQ(ground.executor->pending(), 0u);
}

}  // namespace
}  // namespace tiercache::detail
