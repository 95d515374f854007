#include "base/spoken.h"

#include <gtest/gtest.h>

namespace tiercache {
namespace {

using namespace std::chrono_literals;

TEST(Spoken, spans_are_in_the_unit_that_a_person_would_take) {
  EXPECT_EQ(spoken(-1ms), "0 ms");
  EXPECT_EQ(spoken(999ms), "999 ms");
  EXPECT_EQ(spoken(1'000ms), "1 s");
  EXPECT_EQ(spoken(1'999ms), "1 s");
  EXPECT_EQ(spoken(99'999ms), "99 s");
  EXPECT_EQ(spoken(100s), "1 min");
  EXPECT_EQ(spoken(600s), "10 min");
  EXPECT_EQ(spoken(100min), "1 h");
  EXPECT_EQ(spoken(47h), "47 h");
  EXPECT_EQ(spoken(48h), "2 days");
  EXPECT_EQ(spoken(72h), "3 days");
}

TEST(Spoken, counts_are_in_the_singular_for_one_alone) {
  EXPECT_EQ(counted(0, "key"), "0 keys");
  EXPECT_EQ(counted(1, "key"), "1 key");
  EXPECT_EQ(counted(2, "key"), "2 keys");
  EXPECT_EQ(counted(1, "entry", "entries"), "1 entry");
  EXPECT_EQ(counted(2, "entry", "entries"), "2 entries");
}

TEST(Spoken, one_line_keeps_everything_but_control_characters) {
  EXPECT_EQ(one_line("a\tb\nc\x7F…"), "a b c …");
}

}  // namespace
}  // namespace tiercache
