#include "refresh/none_table.h"

#include <gtest/gtest.h>

namespace tiercache {
namespace {

using namespace std::chrono_literals;

class NoneTableTest : public ::testing::Test {
 protected:
  const EntryId kKey{"prices", "eur"};
  static constexpr SteadyTime kNow{std::chrono::hours(1)};
};

TEST_F(NoneTableTest, source_is_believed_for_so_long_and_no_longer) {
  NoneTable table(10);
  EXPECT_FALSE(table.has(kKey, kNow));
  table.note(kKey, 60s, kNow);
  EXPECT_TRUE(table.has(kKey, kNow + 60s - 1ns));
  EXPECT_FALSE(table.has(kKey, kNow + 60s));
  EXPECT_EQ(table.said(kKey, kNow + 60s), std::nullopt);
}

TEST_F(NoneTableTest, tells_when_it_was_said_and_when_the_source_is_asked_again) {
  NoneTable table(10);
  table.note(kKey, 60s, kNow);
  EXPECT_EQ(table.said(kKey, kNow + 12s),
            "12 s ago the source said that it has none; it is asked again in 48 s");
}

TEST_F(NoneTableTest, each_source_of_a_key_is_believed_by_itself) {
  NoneTable table(10);
  table.note({kKey, Cadence::rich}, 60s, kNow);
  EXPECT_FALSE(table.has(kKey, kNow));
  EXPECT_TRUE(table.has({kKey, Cadence::rich}, kNow));
}

TEST_F(NoneTableTest, what_is_forgotten_or_noted_for_no_time_is_not_believed) {
  NoneTable table(10);
  table.note(kKey, 60s, kNow);
  table.forget(kKey);
  EXPECT_FALSE(table.has(kKey, kNow));
  table.note(kKey, 60s, kNow);
  table.note(kKey, 0s, kNow);
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(NoneTableTest, endless_time_is_a_year) {
  NoneTable table(10);
  table.note(kKey, std::chrono::milliseconds::max(), kNow);
  EXPECT_TRUE(table.has(kKey, kNow + 24h * 364));
  EXPECT_FALSE(table.has(kKey, kNow + 24h * 366));
}

TEST_F(NoneTableTest, full_table_forgets_what_has_passed_and_then_what_ends_soonest) {
  NoneTable table(2);
  table.note(EntryId{"d", "passed"}, 1s, kNow);
  table.note(EntryId{"d", "long"}, 60s, kNow);
  table.note(EntryId{"d", "short"}, 30s, kNow + 2s);
  EXPECT_TRUE(table.has(EntryId{"d", "long"}, kNow + 2s));
  table.note(EntryId{"d", "new"}, 40s, kNow + 2s);
  EXPECT_EQ(table.size(), 2u);
  EXPECT_FALSE(table.has(EntryId{"d", "short"}, kNow + 2s));
  EXPECT_TRUE(table.has(EntryId{"d", "long"}, kNow + 2s));
  EXPECT_TRUE(table.has(EntryId{"d", "new"}, kNow + 2s));
}

TEST_F(NoneTableTest, table_without_capacity_holds_one) {
  NoneTable table(0);
  table.note(kKey, 60s, kNow);
  table.note(EntryId{"d", "other"}, 60s, kNow);
  EXPECT_EQ(table.size(), 1u);
}

}  // namespace
}  // namespace tiercache
