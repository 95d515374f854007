// Two caches on one directory, as two processes have them: what one writes the other serves at
// once.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

void patient(CacheOptions& options) {
  options.memory.ttl = 24h;
  options.store = nullptr;
}

// Memory is trusted for a day, so that nothing but the generation can tell the reader.
class TwoProcesses : public ::testing::Test {
 protected:
  TwoProcesses() {
    reader = world.open(patient);
    readers_executor = std::exchange(world.executor, nullptr);
    // Others were opened there before: numbers of datasets do not depend on it.
    writer = world.open(patient);
    writer->dataset("first", hydrated_stale());
    writer->dataset("second", hydrated_stale());
  }
  ~TwoProcesses() override {
    world.executor->shutdown(world.clock->steady_now());
    readers_executor->shutdown(world.clock->steady_now());
  }
  std::string read() {
    const auto snapshot = reader->dataset("d", hydrated_stale()).get("k");
    return snapshot.has_value() ? *snapshot : "nothing";
  }
  Tier tier() { return reader->dataset("d", hydrated_stale()).get("k").tier(); }

  World world;
  std::shared_ptr<SeededExecutor> readers_executor;
  std::unique_ptr<Cache> reader, writer;
};

TEST_F(TwoProcesses, write_is_served_once_its_file_is_there_I10) {
  auto data = writer->dataset("d", hydrated_stale());
  data.put("k", "1");
  ASSERT_TRUE(writer->flush());
  ASSERT_EQ(read(), "1");
  ASSERT_EQ(tier(), Tier::memory);
  data.put("k", "2");
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(read(), "2");
  EXPECT_EQ(tier(), Tier::memory) << "and is trusted from then on";
}

TEST_F(TwoProcesses, erase_is_noticed_I4_I10) {
  auto data = writer->dataset("d", hydrated_stale());
  data.put("k", "1");
  ASSERT_TRUE(writer->flush());
  ASSERT_EQ(read(), "1");
  data.erase("k");
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(read(), "nothing");
}

TEST_F(TwoProcesses, matching_erase_is_noticed_I4_I10) {
  auto data = writer->dataset("d", hydrated_stale());
  data.put("k", "1");
  ASSERT_TRUE(writer->flush());
  ASSERT_EQ(read(), "1");
  data.erase_matching("*");
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(read(), "nothing");
}

TEST_F(TwoProcesses, invalidation_is_noticed_I10) {
  auto data = writer->dataset("d", hydrated_stale());
  data.put("k", "1");
  ASSERT_TRUE(writer->flush());
  ASSERT_EQ(read(), "1");
  world.clock->advance(1s);
  data.invalidate("k");
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(reader->dataset("d", hydrated_stale()).get("k").freshness(), Freshness::stale);
}

TEST_F(TwoProcesses, key_that_was_not_found_is_looked_for_again_I10) {
  auto options = hydrated_stale();
  options.not_found_for = 24h;
  options.refresh = [](RefreshContext&) -> RefreshAnswer<std::string> { return NotFound{}; };
  auto mine = reader->dataset("d", options);
  ASSERT_FALSE(mine.get("k").has_value());
  auto data = writer->dataset("d", hydrated_stale());
  data.put("k", "1");
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(*mine.get("k"), "1");
}

TEST_F(TwoProcesses, what_a_key_is_said_to_be_is_of_the_newer_file_I10_I13) {
  auto mine = reader->dataset("d", hydrated_stale());
  auto theirs = writer->dataset("d", hydrated_stale());
  mine.put("k", "1");
  ASSERT_TRUE(reader->flush());
  const PutReceipt newer = theirs.put("k", "22");
  ASSERT_TRUE(writer->flush());
  ASSERT_TRUE(mine.info("k").has_value());
  EXPECT_EQ(mine.info("k")->version, newer.version);
  EXPECT_EQ(mine.info("k")->size, 2u);
  theirs.erase("k");
  ASSERT_TRUE(writer->flush());
  EXPECT_FALSE(mine.contains("k"));
  mine.put("k", "333");  // in its file only later
  EXPECT_EQ(mine.info("k")->size, 3u);
}

