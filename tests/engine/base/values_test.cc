#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "tiercache/entry.h"
#include "tiercache/version.h"

namespace tiercache {
namespace {

constexpr std::uint64_t kMaxTime = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t kMaxWriter = std::numeric_limits<std::uint32_t>::max();

TEST(Versions, text_form_reads_back_as_the_same_version) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 10'000; ++round) {
    const Version version{random() >> (random() % 64),
                          static_cast<std::uint32_t>(random() >> (random() % 64))};
    EXPECT_EQ(Version::parse(version.to_string()), version) << version.to_string();
  }
}

TEST(Versions, text_form_is_two_decimals_with_a_dash) {
  EXPECT_EQ((Version{7, 1}.to_string()), "7-1");
  EXPECT_EQ(Version{}.to_string(), "0-0");
  EXPECT_EQ((Version{kMaxTime, kMaxWriter}.to_string()), "18446744073709551615-4294967295");
  EXPECT_EQ(Version::parse("18446744073709551615-4294967295"), (Version{kMaxTime, kMaxWriter}));
}

TEST(Versions, parse_of_anything_else_is_refused) {
  for (const char* text : {"",
                           "-",
                           "1",
                           "1-",
                           "-1",
                           "1-2-3",
                           "01-1",
                           "1-01",
                           "00-0",
                           "+1-1",
                           "1-+1",
                           "1--1",
                           " 1-1",
                           "1-1 ",
                           "1 -1",
                           "0x1-1",
                           "1.0-1",
                           "18446744073709551616-0",
                           "1-4294967296",
                           "a-b",
                           "1_1",
                           "99999999999999999999999-1",
                           "1-99999999999999999999999"}) {
    EXPECT_EQ(Version::parse(text), std::nullopt) << text;
  }
  EXPECT_EQ(Version::parse(std::string_view("1-1\0", 4)), std::nullopt);
}

TEST(Versions, order_is_by_time_then_writer) {
  EXPECT_LT((Version{1, 9}), (Version{2, 0}));
  EXPECT_LT((Version{2, 0}), (Version{2, 1}));
  EXPECT_TRUE(Version{}.is_zero());
  EXPECT_FALSE((Version{0, 1}.is_zero()));
  EXPECT_EQ((Version{(5ull << 16) + 65535, 0}.stamped_at()), std::chrono::milliseconds(5));
}

// Values printed by the reference command line tool, so that files can be checked by hand with it.
TEST(Checksums, values_are_those_of_xxhsum) {
  EXPECT_EQ(Checksum::of("").to_string(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(Checksum::of(R"({"a":1})"), Checksum::of(R"({"a":1})"));
  EXPECT_NE(Checksum::of(R"({"a":1})"), Checksum::of(R"({"a":2})"));
}

TEST(Checksums, text_form_reads_back_as_the_same_checksum) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 1'000; ++round) {
    const Checksum checksum{random() >> (random() % 64), random() >> (random() % 64)};
    EXPECT_EQ(checksum.to_string().size(), 32u);
    EXPECT_EQ(Checksum::parse(checksum.to_string()), checksum);
  }
  EXPECT_EQ((Checksum{1, 0xabc}.to_string()), "00000000000000010000000000000abc");
}

TEST(Checksums, parse_of_anything_else_is_refused) {
  const std::string good = Checksum::of("x").to_string();
  EXPECT_EQ(Checksum::parse(""), std::nullopt);
  EXPECT_EQ(Checksum::parse(good.substr(1)), std::nullopt);
  EXPECT_EQ(Checksum::parse(good + "0"), std::nullopt);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (char bad : {'A', 'F', 'g', '/', ':', '`', ' ', '-', '\0', '\x80'}) {
      std::string text = good;
      text[at] = bad;
      EXPECT_EQ(Checksum::parse(text), std::nullopt) << text;
    }
  }
}

std::optional<WallTime> at(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

TEST(ClocksMerge, each_clock_becomes_the_later_of_the_two) {
  const std::optional<WallTime> choices[] = {std::nullopt, at(-5), at(0), at(1), at(2)};
  for (const auto& mine : choices) {
    for (const auto& theirs : choices) {
      const auto later = !mine     ? theirs
                         : !theirs ? mine
                                   : at(std::max(*mine, *theirs).time_since_epoch().count());
      Clocks clocks{mine, theirs, mine};
      clocks.merge({theirs, mine, theirs});
      EXPECT_EQ(clocks, (Clocks{later, later, later}));
      clocks.merge({theirs, mine, mine});
      EXPECT_EQ(clocks, (Clocks{later, later, later}));
    }
  }
}

}  // namespace
}  // namespace tiercache
