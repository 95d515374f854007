// What a seed of tests/simulation once found: promises that only a certain order of faults broke.
#include <gtest/gtest.h>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

// `meanwhile` happens between the start of the fetch and its answer.
DatasetOptions<JsonText> refreshed(RefreshAnswer<std::string> answer,
                                   std::function<void()> meanwhile) {
  return {.keyed = true,
          .fresh_for = 24h,
          .hydrate = Hydrate::none(),
          .refresh = [answer = std::move(answer), meanwhile = std::move(meanwhile)](
                         RefreshContext&) -> RefreshAnswer<std::string> {
            meanwhile();
            return answer;
          }};
}

TEST(Recovery, source_that_knew_nothing_does_not_hide_a_later_put_I5) {
  World world;
  auto cache = world.open([](CacheOptions& options) { options.memory.max_bytes = 24'000; });
  std::optional<Dataset<JsonText>> data;
  data.emplace(cache->dataset("d", refreshed(NotFound{}, [&] {
                                data->put("k", "\"put\"");
                                const std::string filling = '"' + std::string(400, 'x') + '"';
                                for (int i = 0; i < 200; ++i)
                                  data->put("filling:" + std::to_string(i), filling);
                                EXPECT_TRUE(cache->flush());
                                EXPECT_FALSE(data->peek("k").has_value())
                                    << "the test wants it out of memory";
                              })));
  (void)data->get("k");
  const auto snapshot = data->get("k");
  ASSERT_TRUE(snapshot.has_value()) << snapshot.passage().to_string();
  EXPECT_EQ(*snapshot, "\"put\"");
}

TEST(Recovery, source_that_knows_nothing_does_not_keep_a_tombstone_from_its_file_I4) {
  World world;
  auto cache = world.open();
  const auto options = refreshed(NotFound{}, [] {});
  auto data = cache->dataset("d", options);
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "read_at" || operation == "read_file" || operation == "info" ? 0 : EIO;
  });
  ASSERT_FALSE(data.erase("k").journaled);
  EXPECT_FALSE(data.get("k").has_value());
  world.disk.set_fault({});
  cache->close();
  world.store_down();
  cache = world.open();
  data = cache->dataset("d", options);
  EXPECT_FALSE(data.get("k", {.reach = Reach::local}).has_value());
}

}  // namespace
}  // namespace tiercache::testing
