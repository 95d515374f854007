// The matching erases of this process: those that are being journaled, and those of lately.
#include "cache/writing/matching_erases.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class MatchingErasesTest : public ::testing::Test {
 protected:
  void begin(const std::string& glob, std::uint64_t time) {
    erases.begin({"d", glob}, [time] { return version(time); });
  }
  std::uint64_t under_way(std::uint64_t below, const EntryId& id = kId) const {
    return erases.under_way(id, version(below)).time;
  }

  MatchingErases erases;
};

TEST_F(MatchingErasesTest, erase_is_under_way_for_the_keys_that_match_until_it_ends) {
  begin("k*", 5);
  EXPECT_EQ(under_way(9), 5u);
  EXPECT_EQ(under_way(9, {"d", "other"}), 0u);
  EXPECT_EQ(under_way(9, {"other", "k"}), 0u);
  erases.end(version(5));
  EXPECT_EQ(under_way(9), 0u);
}

TEST_F(MatchingErasesTest, write_comes_after_the_newest_erase_below_its_version) {
  begin("*", 5);
  begin("k", 7);
  begin("*", 6);
  EXPECT_EQ(under_way(9), 7u);
  EXPECT_EQ(under_way(7), 6u) << "one of its own version is not below it";
  EXPECT_EQ(under_way(5), 0u);
  erases.end(version(7));
  EXPECT_EQ(under_way(9), 6u) << "the others are under way still";
}

TEST_F(MatchingErasesTest, key_was_erased_since_by_what_is_of_a_later_version_alone) {
  erases.remember({"d", "k*"}, version(5));
  EXPECT_TRUE(erases.erased_since(kId, version(4)));
  EXPECT_FALSE(erases.erased_since(kId, version(5)));
  EXPECT_FALSE(erases.erased_since({"d", "other"}, version(4)));
  EXPECT_FALSE(erases.erased_since({"other", "k"}, version(4)));
}

// Of what went nobody knows which keys it had.
TEST_F(MatchingErasesTest,
       every_key_counts_as_erased_before_the_thousand_that_are_remembered_I5_I8) {
  for (std::uint64_t time = 1; time <= 1'000; ++time) erases.remember({"d", "x"}, version(time));
  EXPECT_FALSE(erases.erased_since(kId, version(0)));
  erases.remember({"d", "x"}, version(1'001));
  EXPECT_TRUE(erases.erased_since(kId, version(0)));
  EXPECT_FALSE(erases.erased_since(kId, version(1))) << "it began after the one that went";
  EXPECT_TRUE(erases.erased_since({"d", "x"}, version(1'000)));
  EXPECT_FALSE(erases.erased_since({"d", "x"}, version(1'001)));
}

// Threads may remember theirs in another order than they were stamped in.
TEST_F(MatchingErasesTest, newest_of_those_that_went_counts) {
  erases.remember({"d", "x"}, version(50));
  for (std::uint64_t time = 1; time <= 1'001; ++time) erases.remember({"d", "x"}, version(time));
  EXPECT_TRUE(erases.erased_since(kId, version(49)));
  EXPECT_FALSE(erases.erased_since(kId, version(50)));
}

}  // namespace
}  // namespace tiercache::detail
