// Two processes on one directory write the same key without knowing of each other, and one dies:
// its writes and those of the other meet in one journal.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

// The store and both processes begin with "base". Then the dying one puts "put", and the living
// one, which does not know of it, refreshes to "fetched", with a version above that. The store is
// away.
class TwoWriters : public ::testing::Test {
 protected:
  TwoWriters() {
    // They share no memory, by which the living one would learn of the other's write.
    world.disk.set_remote(true);
    living = open();
    data.emplace(living->dataset("d", options()));
    data->put("k", "\"base\"");
    EXPECT_TRUE(living->flush());
    executor = world.executor;
    world.store_down();
    auto others = std::exchange(world.executor, nullptr);
    auto dying = open();
    world.clock->advance(1s);
    put = dying->dataset("d", options()).put("k", "\"put\"").version;
    world.kill(dying);
    world.executor = std::move(others);
  }
  ~TwoWriters() override {
    world.executor->shutdown(world.clock->steady_now());
    living.reset();
  }

  std::unique_ptr<Cache> open() {
    return world.open([](CacheOptions& options) { options.files.allow_remote = true; });
  }
  static DatasetOptions<JsonText> options() {
    return {.keyed = true, .fresh_for = 24h, .stale_for = 24h, .refresh = [](RefreshContext&) {
              return std::string("\"fetched\"");
            }};
  }
  void refresh() {
    world.clock->advance(1s);
    EXPECT_TRUE(data->refresh("k").has_value());
    EXPECT_EQ(*data->peek("k"), "\"fetched\"");
    EXPECT_GT(data->peek("k").version(), put);
  }
  // Another machine's.
  void put_row(const std::string& document, Version version) {
    Entry row;
    row.document = std::make_shared<std::string>(document);
    row.checksum = Checksum::of(document);
    row.version = version;
    world.store->put_row("test", kId, row);
  }
  std::string row() const { return *world.store->row("test", kId)->document; }
  void expect_everywhere(const std::string& document) {
    EXPECT_EQ(row(), document);
    EXPECT_EQ(*data->get("k"), document);
    world.kill(living);
    living = open();
    data.emplace(living->dataset("d", {.keyed = true, .fresh_for = 24h, .stale_for = 24h}));
    EXPECT_EQ(*data->get("k", {.reach = Reach::local}), document);
    EXPECT_TRUE(living->flush());
    EXPECT_EQ(row(), document);
  }

  World world;
  std::unique_ptr<Cache> living;
  std::shared_ptr<SeededExecutor> executor;
  std::optional<Dataset<JsonText>> data;
  Version put;
};

TEST_F(TwoWriters, refresh_that_did_not_know_of_an_adopted_write_does_not_replace_it_I1_I5) {
  refresh();
  world.executor->run_for(10s);  // adopted
  world.store_up();
  ASSERT_TRUE(living->flush());
  expect_everywhere("\"put\"");
}

TEST_F(TwoWriters, adopted_write_reaches_the_store_where_the_refresh_is_refused_I1) {
  refresh();
  world.executor->run_for(10s);
  put_row("\"another machine's\"", {put.time - 1, put.writer});
  world.store_up();
  ASSERT_TRUE(living->flush());
  expect_everywhere("\"put\"");
}

TEST_F(TwoWriters, what_wins_over_the_adopted_write_wins_over_the_refresh_I3) {
  refresh();
  world.executor->run_for(10s);
  put_row("\"another machine's\"", {put.time + 1, put.writer});
  world.store_up();
  ASSERT_TRUE(living->flush());
  expect_everywhere("\"another machine's\"");
}

TEST_F(TwoWriters, both_writes_of_two_dead_processes_are_met_by_a_third_I1) {
  refresh();
  world.executor->run_for(10s);
  world.kill(living);
  living = open();
  data.emplace(living->dataset("d", {.keyed = true, .fresh_for = 24h, .stale_for = 24h}));
  put_row("\"another machine's\"", {put.time - 1, put.writer});
  world.store_up();
  ASSERT_TRUE(living->flush());
  expect_everywhere("\"put\"");
}

TEST_F(TwoWriters, write_adopted_while_the_refresh_is_being_refused_is_not_lost_I1) {
  refresh();
  put_row("\"another machine's\"", {put.time - 1, put.writer});
  world.store_up();
  bool first = true;
  world.store->on_call([&](const std::string& operation) {
    if (operation == "save" && std::exchange(first, false)) world.executor->sleep_for(6s);
  });
  ASSERT_TRUE(living->flush());
  ASSERT_FALSE(first);
  expect_everywhere("\"put\"");
}

}  // namespace
}  // namespace tiercache::testing
