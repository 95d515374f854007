// Stores that break the port's contract: the cache goes on.
#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

DatasetOptions<JsonText> keyed() {
  return {.keyed = true, .fresh_for = 1h, .stale_for = 24h, .hydrate = Hydrate::all()};
}

TEST(StoreThatThrows, counts_as_unavailable_until_it_works_again_I1_I7) {
  World world;
  world.store->on_call([](const std::string&) { throw std::runtime_error("out of order"); });
  auto cache = world.open();
  auto data = cache->dataset("d", keyed());
  world.executor->run_for(1min);
  EXPECT_FALSE(data.get("absent").has_value());
  data.put("k", "1");
  world.executor->run_for(10min);
  EXPECT_FALSE(data.get("absent").has_value());
  EXPECT_FALSE(cache->health().store.working);
  EXPECT_NE(cache->health().store.why.find("out of order"), std::string::npos);
  world.store->on_call({});
  world.executor->run_for(10min);
  EXPECT_TRUE(cache->health().store.working);
  EXPECT_EQ(cache->health().outbox_depth, 0u);
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "1");
}

TEST(StoreThatThrows, fails_a_probe_and_does_not_keep_its_permit_I7) {
  World world;
  auto cache = world.open([](CacheOptions& all) { all.store_calls.poll_every = 0ms; });
  auto data = cache->dataset("d", keyed());
  world.executor->run_for(1s);
  world.store_down();
  EXPECT_FALSE(data.get("k").has_value());
  world.store_up();
  world.store->on_call([](const std::string&) { throw std::runtime_error("out of order"); });
  world.clock->advance(1h);
  EXPECT_FALSE(data.get("k").has_value()) << "the probe";
  world.store->on_call({});
  world.clock->advance(1h);
  Entry entry;
  entry.version.time = 1;
  entry.document = std::make_shared<const std::string>("1");
  entry.checksum = Checksum::of(*entry.document);
  entry.clocks.last_fetch = world.clock->wall_now();
  world.store->put_row("test", {"d", "k"}, entry);
  EXPECT_EQ(*data.get("k"), "1");
}

// Says nothing of corrupt rows, as one that cannot have any may.
class TerseStore final : public Store {
 public:
  explicit TerseStore(std::shared_ptr<Store> store) : store_(std::move(store)) {}
  std::string describe() const override { return "terse"; }
  StoreLimits limits() const override { return store_->limits(); }
  LoadReply load(const std::string& project, std::span<const EntryId> ids,
                 SteadyTime deadline) override {
    LoadReply reply = store_->load(project, ids, deadline);
    std::vector<bool>().swap(reply.corrupt);
    return reply;
  }
  SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                 SteadyTime deadline) override {
    return store_->save(project, writes, deadline);
  }
  ScanReply scan(const std::string& project, const std::string& dataset, const std::string& cursor,
                 std::size_t limit, SteadyTime deadline) override {
    return store_->scan(project, dataset, cursor, limit, deadline);
  }
  EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                    SteadyTime deadline) override {
    return store_->erase_matching(project, erase, deadline);
  }

 private:
  const std::shared_ptr<Store> store_;
};

TEST(TerseStore, rows_of_a_store_that_tells_of_no_corrupt_ones_are_read) {
  World world;
  auto cache =
      world.open([&](CacheOptions& all) { all.store = std::make_shared<TerseStore>(world.store); });
  auto data = cache->dataset("d", keyed());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.wipe();
  auto options = keyed();
  options.hydrate = Hydrate::none();
  cache =
      world.open([&](CacheOptions& all) { all.store = std::make_shared<TerseStore>(world.store); });
  auto again = cache->dataset("d", options);
  EXPECT_EQ(*again.get("k"), "1");
}

}  // namespace
}  // namespace tiercache::testing
