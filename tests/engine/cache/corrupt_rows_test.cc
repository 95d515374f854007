// Rows of the store that fail their checksum: kept aside before what heals them replaces them.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

// What was kept of rows, in the order of the files' names.
std::vector<std::string> rows_aside(World& world) {
  std::vector<std::string> found;
  for (const std::string& path : world.disk.files()) {
    if (path.find("/quarantine/") == std::string::npos) continue;
    std::string bytes;
    EXPECT_TRUE(world.disk.boot()->read_file(path, 1 << 20, &bytes).ok());
    if (bytes.starts_with("tiercache-row 1 ")) found.push_back(bytes);
  }
  return found;
}

class CorruptRows : public ::testing::Test {
 protected:
  CorruptRows() {
    Entry entry;
    entry.version.time = 5 << Version::kCounterBits;
    entry.clocks.last_fetch = world_.clock->wall_now();
    entry.document = std::make_shared<const std::string>("1");
    entry.checksum = Checksum::of("1");
    world_.store->put_row("test", {"d", "a \"key\"\n"}, entry);
    world_.store->corrupt_row("test", {"d", "a \"key\"\n"}, kBad);
    cache_ = world_.open();
    data_ = std::make_unique<Dataset<JsonText>>(cache_->dataset("d", keyed()));
  }

  static constexpr const char* kBad = "{\"half of a doc";
  static constexpr const char* kKey = "a \"key\"\n";

  World world_;
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Dataset<JsonText>> data_;
};

TEST_F(CorruptRows, what_a_corrupt_row_holds_is_kept_aside_and_reported_I9) {
  const auto found = data_->get(kKey, {.reach = Reach::store});
  EXPECT_FALSE(found.has_value());
  world_.executor->run_for(1s);
  EXPECT_EQ(
      rows_aside(world_),
      std::vector<std::string>{"tiercache-row 1 \"d\" \"a \\\"key\\\"\\n\"\n" + std::string(kBad)});
  EXPECT_EQ(cache_->stats().store_corrupt_rows, 1u);
  EXPECT_GT(cache_->stats().quarantine_bytes, 0u);
  data_->put(kKey, "2");
  ASSERT_TRUE(cache_->flush());
  EXPECT_EQ(*world_.store->row("test", {"d", kKey})->document, "2");
  EXPECT_EQ(rows_aside(world_).size(), 1u) << "kept also once it is healed";
}

TEST_F(CorruptRows, row_that_is_met_again_and_again_is_kept_once_other_bytes_of_it_again_I8_I9) {
  for (int i = 0; i < 20; ++i) {
    data_->get(kKey, {.reach = Reach::store});
    world_.executor->run_for(100ms);
  }
  EXPECT_EQ(rows_aside(world_).size(), 1u);
  world_.store->corrupt_row("test", {"d", kKey}, "other bytes");
  data_->get(kKey, {.reach = Reach::store});
  world_.executor->run_for(1s);
  EXPECT_EQ(rows_aside(world_).size(), 2u);
}

TEST_F(CorruptRows, row_met_by_the_change_feed_is_kept_aside_too_I9) {
  data_->put("local", "1");
  ASSERT_TRUE(cache_->flush());
  world_.executor->run_for(2s);
  Entry newer = *world_.store->row("test", {"d", "local"});
  ++newer.version.time;
  world_.store->put_row("test", {"d", "local"}, newer);
  world_.store->corrupt_row("test", {"d", "local"}, "rotten");
  world_.executor->run_for(2s);
  ASSERT_EQ(rows_aside(world_).size(), 1u);
  EXPECT_NE(rows_aside(world_)[0].find("rotten"), std::string::npos);
  EXPECT_EQ(*data_->get("local"), "1");
}

TEST_F(CorruptRows, row_that_a_scrub_mends_is_kept_aside_I9) {
  data_->put("local", "1");
  ASSERT_TRUE(cache_->flush());
  world_.store->corrupt_row("test", {"d", "local"}, "rotten");
  cache_->scrub({.repair = true});
  world_.executor->run_for(2s);
  ASSERT_EQ(rows_aside(world_).size(), 1u);
  EXPECT_NE(rows_aside(world_)[0].find("rotten"), std::string::npos);
}

TEST_F(CorruptRows, full_disk_is_reported_and_tried_again_at_the_next_meeting_I9) {
  world_.disk.set_fault([](const std::string& operation, const std::string& path) {
    return path.find("/quarantine") != std::string::npos && operation == "write_file" ? ENOSPC : 0;
  });
  data_->get(kKey, {.reach = Reach::store});
  world_.executor->run_for(1s);
  EXPECT_TRUE(rows_aside(world_).empty());
  world_.disk.set_fault({});
  data_->get(kKey, {.reach = Reach::store});
  world_.executor->run_for(1s);
  EXPECT_EQ(rows_aside(world_).size(), 1u);
}

}  // namespace
}  // namespace tiercache::testing