TEST_F(TwoProcesses, own_writes_leave_memory_trusted) {
  auto data = reader->dataset("d", hydrated_stale());
  for (int i = 0; i < 100; ++i) data.put("k", std::to_string(i));
  ASSERT_TRUE(reader->flush());
  EXPECT_EQ(tier(), Tier::memory);
  EXPECT_EQ(reader->stats().datasets.front().file_hits, 0u);
}

TEST_F(TwoProcesses, newer_file_is_served_while_an_own_write_waits_for_its_file_I10) {
  auto mine = reader->dataset("d", hydrated_stale());
  auto theirs = writer->dataset("d", hydrated_stale());
  mine.put("k", "1");
  theirs.put("k", "2");
  EXPECT_EQ(read(), "1") << "it is in no file yet";
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(read(), "2");
  mine.erase("k");
  EXPECT_EQ(read(), "nothing");
  theirs.put("k", "3");
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(read(), "3");
  ASSERT_TRUE(reader->flush());
  EXPECT_EQ(read(), "3");
}

TEST_F(TwoProcesses, erased_file_is_noticed_while_an_own_write_waits_for_its_file_I4_I10) {
  reader->dataset("d", hydrated_stale()).put("k", "1");
  writer->dataset("d", hydrated_stale()).erase("k");
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(read(), "nothing");
  ASSERT_TRUE(reader->flush());
  EXPECT_EQ(read(), "nothing");
}

// Its sync takes long: meanwhile another process makes a later write, and brings it to its file.
TEST_F(TwoProcesses, write_journaled_after_a_newer_one_came_to_its_file_does_not_hide_it_I10) {
  auto theirs = writer->dataset("d", hydrated_stale());
  auto mine = reader->dataset("d", hydrated_stale());
  bool once = false;
  world.disk.set_fault([&](const std::string& operation, const std::string&) {
    if (operation == "sync_data" && !std::exchange(once, true)) {
      theirs.put("k", "2");
      EXPECT_TRUE(writer->flush());
    }
    return 0;
  });
  mine.put("k", "1");
  world.disk.set_fault({});
  ASSERT_TRUE(once);
  EXPECT_EQ(read(), "2");
}

TEST_F(TwoProcesses, refresh_starts_from_a_newer_file_while_an_own_write_waits_for_its_file_I10) {
  std::string previous;
  auto options = hydrated_stale();
  options.refresh = [&](RefreshContext& context) -> RefreshAnswer<std::string> {
    previous = *context.previous()->document;
    return NotModified{};
  };
  auto mine = reader->dataset("d", options);
  mine.put("k", "1");
  writer->dataset("d", hydrated_stale()).put("k", "2");
  ASSERT_TRUE(writer->flush());
  mine.refresh("k");
  EXPECT_EQ(previous, "2");
}

TEST_F(TwoProcesses, own_invalidation_does_not_hide_a_newer_file_I10) {
  auto theirs = writer->dataset("d", hydrated_stale());
  theirs.put("k", "1");
  ASSERT_TRUE(writer->flush());
  ASSERT_EQ(read(), "1");
  theirs.put("k", "2");
  ASSERT_TRUE(writer->flush());
  reader->dataset("d", hydrated_stale()).invalidate("k");
  EXPECT_EQ(read(), "2");
}

