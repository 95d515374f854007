// Matching erases among the writes of several processes on one directory: what was written before
// is gone for good, what is written after stands, whatever their clocks say.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

class Skewed : public Clock {
 public:
  Skewed(std::shared_ptr<Clock> true_one, std::chrono::minutes skew)
      : true_one_(std::move(true_one)), skew_(skew) {}
  WallTime wall_now() const override { return true_one_->wall_now() + skew_; }
  SteadyTime steady_now() const override { return true_one_->steady_now(); }
  SteadyTime coarse_now() const override { return true_one_->coarse_now(); }

 private:
  const std::shared_ptr<Clock> true_one_;
  const std::chrono::minutes skew_;
};

// Tasks of both run while either waits.
class EraseOrder : public ::testing::Test {
 protected:
  EraseOrder() { world.store_down(); }
  ~EraseOrder() override { executor->shutdown(world.clock->steady_now()); }

  std::unique_ptr<Cache> open(std::chrono::minutes skew = {}) {
    return open_with(executor, std::make_shared<Skewed>(world.clock, skew));
  }
  std::unique_ptr<Cache> open_with(std::shared_ptr<Executor> runs_on,
                                   std::shared_ptr<Clock> clock) {
    return world.open([&](CacheOptions& options) {
      options.ports.executor = std::move(runs_on);
      options.ports.clock = std::move(clock);
    });
  }
  static Dataset<JsonText> data(const std::unique_ptr<Cache>& cache) {
    return cache->dataset("d", hydrated_stale());
  }
  static std::string read(const std::unique_ptr<Cache>& cache, const std::string& key = "k") {
    const auto snapshot = data(cache).get(key, {.reach = Reach::local});
    return snapshot ? *snapshot : "nothing";
  }
  std::string row() const {
    const EntryPtr there = world.store->row("test", kId);
    return there && there->document ? *there->document : "nothing";
  }
  void only_fails(const std::string& failing) {
    world.store->set_fault([failing](const std::string& operation) {
      return operation == failing ? StoreFault::unavailable : StoreFault::none;
    });
  }
  void flush_until_erased(const std::unique_ptr<Cache>& cache) {
    ASSERT_TRUE(executor->run_until([&] { return cache->stats().outbox_depth == 0; }, 1h));
  }

  World world;
  std::shared_ptr<SeededExecutor> executor = std::make_shared<SeededExecutor>(world.clock, 77);
};

TEST_F(EraseOrder, erase_by_a_clock_behind_erases_what_a_clock_ahead_wrote_I4) {
  const auto ahead = open(4min), behind = open(-4min);
  data(ahead).put("k", "1");
  executor->run_for(1s);
  data(behind).erase_matching("*");
  EXPECT_EQ(read(behind), "nothing");
  EXPECT_EQ(read(ahead), "nothing");
  world.store_up();
  ASSERT_TRUE(behind->flush());
  ASSERT_TRUE(ahead->flush());
  EXPECT_EQ(row(), "nothing");
  EXPECT_EQ(read(ahead), "nothing");
}

TEST_F(EraseOrder, write_by_a_clock_behind_after_an_erase_stands_I3) {
  const auto ahead = open(4min), behind = open(-4min);
  data(ahead).erase_matching("*");
  const Version written = data(behind).put("k", "1").version;
  EXPECT_EQ(read(behind), "1");
  only_fails("erase_matching");
  ASSERT_TRUE(behind->flush());
  ASSERT_EQ(row(), "1");
  world.store_up();
  ASSERT_TRUE(ahead->flush());
  EXPECT_EQ(row(), "1");
  EXPECT_EQ(world.store->row("test", kId)->version, written);
  EXPECT_EQ(read(behind), "1");
  EXPECT_EQ(read(ahead), "1");
}

TEST_F(EraseOrder, what_another_process_has_not_filed_yet_is_erased_I4) {
  const auto writer = open(), eraser = open();
  data(writer).put("k", "1");
  ASSERT_EQ(world.entry_files(), 0u);
  data(eraser).erase_matching("*");
  EXPECT_EQ(read(eraser), "nothing");
  EXPECT_EQ(read(writer), "nothing");
  executor->run_for(10s);
  EXPECT_EQ(read(eraser), "nothing");
  EXPECT_EQ(read(writer), "nothing");
}

TEST_F(EraseOrder, write_that_waits_for_the_store_gives_way_to_an_erase_confirmed_before_I4) {
  const auto writer = open(), eraser = open();
  data(writer).put("k", "1");
  executor->run_for(1s);
  data(eraser).erase_matching("*");
  only_fails("save");
  flush_until_erased(eraser);
  world.store_up();
  ASSERT_TRUE(writer->flush());
  EXPECT_EQ(row(), "nothing");
  EXPECT_EQ(read(writer), "nothing");
}

TEST_F(EraseOrder, write_that_is_on_its_way_to_the_store_gives_way_to_an_erase_I4) {
  const auto writer = open(), eraser = open();
  data(writer).put("k", "1");
  executor->run_for(1s);
  world.store_up();
  bool first = true;
  world.store->on_call([&](const std::string& operation) {
    if (operation != "save" || !std::exchange(first, false)) return;
    data(eraser).erase_matching("*");
    flush_until_erased(eraser);
  });
  ASSERT_TRUE(writer->flush());
  ASSERT_FALSE(first);
  EXPECT_EQ(row(), "nothing");
  EXPECT_EQ(read(writer), "nothing");
}

