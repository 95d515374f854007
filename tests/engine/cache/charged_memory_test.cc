// A value is charged with what its codec tells, by whatever way it came into memory (I8).
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "engine/cache/world.h"

namespace tiercache::testing {

struct Heavy {
  int value = 0;
};

}  // namespace tiercache::testing

template <>
struct tiercache::Codec<tiercache::testing::Heavy> {
  static std::string encode(const tiercache::testing::Heavy& heavy) {
    return std::to_string(heavy.value);
  }
  static tiercache::testing::Heavy decode(std::string_view document) {
    return {std::stoi(std::string(document))};
  }
  static std::size_t memory_bytes(const tiercache::testing::Heavy&) { return 100'000; }
};

namespace tiercache::testing {
namespace {

class ChargedMemory : public ::testing::Test {
 protected:
  void open(Hydrate hydrate = Hydrate::none()) {
    data.reset();
    cache = world.open();
    data.emplace(cache->dataset<Heavy>("d", options(hydrate)));
  }
  void reopen(Hydrate hydrate = Hydrate::none()) {
    cache->close();
    open(hydrate);
  }
  DatasetOptions<Heavy> options(Hydrate hydrate) {
    return {.keyed = true, .fresh_for = 24h, .hydrate = hydrate, .refresh = [](RefreshContext&) {
              return Heavy{7};
            }};
  }
  void expect_charged(int value) {
    EXPECT_EQ(data->peek("k")->value, value);
    EXPECT_GE(cache->stats().memory_bytes_charged, 100'000u);
  }

  World world;
  std::unique_ptr<Cache> cache;
  std::optional<Dataset<Heavy>> data;
};

TEST_F(ChargedMemory, of_a_put_I8) {
  open();
  data->put("k", Heavy{1});
  expect_charged(1);
}

TEST_F(ChargedMemory, of_a_refresh_I8) {
  open();
  EXPECT_EQ(data->get("k")->value, 7);
  expect_charged(7);
}

TEST_F(ChargedMemory, of_what_a_file_has_I8) {
  open();
  data->put("k", Heavy{1});
  reopen();
  EXPECT_EQ(data->get("k").tier(), Tier::files);
  expect_charged(1);
}

TEST_F(ChargedMemory, of_a_row_of_the_store_I8) {
  open();
  data->put("k", Heavy{1});
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.wipe();
  open();
  EXPECT_EQ(data->get("k").tier(), Tier::store);
  expect_charged(1);
}

TEST_F(ChargedMemory, of_what_is_invalidated_in_its_file_I8) {
  open();
  data->put("k", Heavy{1});
  reopen();
  world.clock->advance(1s);
  data->invalidate("k");
  expect_charged(1);
}

TEST_F(ChargedMemory, of_another_machines_row_that_is_taken_I8) {
  open();
  data->put("k", Heavy{1});
  ASSERT_TRUE(cache->flush());
  world.clock->advance(1s);
  world.write_elsewhere("k", "2");
  EXPECT_TRUE(data->invalidate("k", {.durability = Durability::store}).superseded);
  expect_charged(2);
}

TEST_F(ChargedMemory, of_what_the_journal_has_and_the_disk_does_not_file_I1_I8) {
  open();
  world.store_down();
  data->put("k", Heavy{1});
  world.kill(cache);
  world.disk.set_fault([](const std::string& operation, const std::string& path) {
    const bool of_entries = path.find("/journal/") == std::string::npos;
    return of_entries && operation.starts_with("write") ? ENOSPC : 0;
  });
  open();
  expect_charged(1);
  world.disk.set_fault({});
}

}  // namespace
}  // namespace tiercache::testing
