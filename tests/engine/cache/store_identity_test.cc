// Which life of the store the directory knows: after a reset nothing is dropped for being absent
// there.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

class StoreIdentityTest : public ::testing::Test {
 protected:
  // One life of a cache that leaves "k" confirmed and the store known, then a reset of the store.
  void leave_a_directory_and_reset_the_store() {
    auto cache = world.open();
    cache->dataset("d", keyed_for_a_year()).put("k", "1");
    ASSERT_TRUE(cache->flush());
    cache->close();
    world.store->lose_change_cursors();
    world.store->drop_row("test", {"d", "k"});
  }
  // Another cache purged far enough that "k" is below the horizon.
  void purge_everything() {
    Entry tombstone;
    tombstone.kind = EntryKind::tombstone;
    tombstone.version.time = ~std::uint64_t{0} >> 1;
    world.store->put_row("test", {"d", "other"}, tombstone);
    PurgeRequest request;
    request.tombstones_below.time = ~std::uint64_t{0};
    world.store->purge("test", request, kNever);
  }
  static bool replaced(const Cache& cache) {
    return cache.health().store_replaced_since.has_value();
  }

  World world;
};

TEST_F(StoreIdentityTest, repair_by_one_process_is_known_to_the_others_on_the_directory_I10) {
  leave_a_directory_and_reset_the_store();
  auto one = world.open();
  auto of_one = one->dataset("d", keyed_for_a_year());
  world.executor->run_for(10s);
  ASSERT_TRUE(replaced(*one));
  const auto executor_of_one = std::exchange(world.executor, nullptr);
  auto two = world.open();
  auto of_two = two->dataset("d", keyed_for_a_year());
  world.executor->run_for(10s);
  ASSERT_TRUE(replaced(*two));
  EXPECT_TRUE(two->scrub({.repair = true}).complete);
  two->flush();
  EXPECT_FALSE(replaced(*two));
  executor_of_one->run_for(1min);
  EXPECT_FALSE(replaced(*one));
  two->close();
  std::exchange(world.executor, executor_of_one)->shutdown(world.clock->steady_now());
  one->close();
}

TEST_F(StoreIdentityTest, document_below_the_horizon_whose_clocks_move_is_parked_once_I4) {
  leave_a_directory_and_reset_the_store();
  purge_everything();
  auto cache = world.open();
  auto data = cache->dataset("d", [] {
    auto options = keyed_for_a_year();
    options.refresh = [](RefreshContext&) { return Refreshed<std::string>{.value = "1"}; };
    return options;
  }());
  world.executor->run_for(10s);
  ASSERT_TRUE(data.refresh("k").has_value());
  ASSERT_TRUE(cache->accept_store());
  world.executor->run_for(1min);
  EXPECT_EQ(cache->health().parked, 1u);
  EXPECT_EQ(cache->stats().outbox_depth, 0u) << "nothing is sent again and again";
  EXPECT_EQ(world.store->row("test", {"d", "k"}), nullptr);
}

// What the store had purged before says nothing of what it lacks after a reset.
TEST_F(StoreIdentityTest, horizon_from_before_a_reset_is_forgotten_while_the_cache_is_open_I1_I4) {
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_for_a_year());
  data.put("k", "1");
  data.erase("erased");
  ASSERT_TRUE(cache->flush());
  purge_everything();
  ASSERT_TRUE(cache->scrub().complete) << "the horizon is known here";
  world.store->reset();
  world.executor->run_for(1min);
  ASSERT_TRUE(replaced(*cache));
  EXPECT_EQ(cache->scrub({.repair = true}).store_missing, 2u);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "1");
  EXPECT_EQ(world.store->row("test", {"d", "erased"})->kind, EntryKind::tombstone);
}

TEST_F(StoreIdentityTest, note_that_cannot_be_read_for_a_while_is_not_overwritten_I1) {
  leave_a_directory_and_reset_the_store();
  purge_everything();
  world.disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "read_file" && path == "/cache/store" ? EIO : 0;
  });
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_for_a_year());
  world.executor->run_for(1min);
  EXPECT_FALSE(replaced(*cache)) << "not known now";
  EXPECT_TRUE(data.contains("k")) << "nothing is dropped meanwhile";
  world.disk.set_fault({});
  world.executor->run_for(1min);
  EXPECT_TRUE(replaced(*cache));
  EXPECT_TRUE(data.contains("k"));
}

TEST_F(StoreIdentityTest, note_that_is_damaged_counts_as_another_store_until_repaired_I1_I9) {
  leave_a_directory_and_reset_the_store();
  purge_everything();
  world.disk.write("/cache/store", "tiercache-store 1\ntorn");
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_for_a_year());
  world.executor->run_for(1min);
  EXPECT_TRUE(replaced(*cache));
  EXPECT_TRUE(data.contains("k"));
  EXPECT_TRUE(cache->scrub({.repair = true}).complete);
  EXPECT_FALSE(replaced(*cache));
}

TEST_F(StoreIdentityTest, caches_on_one_directory_never_write_one_new_file_I10) {
  std::set<std::string> written;
  world.disk.on_operation([&](std::uint64_t, const std::string& what) {
    const bool is_new = what.find(".new") != std::string::npos;
    if (is_new && what.find("/cache/store") != std::string::npos) written.insert(what);
  });
  world.store_down();
  auto one = world.open();
  world.executor->run_for(1s);
  const auto executor_of_one = std::exchange(world.executor, nullptr);
  auto two = world.open();
  world.executor->run_for(1s);
  world.store_up();
  world.executor->run_for(1min);
  const auto by_two = std::exchange(written, {});
  ASSERT_FALSE(by_two.empty());
  world.disk.remove("/cache/store");
  executor_of_one->run_for(1min);
  ASSERT_FALSE(written.empty());
  for (const std::string& what : written) EXPECT_FALSE(by_two.contains(what)) << what;
  two->close();
  std::exchange(world.executor, executor_of_one)->shutdown(world.clock->steady_now());
  one->close();
}

}  // namespace
}  // namespace tiercache::testing
