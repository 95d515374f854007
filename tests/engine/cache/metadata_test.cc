// Metadata where clocks and content meet: what moves a clock alone says nothing about it, in any
// tier.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/cache/world.h"
#include "tiercache/store_rules.h"

namespace tiercache::testing {
namespace {

const std::string kMetadata = R"({"etag":"abc"})";
const std::string kNewer = R"({"etag":"def"})";

class Metadata : public ::testing::Test {
 protected:
  Dataset<JsonText> data() { return data_of(*cache); }
  Dataset<JsonText> data_of(Cache& of) {
    DatasetOptions<JsonText> options{.keyed = true, .fresh_for = 24h};
    options.refresh = [this](RefreshContext&) { return not_modified; };
    return of.dataset("d", options);
  }
  void put() { data().put("k", "1", {.metadata = kMetadata}); }
  void invalidate() {
    world.clock->advance(1s);
    data().invalidate("k");
  }
  // What the source answers: the document as it is, with this metadata.
  void refresh(const std::string& metadata) {
    world.clock->advance(1s);
    not_modified = {.metadata = metadata};
    ASSERT_TRUE(data().refresh("k").has_value());
  }
  void reopen_after_kill() {
    world.kill(cache);
    cache = world.open();
  }
  void expect_everywhere(const std::string& metadata) {
    EXPECT_EQ(data().info("k")->metadata, metadata);
    world.store_up();
    ASSERT_TRUE(cache->flush());
    EXPECT_EQ(cache->health().parked, 0u);
    const EntryPtr row = world.store->row("test", kId);
    ASSERT_NE(row, nullptr);
    EXPECT_EQ(row->metadata, metadata);
    EXPECT_EQ(row->clocks.invalidated_at, data().info("k")->invalidated_at);
    cache->close();
    cache = world.open();
    EXPECT_EQ(data().info("k")->metadata, metadata) << "in its file";
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
  NotModified not_modified;
};

TEST_F(Metadata, invalidate_before_the_store_has_the_put_keeps_it) {
  world.store_down();
  put();
  invalidate();
  expect_everywhere(kMetadata);
}

TEST_F(Metadata, invalidate_before_the_store_has_the_put_keeps_it_over_a_kill_I1) {
  world.store_down();
  put();
  invalidate();
  reopen_after_kill();
  expect_everywhere(kMetadata);
}

TEST_F(Metadata, invalidate_after_an_unsent_not_modified_keeps_what_that_said) {
  put();
  ASSERT_TRUE(cache->flush());
  world.store_down();
  refresh(kNewer);
  invalidate();
  expect_everywhere(kNewer);
}

TEST_F(Metadata, invalidate_after_an_unsent_not_modified_keeps_what_that_said_over_a_kill_I1) {
  put();
  ASSERT_TRUE(cache->flush());
  world.store_down();
  refresh(kNewer);
  invalidate();
  reopen_after_kill();
  expect_everywhere(kNewer);
}

// Another machine's invalidation comes with the row's metadata, which is older than what is known
// here.
TEST_F(Metadata, row_that_was_only_invalidated_elsewhere_does_not_take_newer_metadata_back) {
  put();
  ASSERT_TRUE(cache->flush());
  world.store_down();
  refresh(kNewer);
  Entry row = *world.store->row("test", kId);
  StoreWrite write{.kind = StoreWrite::Kind::clocks, .id = kId, .entry = row, .not_newer_than = {}};
  write.entry.metadata.clear();
  write.entry.clocks = {};
  write.entry.clocks.invalidated_at = world.clock->wall_now() + 1s;
  world.store->set_fault([](const std::string& call) {
    return call == "save" ? StoreFault::unavailable : StoreFault::none;
  });
  world.store->put_row("test", kId, apply_write(&row, write).row.value());
  world.clock->advance(2s);
  ASSERT_TRUE(world.run_until([&] { return data().info("k")->invalidated_at.has_value(); }));
  expect_everywhere(kNewer);
}

}  // namespace
}  // namespace tiercache::testing