TEST_F(EraseOrder, write_of_a_dead_process_gives_way_once_adopted_I4) {
  const auto eraser = open();
  auto writers_executor = std::make_shared<SeededExecutor>(world.clock, 78);
  auto writer = open_with(writers_executor, world.clock);
  data(writer).put("k", "1");
  writers_executor->shutdown(world.clock->steady_now());  // it dies with its write under way
  world.disk.kill();
  writer.reset();
  data(eraser).erase_matching("*");
  EXPECT_EQ(read(eraser), "nothing");
  world.store_up();
  executor->run_for(1min);
  ASSERT_TRUE(eraser->flush());
  EXPECT_EQ(row(), "nothing");
  EXPECT_EQ(read(eraser), "nothing");
}

TEST_F(EraseOrder, files_that_the_eraser_never_heard_of_are_erased_I4) {
  const auto eraser = open();
  data(eraser).put("known", "0");
  const std::vector<std::string> keys = {"k", "a b/%", std::string(300, 'x')};
  {
    const auto writer = open();
    for (const std::string& key : keys) data(writer).put(key, "1");
    writer->dataset("other", hydrated_stale()).put("k", "1");
    executor->run_for(1s);
    writer->close();
  }
  data(eraser).erase_matching("*");
  const auto reader = open();  // the eraser's journal hides them from the eraser alone
  for (const std::string& key : keys) EXPECT_EQ(read(reader, key), "nothing") << key;
  EXPECT_EQ(read(reader, "known"), "nothing");
  EXPECT_EQ(*reader->dataset("other", hydrated_stale()).get("k"), "1");
}

TEST_F(EraseOrder, erase_says_so_when_another_process_does_not_file_what_it_wrote_I7) {
  const auto eraser = open();
  auto stuck_executor = std::make_shared<SeededExecutor>(world.clock, 78);
  const auto stuck = open_with(stuck_executor, world.clock);
  data(stuck).put("k", "1");
  const SteadyTime began = world.clock->steady_now();
  try {
    data(eraser).erase_matching("*", {.deadline = 1s});
    ADD_FAILURE() << "it cannot know what there is";
  } catch (const NotDurable& error) {
    EXPECT_EQ(error.state(), NotDurable::State::not_applied);
    EXPECT_NE(std::string(error.what()).find("another process"), std::string::npos);
  }
  EXPECT_LT(world.clock->steady_now() - began, 2s);
  EXPECT_EQ(read(stuck), "1");
  stuck_executor->run_for(1s);
  EXPECT_EQ(read(eraser), "1") << "nothing was erased";
  data(eraser).erase_matching("*");
  EXPECT_EQ(read(stuck), "nothing");
  stuck_executor->shutdown(world.clock->steady_now());
}

// --- Refreshes of keys that nothing here tells of ---

class ErasedDuringARefresh : public ::testing::Test {
 protected:
  // What is read of "k" by a callback that takes so long, while `meanwhile` happens in its second
  // second.
  Snapshot<JsonText> read(std::chrono::seconds takes, const std::function<void()>& meanwhile = {}) {
    if (meanwhile) {
      world.executor->schedule(world.clock->steady_now() + 1s, Lane::compute, meanwhile);
    }
    const auto slow = [this, takes](RefreshContext&) {
      world.executor->sleep_for(takes);
      return std::string("1");
    };
    return data.get_or_load("k", slow, 1h, {.deadline = 1min});
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
  Dataset<JsonText> data = cache->dataset("d", {.keyed = true, .fresh_for = 1h});
};

TEST_F(ErasedDuringARefresh, answer_stays_away_also_once_the_erase_is_settled_I4_I5) {
  for (const auto takes : {20s, 2s}) {
    EXPECT_FALSE(read(takes, [&] { data.erase_matching("*"); }).has_value());
    EXPECT_FALSE(data.info("k").has_value());
  }
}

TEST_F(ErasedDuringARefresh, erase_of_other_keys_or_of_another_dataset_keeps_no_answer_away) {
  auto other = cache->dataset("other", {.keyed = true});
  EXPECT_TRUE(read(20s, [&] {
                data.erase_matching("x*");
                other.erase_matching("*");
              }).has_value());
}

TEST_F(ErasedDuringARefresh, answer_of_a_refresh_begun_after_the_erase_is_saved) {
  for (const auto takes : {0s, 20s}) {
    for (const Durability durability : {Durability::journal, Durability::store}) {
      data.erase_matching("*", {.durability = durability});
      const auto read_again = read(takes);
      EXPECT_TRUE(read_again.has_value()) << read_again.passage().to_string();
      EXPECT_TRUE(data.info("k").has_value());
      ASSERT_TRUE(cache->flush());
      EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "1");
      data.erase("k");
      ASSERT_TRUE(cache->flush());
      cache->close();
      world.wipe();
      world.store->drop_row("test", {"d", "k"});
      cache = world.open();
      data = cache->dataset("d", {.keyed = true, .fresh_for = 1h});
    }
  }
}

// Where more were erased than are remembered, any of them may have been the key's.
TEST_F(ErasedDuringARefresh, answer_that_may_have_been_erased_stays_away_I8) {
  const auto erase = [&](int times) {
    for (int i = 0; i < times; ++i) data.erase_matching("x*");
  };
  EXPECT_TRUE(read(20s, [&] { erase(1'000); }).has_value());
  data.erase("k");
  EXPECT_FALSE(read(20s, [&] { erase(1'001); }).has_value());
}

}  // namespace
}  // namespace tiercache::testing
