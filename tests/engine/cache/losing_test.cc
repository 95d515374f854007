// Writes that the store refuses by their guard, met again after a restart (docs/decisions/0014).
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

// The store has "base", and a machine that has lost sight of the store refreshed it to "fetched".
// Then it died, and another machine wrote "other", with a version between the two.
class Losing : public ::testing::Test {
 protected:
  Losing() {
    auto options = keyed_stale();
    options.refresh = [](RefreshContext&) { return std::string("\"fetched\""); };
    auto cache = world.open();
    auto data = cache->dataset("d", options);
    data.put("k", "\"base\"");
    EXPECT_TRUE(cache->flush());
    world.store_down();
    world.clock->advance(1s);
    EXPECT_TRUE(data.refresh("k").has_value());
    fetched = data.peek("k").version();
    world.kill(cache);
    Entry other;
    other.version = {fetched.time - 1, fetched.writer};
    other.document = std::make_shared<std::string>("\"other\"");
    other.checksum = Checksum::of(*other.document);
    world.store->put_row("test", kId, other);
  }

  std::string local(Cache& cache) const {
    const auto snapshot = cache.dataset("d", keyed_stale()).get("k", {.reach = Reach::local});
    return snapshot.has_value() ? *snapshot : "nothing";
  }
  std::string row() const { return *world.store->row("test", kId)->document; }

  World world;
  Version fetched;
};

TEST_F(Losing, refusal_on_replay_gives_the_local_tiers_the_stores_row_I5) {
  auto cache = world.open();
  EXPECT_EQ(local(*cache), "\"fetched\"") << "nobody has refused it yet";
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row(), "\"other\"");
  EXPECT_EQ(local(*cache), "\"other\"");
  EXPECT_EQ(*cache->dataset("d", keyed_stale()).peek("k"), "\"other\"");
  EXPECT_EQ(cache->stats().outbox_depth, 0u);
  EXPECT_EQ(cache->stats().outbox_parked, 0u);
}

TEST_F(Losing, refused_write_is_not_sent_again) {
  auto cache = world.open();
  world.store_up();
  ASSERT_TRUE(cache->flush());
  const std::uint64_t saves = world.store->calls("save");
  world.executor->run_for(1h);
  ASSERT_TRUE(cache->flush());
  cache->close();
  cache = world.open();
  EXPECT_EQ(cache->stats().outbox_depth, 0u);
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(1h);
  EXPECT_EQ(world.store->calls("save"), saves);
  EXPECT_EQ(local(*cache), "\"other\"");
}

// The refused write may be met and refused once more, but neither the journal nor its old file
// brings it back.
TEST_F(Losing, refused_write_does_not_come_back_after_power_loss_I3_I5) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto cache = world.open();
    world.store_up();
    ASSERT_TRUE(cache->flush());
    ASSERT_EQ(local(*cache), "\"other\"") << seed;
    world.store_down();
    world.lose_power(cache, seed);
    cache = world.open();
    EXPECT_EQ(local(*cache), "\"other\"") << seed;
    world.kill(cache);
  }
}

// Removed and not replaced, the key would have nothing left here, and a crash would leave it so.
TEST_F(Losing, disk_that_refuses_the_stores_row_keeps_what_it_has_until_it_takes_it_I1) {
  auto cache = world.open();
  world.executor->run_for(1s);  // the file has what the store will refuse
  world.disk.set_fault([](const std::string& operation, const std::string& path) {
    const bool writes = operation == "write_file" || operation == "write_at";
    return writes && path.find("/journal/") == std::string::npos ? ENOSPC : 0;
  });
  world.store_up();
  cache->flush(10s);
  world.store_down();
  cache->close();
  world.disk.set_fault({});
  cache = world.open();
  EXPECT_NE(local(*cache), "nothing");
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(local(*cache), "\"other\"");
  cache->close();
  world.store_down();
  EXPECT_EQ(local(*world.open()), "\"other\"");
}

// It holds the refused write, for all that is known.
TEST_F(Losing, file_that_the_disk_does_not_read_is_given_up_once_it_does_I5) {
  auto cache = world.open();
  world.executor->run_for(1s);
  world.disk.set_fault([](const std::string&, const std::string& path) {
    return path.find("/data/") != std::string::npos ? EIO : 0;
  });
  world.store_up();
  cache->flush(10s);
  world.disk.set_fault({});
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(local(*cache), "\"other\"");
  cache->close();
  world.store_down();
  EXPECT_EQ(local(*world.open()), "\"other\"");
}

TEST_F(Losing, next_write_of_the_key_is_above_the_refused_version_I3) {
  auto cache = world.open();
  world.store_up();
  ASSERT_TRUE(cache->flush());
  const PutReceipt put = cache->dataset("d", keyed_stale()).put("k", "\"put\"");
  EXPECT_GT(put.version, fetched);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(row(), "\"put\"");
}

}  // namespace
}  // namespace tiercache::testing
