#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
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

struct Moody {
  int mood = 0;
};

}  // namespace tiercache::testing

template <>
struct tiercache::Codec<tiercache::testing::Moody> {
  static std::string encode(const tiercache::testing::Moody& value) {
    if (value.mood == 1) throw std::runtime_error("not today");
    if (value.mood == 2) throw 2;
    return "{}";
  }
  static tiercache::testing::Moody decode(std::string_view) { return {}; }
};

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

struct Figures {
  std::vector<double> list;
  std::string name = {};
  std::uint64_t large = 0;
  std::int64_t low = 0;
  friend bool operator==(const Figures&, const Figures&) = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Figures, list, name, large, low)

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string refusal_of(const std::function<void()>& put) {
  try {
    put();
  } catch (const InvalidDocument& error) {
    return error.what();
  }
  return "(taken)";
}

TEST(Typed, value_that_json_cannot_hold_is_refused_by_every_put_with_its_place) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset<Figures>("f", {.keyed = true});
  const Figures bad = {.list = {1, kNan}};
  const std::vector<std::pair<std::string, Figures>> values = {{"a", {}}, {"b", bad}};
  std::exception_ptr given;
  const std::string errors[] = {
      refusal_of([&] { data.put("k", bad); }), refusal_of([&] { data.put_many(values); }),
      refusal_of([&] {
        data.put_async("k", bad, {}, [&](PutReceipt, std::exception_ptr error) { given = error; });
        world.run_until([&] { return given != nullptr; }, 1min);
        std::rethrow_exception(given);
      })};
  const std::string told =
      "document for dataset \"f\": JSON cannot hold NaN, which is at \"/list/1\". Nothing was "
      "stored.";
  EXPECT_EQ(errors[0], told);
  EXPECT_EQ(errors[1], "values[1]: " + told);
  EXPECT_EQ(errors[2], told);
  EXPECT_NE(refusal_of([&] {
              data.put("k", {.list = {-kInfinity}});
            }).find("an infinite number, which is at \"/list/0\""),
            std::string::npos);
  EXPECT_FALSE(data.contains("k"));
  EXPECT_FALSE(data.contains("a"));
  auto any = cache->dataset<nlohmann::json>("any");
  EXPECT_NE(refusal_of([&] {
              any.put(nlohmann::json{{"a/b", {{"~", kNan}}}});
            }).find("\"/a~1b/~0\""),
            std::string::npos);
  EXPECT_NE(refusal_of([&] {
              any.put(nlohmann::json::binary({1, 2}));
            }).find("binary data, which is at \"\""),
            std::string::npos);
}

TEST(Typed, text_that_is_not_utf8_is_refused_as_other_documents_are) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset<Figures>("f");
  const std::string error = refusal_of([&] { data.put(Figures{.list = {}, .name = "\xff"}); });
  EXPECT_NE(error.find("UTF-8"), std::string::npos) << error;
  EXPECT_TRUE(error.ends_with("Nothing was stored.")) << error;
  EXPECT_FALSE(data.contains());
}

TEST(Typed, refresh_result_that_json_cannot_hold_is_a_failed_refresh_and_the_entry_stays) {
  World world;
  auto cache = world.open();
  double next = 1;
  auto data = cache->dataset<Figures>("f", {.fresh_for = 1min, .refresh = [&](RefreshContext&) {
                                              return Figures{.list = {next}};
                                            }});
  EXPECT_EQ(data.get()->list.front(), 1);
  next = kNan;
  const auto asked = data.refresh();
  EXPECT_EQ(asked.passage().source, TierAnswer::failed);
  EXPECT_NE(asked.passage().why().find("NaN"), std::string::npos) << asked.passage().why();
  EXPECT_EQ(asked->list.front(), 1);
}

TEST(Typed, fallback_that_json_cannot_hold_is_refused_when_the_dataset_is_opened) {
  World world;
  auto cache = world.open();
  EXPECT_THROW(cache->dataset<Figures>("f", {.fallback = Figures{.list = {kNan}}}),
               BadConfiguration);
}

TEST(Typed, fallback_that_is_not_json_is_refused_when_the_dataset_is_opened_I2) {
  World world;
  auto cache = world.open();
  try {
    cache->dataset("f", {.fallback = "{oops"});
    FAIL() << "taken";
  } catch (const BadConfiguration& error) {
    EXPECT_NE(std::string(error.what()).find("fallback: "), std::string::npos) << error.what();
  }
}

TEST(Typed, numbers_at_the_edges_come_back_as_they_were_put) {
  World world;
  auto cache = world.open();
  const Figures edges = {.list = {0.0, -0.0, 0.1, 1e308, -1.7976931348623157e308, 5e-324, 1.0 / 3,
                                  1e15, 123456789.125},
                         .name = "é\x01\"\\",
                         .large = std::numeric_limits<std::uint64_t>::max(),
                         .low = std::numeric_limits<std::int64_t>::min()};
  cache->dataset<Figures>("f").put(edges);
  cache->close();
  cache = world.open();
  const auto back = cache->dataset<Figures>("f").get();
  EXPECT_EQ(*back, edges);
  EXPECT_TRUE(std::signbit(back->list[1]));
}

TEST(Typed, what_any_codec_throws_refuses_the_value) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset<Moody>("m", {.keyed = true});
  EXPECT_EQ(refusal_of([&] { data.put("k", Moody{.mood = 1}); }),
            "document for dataset \"m\": the codec refused it: not today. Nothing was stored.");
  EXPECT_EQ(refusal_of([&] { data.put("k", Moody{.mood = 2}); }),
            "document for dataset \"m\": the codec refused it. Nothing was stored.");
  EXPECT_THROW(data.put(std::string("\0", 1), Moody{.mood = 1}), InvalidKey)
      << "the key comes first";
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

TEST(Typed, whatever_validate_throws_refuses_the_document) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.validate = [](const std::string&) -> bool { throw 7; }});
  EXPECT_THROW(data.put("", "1"), InvalidDocument);
  std::exception_ptr told;
  data.put_async("", "1", {}, [&](PutReceipt, std::exception_ptr error) { told = error; });
  ASSERT_TRUE(world.run_until([&] { return told != nullptr; }));
  EXPECT_THROW(std::rethrow_exception(told), InvalidDocument);
}

}  // namespace
}  // namespace tiercache::testing