// The other one's file, which is looked at again meanwhile, does not have this one's clocks yet.
TEST_F(TwoProcesses, fetch_by_a_clock_that_was_ahead_is_invalidated_before_its_file_tells_I1) {
  DatasetOptions<JsonText> options = hydrated_stale();
  options.refresh = [](RefreshContext&) -> RefreshAnswer<std::string> { return NotModified{}; };
  auto mine = reader->dataset("d", options);
  mine.put("k", "1");
  ASSERT_TRUE(reader->flush());
  writer->dataset("d", hydrated_stale()).put("k", "2");
  ASSERT_TRUE(writer->flush());
  const WallTime right = world.clock->wall_now();
  world.clock->set_wall(right + 30s);
  ASSERT_TRUE(mine.refresh("k").has_value());
  ASSERT_EQ(mine.info("k")->last_fetch, right + 30s);
  world.clock->set_wall(right);
  mine.invalidate("k");
  EXPECT_EQ(mine.get("k", {.reach = Reach::local}).freshness(), Freshness::stale);
}

TEST_F(TwoProcesses, own_write_that_waits_for_its_file_is_served_beside_an_older_file_I3) {
  auto mine = reader->dataset("d", hydrated_stale());
  writer->dataset("d", hydrated_stale()).put("k", "1");
  mine.put("k", "2");
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(read(), "2");
  EXPECT_EQ(tier(), Tier::memory);
  ASSERT_TRUE(reader->flush());
  EXPECT_EQ(*writer->dataset("d", hydrated_stale()).get("k"), "2");
}

TEST_F(TwoProcesses, later_write_wins_whatever_the_clocks_say_I3) {
  auto theirs = writer->dataset("d", hydrated_stale());
  auto mine = reader->dataset("d", hydrated_stale());
  world.clock->set_wall(world.clock->wall_now() + 15min);
  const Version first = theirs.put("k", "1").version;
  world.clock->set_wall(world.clock->wall_now() - 30min);
  EXPECT_GT(mine.put("k", "2").version, first);
  ASSERT_TRUE(writer->flush());
  ASSERT_TRUE(reader->flush());
  EXPECT_EQ(*theirs.get("k"), "2");
  EXPECT_EQ(read(), "2");
}

TEST_F(TwoProcesses, compare_and_set_sees_a_write_that_is_in_no_file_yet) {
  auto theirs = writer->dataset("d", hydrated_stale());
  auto mine = reader->dataset("d", hydrated_stale());
  const Version base = theirs.put("k", "1").version;
  ASSERT_TRUE(writer->flush());
  ASSERT_EQ(read(), "1");
  const Version unseen = theirs.put("k", "2").version;
  // It waits for the other's file: time passes for both.
  readers_executor->schedule(world.clock->steady_now() + 5ms, Lane::compute,
                             [this] { EXPECT_TRUE(writer->flush()); });
  try {
    mine.put("k", "3", {.if_version = base});
    FAIL() << "it overwrote what it had not seen";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(unseen.to_string()), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(read(), "2");
  EXPECT_GT(mine.put("k", "3", {.if_version = unseen}).version, unseen);
}

TEST_F(TwoProcesses, compare_and_set_beside_a_dead_process_takes_over_what_it_left_I1) {
  auto theirs = writer->dataset("d", hydrated_stale());
  const Version base = theirs.put("k", "1").version;
  ASSERT_TRUE(writer->flush());
  ASSERT_EQ(read(), "1");
  const Version unseen = theirs.put("k", "2").version;
  world.kill(writer);
  EXPECT_THROW(reader->dataset("d", hydrated_stale()).put("k", "3", {.if_version = base}), Error);
  EXPECT_EQ(read(), "2");
  EXPECT_GT(reader->dataset("d", hydrated_stale()).put("k", "3", {.if_version = unseen}).version,
            unseen);
}

TEST_F(TwoProcesses, compare_and_set_ends_at_its_deadline_while_another_never_gets_done_I7) {
  auto theirs = writer->dataset("d", hydrated_stale());
  const Version base = theirs.put("k", "1").version;
  ASSERT_TRUE(writer->flush());
  ASSERT_EQ(read(), "1");
  theirs.put("k", "2");
  EXPECT_THROW(
      reader->dataset("d", hydrated_stale()).put("k", "3", {.deadline = 500ms, .if_version = base}),
      Error);
  EXPECT_EQ(read(), "1");
}

}  // namespace
}  // namespace tiercache::testing
