// Compare-and-set on versions that the store has not confirmed: a chain of them reaches the store
// whole, or gives way whole to what another machine wrote before it (I5). The oldest base decides,
// not the newest.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

class LineageTest : public ::testing::Test {
 protected:
  LineageTest() {
    base = data().put("k", "0", {.durability = Durability::store}).version;
    world.clock->advance(1min);
  }
  Dataset<JsonText> data() {
    return cache->dataset("d", {.keyed = true, .fresh_for = 24h, .hydrate = Hydrate::none()});
  }
  // Each made from the one before.
  Version count_to(int last) {
    Version version = data().info("k")->version;
    for (int i = std::stoi(*data().get("k")) + 1; i <= last; ++i) {
      world.clock->advance(1s);
      version = data().put("k", std::to_string(i), {.if_version = version}).version;
    }
    return version;
  }
  void put_elsewhere(std::uint64_t time) {
    Entry entry;
    entry.version = {time, 7};
    entry.document = std::make_shared<std::string>("\"other\"");
    entry.checksum = Checksum::of(*entry.document);
    entry.clocks.last_fetch = world.clock->wall_now();
    world.store->put_row("test", kId, entry);
  }
  std::string row() const { return *world.store->row("test", kId)->document; }
  void restart() {
    world.kill(cache);
    cache = world.open();
  }
  // The first save is made, and its answer is lost; then the store is away.
  void lose_the_answer_of_the_next_save() {
    saves = 0;
    world.store->set_fault([this](const std::string& operation) {
      if (operation == "save" && saves++ == 0) return StoreFault::unknown_done;
      return StoreFault::unavailable;
    });
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
  Version base;
  int saves = 0;
};

TEST_F(LineageTest, chain_made_while_the_store_is_away_arrives_whole_I1) {
  world.store_down();
  count_to(5);
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row(), "5");
  EXPECT_EQ(*data().get("k"), "5");
}

TEST_F(LineageTest, chain_gives_way_whole_to_what_came_between_its_first_base_and_its_end_I5) {
  world.store_down();
  count_to(5);
  put_elsewhere(base.time + 1);
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row(), "\"other\"");
  EXPECT_EQ(*data().get("k"), "\"other\"");
}

TEST_F(LineageTest, chain_goes_on_from_a_link_that_arrived_though_nobody_was_told_I1) {
  lose_the_answer_of_the_next_save();
  count_to(1);
  ASSERT_TRUE(world.run_until([&] { return saves > 0; }));
  ASSERT_EQ(row(), "1");
  count_to(3);
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row(), "3");
}

TEST_F(LineageTest, chain_gives_way_to_what_was_made_from_a_link_of_it_elsewhere_I5) {
  lose_the_answer_of_the_next_save();
  const Version first = count_to(1);
  ASSERT_TRUE(world.run_until([&] { return saves > 0; }));
  world.clock->advance(1min);
  count_to(3);
  put_elsewhere(first.time + 1);
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row(), "\"other\"");
}

TEST_F(LineageTest, chain_outlives_restarts_and_is_as_strict_after_them_I1_I5) {
  for (const bool other : {false, true}) {
    const std::string text = *data().get("k");
    const Version before = data().info("k")->version;
    world.store_down();
    count_to(std::stoi(text) + 2);
    restart();
    count_to(std::stoi(text) + 4);
    restart();
    count_to(std::stoi(text) + 5);
    if (other) put_elsewhere(before.time + 1);
    world.store_up();
    ASSERT_TRUE(cache->flush());
    EXPECT_EQ(row(), other ? "\"other\"" : std::to_string(std::stoi(text) + 5));
    world.clock->advance(1min);
  }
}

TEST_F(LineageTest, link_of_an_earlier_life_that_arrived_unheard_is_known_after_restarts_I1) {
  lose_the_answer_of_the_next_save();
  count_to(1);
  ASSERT_TRUE(world.run_until([&] { return saves > 0; }));
  restart();
  count_to(2);
  restart();
  count_to(3);
  ASSERT_EQ(row(), "1");
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row(), "3");
}

TEST_F(LineageTest, row_that_moves_while_it_is_looked_at_decides_again_I5) {
  world.store_down();
  count_to(2);
  bool moved = false;
  world.store->on_call([&](const std::string& operation) {
    if (operation != "save" || std::exchange(moved, true)) return;
    put_elsewhere(base.time + 1);
  });
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_TRUE(moved);
  EXPECT_EQ(row(), "\"other\"");
}

TEST_F(LineageTest, plain_put_in_the_chain_wins_as_it_always_does) {
  world.store_down();
  count_to(2);
  const Version put = data().put("k", "10").version;
  data().put("k", "11", {.if_version = put});
  put_elsewhere(base.time + 1);
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row(), "11");
}

}  // namespace
}  // namespace tiercache::testing
