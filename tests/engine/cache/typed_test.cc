#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/cache/world.h"
#include "tiercache/json.h"

namespace tiercache::testing {

struct Activity {
  std::string name;
  double km = 0;
  friend bool operator==(const Activity&, const Activity&) = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Activity, name, km)

struct Counted {
  int value = 0;
};

}  // namespace tiercache::testing

template <>
struct tiercache::Codec<tiercache::testing::Counted> {
  static inline int decodes = 0;
  static std::string encode(const tiercache::testing::Counted& counted) {
    return std::to_string(counted.value);
  }
  static tiercache::testing::Counted decode(std::string_view document) {
    ++decodes;
    return {std::stoi(std::string(document))};
  }
  static std::size_t memory_bytes(const tiercache::testing::Counted&) { return 100'000; }
};

namespace tiercache::testing {
namespace {

using Activities = std::vector<Activity>;

TEST(Typed, values_round_trip_through_all_tiers) {
  World world;
  auto cache = world.open();
  const Activities value = {{"run", 5.5}, {"ride \"long\"", 80}};
  cache->dataset<Activities>("strava").put(value);
  ASSERT_TRUE(cache->flush());
  cache->close();
  cache = world.open();
  auto activities = cache->dataset<Activities>("strava");
  EXPECT_EQ(*activities.get(), value);
  EXPECT_EQ(activities.get().tier(), Tier::memory);
}

TEST(Typed, hits_share_one_decoded_value_and_decode_once) {
  World world;
  auto cache = world.open();
  cache->dataset<Counted>("c", {.keyed = true, .fresh_for = 1h}).put("k", Counted{7});
  ASSERT_TRUE(cache->flush());
  cache->close();
  cache = world.open();
  auto data = cache->dataset<Counted>("c", {.keyed = true, .fresh_for = 1h});
  Codec<Counted>::decodes = 0;
  const auto first = data.get("k");
  const auto second = data.get("k");
  EXPECT_EQ(first->value, 7);
  EXPECT_EQ(&*first, &*second);
  EXPECT_EQ(Codec<Counted>::decodes, 1);
  EXPECT_GE(cache->stats().memory_bytes_charged, 100'000u) << "charged as the codec told (I8)";
}

TEST(Typed, document_of_another_shape_is_undecodable_until_a_good_put) {
  World world;
  auto cache = world.open();
  cache->dataset("strava", {}).put("", R"({"not":"a list"})");
  ASSERT_TRUE(cache->flush());
  cache->close();
  cache = world.open();
  auto activities = cache->dataset<Activities>("strava", {.hydrate = Hydrate::none()});
  const auto snapshot = activities.get();
  EXPECT_FALSE(snapshot.has_value());
  EXPECT_EQ(snapshot.passage().files, TierAnswer::undecodable);
  EXPECT_THROW((void)*snapshot, NoData);
  EXPECT_EQ(world.entry_files(), 1u) << "never quarantined or overwritten";
  activities.put({{"run", 1}});
  EXPECT_EQ(activities.get()->front().name, "run");
}

TEST(Typed, dataset_has_one_type) {
  World world;
  auto cache = world.open();
  cache->dataset<Activities>("strava");
  EXPECT_THROW(cache->dataset("strava"), BadConfiguration);
}

TEST(Typed, validate_sees_every_put_and_refresh) {
  World world;
  auto cache = world.open();
  Activities answer;
  auto activities = cache->dataset<Activities>(
      "strava", {.refresh = [&](RefreshContext&) { return answer; },
                 .validate = [](const auto& list) { return !list.empty(); }});
  EXPECT_THROW(activities.put(Activities{}), InvalidDocument);
  EXPECT_FALSE(activities.get().has_value());
  answer = {{"run", 1}};
  EXPECT_EQ(activities.refresh()->size(), 1u);
}

}  // namespace
}  // namespace tiercache::testing
