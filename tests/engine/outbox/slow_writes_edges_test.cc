// Which slow write is tried next, with whom, for how long, and what is remembered of it.
#include <gtest/gtest.h>

#include "engine/journal/journal_fixture.h"
#include "outbox/slow_writes.h"

namespace tiercache::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SlowWritesEdges : public ::testing::Test {
 protected:
  static SlotName slot(const std::string& key) { return {RecordKind::content, id_of(key)}; }
  static UnsettledWrite write(const std::string& key) { return write_of(content(key, 1, "1")); }
  static std::vector<UnsettledWrite> writes(const std::string& prefix, int count) {
    std::vector<UnsettledWrite> all;
    for (int i = 0; i < count; ++i) all.push_back(write(prefix + std::to_string(10'000 + i)));
    return all;
  }
  void fail(const std::vector<UnsettledWrite>& batch, bool away = false) {
    slow.failed(batch, away, 7, now, random);
  }
  std::vector<std::string> next() const {
    std::vector<std::string> keys;
    if (const auto tried = slow.next(now)) {
      for (const SlotName& name : tried->slots) keys.push_back(name.id.key);
    }
    return keys;
  }

  SteadyTime now{seconds(1'000)};
  Random random{1};
  SlowWrites slow{seconds(10), {.first = milliseconds(100), .cap = seconds(60)}, 10'000};
};

TEST_F(SlowWritesEdges, few_that_failed_together_are_tried_alone_at_once) {
  fail(writes("k", 7));
  EXPECT_EQ(next(), std::vector<std::string>{"k10000"});
  EXPECT_EQ(slow.due(), now);
  fail(writes("l", 16));
  EXPECT_EQ(next().size(), 2u);
}

TEST_F(SlowWritesEdges, nothing_is_due_where_nothing_is_slow) {
  EXPECT_EQ(next(), std::vector<std::string>{});
  EXPECT_EQ(slow.due(), kNever);
  slow.defer(slot("nobody"), now);
  EXPECT_EQ(slow.size(), 0u);
  EXPECT_FALSE(slow.contains(slot("nobody")));
  EXPECT_EQ(slow.describe(slot("nobody")), "");
}

TEST_F(SlowWritesEdges, key_is_kept_apart_with_what_is_below_it) {
  fail({write("k")});
  SlotName below = slot("k");
  below.below = true;
  EXPECT_TRUE(slow.contains(below));
  slow.defer(below, kNever);
  EXPECT_FALSE(slow.contains(slot("k"))) << "it waits for somebody to hurry";
  slow.hurry();
  EXPECT_TRUE(slow.contains(slot("k")));
  slow.forget(below);
  EXPECT_FALSE(slow.contains(slot("k")));
}

TEST_F(SlowWritesEdges, one_of_a_group_that_fails_alone_is_of_no_group) {
  fail(writes("k", 100));
  fail({write("k10000")});
  EXPECT_EQ(next().size(), 12u);
  for (const auto& other : writes("k", 100)) {
    if (other.write.id.key != "k10000") slow.forget(slot(other.write.id.key));
  }
  now = slow.due();
  EXPECT_EQ(next(), std::vector<std::string>{"k10000"});
}

TEST_F(SlowWritesEdges, group_takes_only_those_of_its_size_that_are_due) {
  fail(writes("k", 24));
  slow.defer(slot("k10001"), now + seconds(1));
  slow.defer(slot("k10002"), now);
  fail({write("alone"), write("together")});
  EXPECT_EQ(next(), (std::vector<std::string>{"k10000", "k10002", "k10003"}));
  now += seconds(1);
  EXPECT_EQ(next(), (std::vector<std::string>{"k10000", "k10001", "k10002"}));
}

TEST_F(SlowWritesEdges, of_single_ones_the_one_that_failed_least_comes_first) {
  for (int i = 0; i < 3; ++i) fail({write("a")});
  fail({write("b")});
  fail({write("c")});
  now += seconds(60);
  EXPECT_EQ(next(), std::vector<std::string>{"b"}) << "of equal ones the first by name";
  EXPECT_EQ(slow.next(now)->timeout, seconds(20));
  slow.forget(slot("b"));
  slow.forget(slot("c"));
  EXPECT_EQ(next(), std::vector<std::string>{"a"});
  EXPECT_EQ(slow.next(now)->timeout, seconds(80));
}

TEST_F(SlowWritesEdges, group_that_failed_less_does_not_outrank_a_larger_one) {
  fail({write("a")});
  fail({write("a")});
  fail(writes("k", 24));
  fail(writes("l", 80));
  now += seconds(60);
  EXPECT_EQ(next().size(), 10u);
  EXPECT_EQ(next().front(), "l10000");
}

TEST_F(SlowWritesEdges, first_of_all_pauses_is_the_one_that_ends_first) {
  fail(writes("k", 3));
  slow.defer(slot("k10000"), now + seconds(5));
  slow.defer(slot("k10001"), now + seconds(3));
  slow.defer(slot("k10002"), now + seconds(4));
  EXPECT_EQ(slow.due(), now + seconds(3));
  EXPECT_EQ(next(), std::vector<std::string>{});
  now += seconds(3);
  EXPECT_EQ(next(), std::vector<std::string>{"k10001"});
}

TEST_F(SlowWritesEdges, pause_follows_a_failure_alone_also_while_the_store_is_away) {
  fail({write("k")}, true);
  EXPECT_GT(slow.due(), now);
  EXPECT_EQ(slow.describe(slot("k")), "");
  fail({write("k")});
  EXPECT_NE(slow.describe(slot("k")).find("1 time so far"), std::string::npos);
}

TEST_F(SlowWritesEdges, beyond_the_bound_only_known_ones_are_remembered_I8) {
  fail(writes("k", 10'000));
  ASSERT_EQ(slow.size(), 10'000u);
  fail({write("new")});
  fail({write("new"), write("newer")});
  EXPECT_EQ(slow.size(), 10'000u);
  EXPECT_FALSE(slow.contains(slot("new")));
  fail({write("k10003")});
  EXPECT_NE(slow.describe(slot("k10003")), "");
  fail({write("k10003"), write("k10004")});
  now = slow.due();
  slow.forget(slot("k10009"));
  fail({write("new")});
  EXPECT_TRUE(slow.contains(slot("new")));
  EXPECT_EQ(slow.size(), 10'000u);
}

TEST_F(SlowWritesEdges, write_that_nobody_tried_alone_is_not_to_blame) {
  EXPECT_FALSE(slow.others_worked_since(write("nobody"), 8));
  fail(writes("k", 24));
  EXPECT_FALSE(slow.others_worked_since(write("k10000"), 8));
  fail({write("k10000")});
  EXPECT_FALSE(slow.others_worked_since(write("k10000"), 7));
  EXPECT_TRUE(slow.others_worked_since(write("k10000"), 8));
}

// --- Matching erases ---

TEST_F(SlowWritesEdges, piece_shrinks_by_failures_to_a_bound_and_grows_back_to_the_first_size) {
  const UnsettledWrite erase = write_of(erase_matching("a*", 7));
  EXPECT_EQ(slow.piece_of(erase).limit, 10'000u);
  for (const std::size_t rows : {2'500, 625, 156, 100, 100}) {
    fail({erase});
    EXPECT_EQ(slow.piece_of(erase).limit, rows);
  }
  for (const std::size_t rows : {200, 400, 800, 1'600, 3'200, 6'400, 10'000, 10'000}) {
    slow.erased_up_to(erase, "a1", now);
    EXPECT_EQ(slow.piece_of(erase).limit, rows);
  }
}

TEST_F(SlowWritesEdges, piece_that_is_small_from_the_first_stays_so) {
  SlowWrites small{seconds(10), {.first = milliseconds(100), .cap = seconds(60)}, 50};
  const UnsettledWrite erase = write_of(erase_matching("a*", 7));
  small.failed({&erase, 1}, false, 7, now, random);
  EXPECT_EQ(small.piece_of(erase).limit, 50u);
  small.erased_up_to(erase, "a1", now);
  EXPECT_EQ(small.piece_of(erase).limit, 50u);
}

TEST_F(SlowWritesEdges, piece_that_is_done_is_followed_at_once_and_forgives_failures) {
  const UnsettledWrite erase = write_of(erase_matching("a*", 7));
  slow.erased_up_to(erase, "a1", now);
  fail({erase});
  fail({erase});
  const SlotName name{RecordKind::erase_matching, erase.write.id};
  EXPECT_NE(slow.describe(name), "");
  slow.erased_up_to(erase, "a2", now);
  EXPECT_EQ(slow.describe(name), "");
  EXPECT_EQ(slow.due(), now);
  EXPECT_EQ(next(), std::vector<std::string>{"a*"});
  EXPECT_EQ(slow.piece_of(erase).after, "a2");
  EXPECT_EQ(slow.piece_of(erase).glob, "a*");
  EXPECT_EQ(slow.piece_of(erase).version, at(7));
}

TEST_F(SlowWritesEdges, newer_erase_of_a_glob_begins_anew_with_pieces_of_the_first_size) {
  const UnsettledWrite older = write_of(erase_matching("a*", 7));
  fail({older});
  slow.erased_up_to(older, "a5", now);
  const UnsettledWrite newer = write_of(erase_matching("a*", 9));
  EXPECT_EQ(slow.piece_of(newer).after, std::nullopt);
  slow.erased_up_to(newer, "a1", now);
  EXPECT_EQ(slow.piece_of(newer).after, "a1");
  EXPECT_EQ(slow.piece_of(newer).limit, 10'000u);
  EXPECT_EQ(slow.piece_of(older).after, std::nullopt) << "nothing is known of that any more";
}

}  // namespace
}  // namespace tiercache::testing
