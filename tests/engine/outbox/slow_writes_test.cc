#include "outbox/slow_writes.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SlowWritesTest : public ::testing::Test {
 protected:
  static std::vector<UnsettledWrite> writes(int count) {
    std::vector<UnsettledWrite> all;
    for (int i = 0; i < count; ++i) {
      all.push_back(write_of(content("k" + std::to_string(i), 1, "1")));
    }
    return all;
  }
  void fail(const std::vector<UnsettledWrite>& batch) { slow.failed(batch, false, 0, now, random); }
  std::vector<UnsettledWrite> of(const SlowWrites::Try& tried) const {
    std::vector<UnsettledWrite> batch;
    for (const SlotName& slot : tried.slots) {
      batch.push_back(write_of(content(slot.id.key, 1, "1")));
    }
    return batch;
  }

  SteadyTime now{seconds(1'000)};
  Random random{1};
  SlowWrites slow{seconds(10), {.first = milliseconds(100), .cap = seconds(60)}, 10'000};
};

TEST_F(SlowWritesTest, failed_batch_is_tried_in_ever_smaller_groups_until_one_is_alone) {
  fail(writes(100));
  int tries = 0;
  // Whatever holds k37 fails; the rest passes.
  while (slow.size() > 1) {
    const auto tried = slow.next(now);
    ASSERT_TRUE(tried);
    const bool bad = std::any_of(tried->slots.begin(), tried->slots.end(),
                                 [](const SlotName& slot) { return slot.id.key == "k37"; });
    if (bad) {
      fail(of(*tried));
      now += seconds(1);
    } else {
      for (const SlotName& slot : tried->slots) slow.forget(slot);
    }
    ASSERT_LT(++tries, 30) << "eight groups, and the twelve of one of them";
  }
  EXPECT_TRUE(slow.contains({RecordKind::content, {"d", "k37"}}));
}

TEST_F(SlowWritesTest, larger_groups_come_first) {
  fail(writes(3));
  std::vector<UnsettledWrite> others;
  for (int i = 0; i < 80; ++i) {
    others.push_back(write_of(content("x" + std::to_string(i), 1, "1")));
  }
  fail(others);
  EXPECT_EQ(slow.next(now)->slots.size(), 10u);
}

TEST_F(SlowWritesTest, single_write_gets_twice_the_time_each_time_and_a_pause) {
  EXPECT_EQ(slow.describe({RecordKind::content, {"d", "k0"}}), "");
  std::vector<milliseconds> times;
  for (int i = 0; i < 8; ++i) {
    fail(writes(1));
    EXPECT_GT(slow.due(), now);
    EXPECT_FALSE(slow.next(now));
    now = slow.due();
    times.push_back(slow.next(now)->timeout);
  }
  const std::vector<milliseconds> expected{seconds(20),  seconds(40),  seconds(80),  seconds(160),
                                           seconds(160), seconds(160), seconds(160), seconds(160)};
  EXPECT_EQ(times, expected);
  EXPECT_NE(slow.describe({RecordKind::content, {"d", "k0"}}).find("8 times"), std::string::npos);
}

TEST_F(SlowWritesTest, failure_while_the_store_is_away_tells_nothing_of_the_write) {
  slow.failed(writes(1), true, 0, now, random);
  EXPECT_EQ(slow.describe({RecordKind::content, {"d", "k0"}}), "");
  EXPECT_EQ(slow.next(slow.due())->timeout, seconds(10));
}

TEST_F(SlowWritesTest, write_that_failed_alone_is_to_blame_once_others_have_worked) {
  const UnsettledWrite write = writes(1).front();
  EXPECT_FALSE(slow.others_worked_since(write, 7));
  slow.failed({&write, 1}, true, 7, now, random);
  EXPECT_FALSE(slow.others_worked_since(write, 7));
  EXPECT_TRUE(slow.others_worked_since(write, 8));
}

TEST_F(SlowWritesTest, write_that_is_alone_again_and_again_does_not_hold_up_another_one) {
  fail(writes(1));
  fail(writes(1));
  const auto other = write_of(content("other", 1, "1"));
  fail({other, write_of(content("third", 1, "1"))});
  now += seconds(60);
  EXPECT_NE(slow.next(now)->slots.front().id.key, "k0");
}

TEST_F(SlowWritesTest, what_is_deferred_waits_until_it_is_hurried) {
  fail(writes(2));
  for (const auto& write : writes(2)) slow.defer({write.kind, write.write.id}, kNever);
  EXPECT_FALSE(slow.next(now));
  EXPECT_EQ(slow.due(), kNever);
  slow.hurry();
  EXPECT_TRUE(slow.next(now));
}

TEST_F(SlowWritesTest,
       matching_erase_goes_on_where_its_last_piece_ended_with_fewer_rows_after_a_failure) {
  const UnsettledWrite erase = write_of(erase_matching("a*", 7));
  const MatchingErase first = slow.piece_of(erase);
  EXPECT_FALSE(first.after);
  slow.erased_up_to(erase, "a5", now);
  EXPECT_EQ(slow.piece_of(erase).after, "a5");
  fail({erase});
  EXPECT_EQ(slow.piece_of(erase).after, "a5");
  EXPECT_LT(slow.piece_of(erase).limit, first.limit);
  slow.erased_up_to(erase, "a7", now);
  EXPECT_GT(slow.piece_of(erase).limit, first.limit / 4) << "it works again";
}

TEST_F(SlowWritesTest, newer_erase_of_the_same_pattern_begins_at_the_start) {
  slow.erased_up_to(write_of(erase_matching("a*", 7)), "a5", now);
  const UnsettledWrite newer = write_of(erase_matching("a*", 9));
  EXPECT_FALSE(slow.piece_of(newer).after);
  slow.erased_up_to(newer, "a1", now);
  EXPECT_EQ(slow.piece_of(newer).after, "a1");
}

TEST_F(SlowWritesTest, number_of_those_kept_apart_is_bounded) {
  for (int i = 0; i < 3; ++i) {
    std::vector<UnsettledWrite> many;
    for (int k = 0; k < 5'000; ++k) {
      many.push_back(write_of(content(std::to_string(i) + "-" + std::to_string(k), 1, "1")));
    }
    fail(many);
  }
  EXPECT_EQ(slow.size(), 10'000u);
}

}  // namespace
}  // namespace tiercache::testing
