// When a key is due: by its clocks, after a failure, and not at all.
#include "cache/refreshing/turns.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

using Due = std::vector<std::pair<std::string, Cadence>>;

class TurnsTest : public ::testing::Test {
 protected:
  static void every(DatasetPolicy& policy, std::chrono::milliseconds normal,
                    std::chrono::milliseconds rich) {
    policy.options.refresh_every = normal;
    policy.options.refresh_jitter = 0ms;
    policy.options.rich_refresh_every = rich;
    policy.options.retry_first = 1min;
    policy.refresh = [](RefreshContext&) -> RefreshResult { throw std::runtime_error("down"); };
    policy.rich_refresh = policy.refresh;
  }
  // In its file, fetched now.
  void have(DatasetState& dataset, Entry entry, const std::string& key = "k") {
    if (entry.document) entry.clocks.last_fetch = ground.clock->wall_now();
    room.writing.local.into_file(entry, dataset.id(key));
  }
  // The key's source is asked, and fails.
  void fail(DatasetState& dataset, Cadence cadence = Cadence::normal) {
    const SourceId source(dataset.id("k"), cadence);
    room.refreshes.run({.dataset = &dataset, .id = source.id, .cadence = cadence}, {});
    ground.run_ready();
    ASSERT_TRUE(room.flights.retry_at(source));
  }
  Due due_within(std::chrono::milliseconds span) {
    room.due.clear();
    ground.run_for(span);
    return room.due;
  }

  Ground ground;
  RefreshingRoom room{ground};
  Turns& turns = room.turns;
  DatasetState& data = ground.open("d", [](DatasetPolicy& p) { every(p, 10min, 0ms); });
};

const Due kDue{{"k", Cadence::normal}};

TEST_F(TurnsTest, nothing_is_due_before_the_datasets_timestamps_are_known) {
  have(data, document(5));
  turns.arm(data, kId);
  EXPECT_EQ(due_within(1h), Due{});
  turns.arm_all(data);
  EXPECT_TRUE(data.hydrated.load());
  EXPECT_EQ(due_within(1s), kDue) << "by now it is";
}

TEST_F(TurnsTest, key_is_due_its_interval_after_it_was_fetched_and_once) {
  have(data, document(5));
  turns.arm_all(data);
  EXPECT_EQ(due_within(10min - 1ms), Due{});
  EXPECT_EQ(due_within(1s), kDue);
  EXPECT_EQ(due_within(1h), Due{}) << "until it is armed again";
}

TEST_F(TurnsTest, what_is_erased_or_absent_is_not_due_unless_the_dataset_is_one_document) {
  have(data, tombstone(5));
  turns.arm_all(data);
  turns.arm(data, {"d", "unknown"});
  EXPECT_EQ(due_within(1h), Due{});
  DatasetState& single = ground.open("single", [](DatasetPolicy& policy) {
    every(policy, 10min, 0ms);
    policy.options.keyed = false;
  });
  turns.arm_all(single);
  EXPECT_EQ(due_within(1s), (Due{{"", Cadence::normal}}));
}

TEST_F(TurnsTest, key_that_was_erased_or_left_is_disarmed) {
  have(data, document(5), "a");
  have(data, document(5), "b");
  turns.arm_all(data);
  have(data, tombstone(6), "a");
  turns.arm(data, {"d", "a"});
  ASSERT_TRUE(room.writing.local.tiers.drop({"d", "b"}, version(5)));
  turns.arm(data, {"d", "b"});
  EXPECT_EQ(due_within(1h), Due{});
}

TEST_F(TurnsTest, dataset_without_a_schedule_and_cache_that_closes_have_no_turns) {
  DatasetState& unscheduled =
      ground.open("unscheduled", [](DatasetPolicy& policy) { every(policy, 0ms, 0ms); });
  have(unscheduled, document(5));
  turns.arm_all(unscheduled);
  EXPECT_EQ(due_within(1h), Due{});
  have(data, document(5));
  ground.runtime.tasks.close();
  turns.arm_all(data);
  EXPECT_EQ(due_within(1h), Due{});
}

TEST_F(TurnsTest, turns_of_a_cache_that_has_gone_or_stopped_do_not_come) {
  have(data, document(5));
  turns.arm_all(data);
  ground.owner.reset();
  EXPECT_EQ(due_within(1h), Due{});
  turns.stop();
  turns.arm_all(data);
  EXPECT_EQ(due_within(1h), Due{});
}

TEST_F(TurnsTest, each_cadence_has_a_clock_of_its_own) {
  DatasetState& both = ground.open("both", [](DatasetPolicy& p) { every(p, 30min, 10min); });
  Entry entry = document(5);
  entry.clocks.last_rich_fetch = kStart;
  have(both, entry);
  turns.arm_all(both);
  EXPECT_EQ(due_within(20min), (Due{{"k", Cadence::rich}})) << "give or take its jitter";
  EXPECT_EQ(due_within(11min), (Due{{"k", Cadence::normal}}));
}

TEST_F(TurnsTest, key_that_was_never_enriched_is_due_at_once_for_that_alone) {
  DatasetState& both = ground.open("both", [](DatasetPolicy& p) { every(p, 30min, 10min); });
  have(both, document(5));
  turns.arm_all(both);
  EXPECT_EQ(due_within(1s), (Due{{"k", Cadence::rich}}));
}

// --- After a failure ---

TEST_F(TurnsTest, key_that_is_due_waits_until_its_source_may_be_asked_again) {
  have(data, document(5));
  ground.clock->advance(1h);
  fail(data);
  const auto pause = *room.flights.retry_at(kId) - ground.clock->steady_now();
  const auto whole = std::chrono::floor<std::chrono::milliseconds>(pause);
  turns.arm_all(data);
  EXPECT_EQ(due_within(whole), Due{});
  EXPECT_EQ(due_within(1s), kDue);
}

TEST_F(TurnsTest, key_that_is_not_due_is_no_sooner_due_for_a_failure) {
  have(data, document(5));
  fail(data);
  turns.arm_all(data);
  EXPECT_EQ(due_within(10min - 1ms), Due{});
  EXPECT_EQ(due_within(1s), kDue);
}

TEST_F(TurnsTest, failure_puts_off_the_cadence_that_is_due_and_leaves_the_other) {
  DatasetState& both = ground.open("both", [](DatasetPolicy& p) { every(p, 30min, 10min); });
  have(both, document(5));  // never enriched
  fail(both, Cadence::rich);
  turns.arm_all(both);
  const SourceId rich(both.id("k"), Cadence::rich);
  const auto pause = *room.flights.retry_at(rich) - ground.clock->steady_now();
  EXPECT_EQ(due_within(std::chrono::floor<std::chrono::milliseconds>(pause)), Due{});
  EXPECT_EQ(due_within(1s), (Due{{"k", Cadence::rich}}));
  EXPECT_EQ(due_within(28min - 1s), Due{});
  EXPECT_EQ(due_within(2min), kDue);
}

TEST_F(TurnsTest, failure_of_one_source_leaves_the_other_due) {
  DatasetState& both = ground.open("both", [](DatasetPolicy& p) { every(p, 30min, 10min); });
  have(both, document(5));  // never enriched
  fail(both);
  turns.arm_all(both);
  EXPECT_EQ(due_within(1ms), (Due{{"k", Cadence::rich}}));
}

// It lost to a write whose sync is under way: nothing stands yet, and the turn is due as before.
TEST_F(TurnsTest, source_whose_answer_does_not_show_is_not_asked_again_at_once) {
  DatasetState& single = ground.open("single", [](DatasetPolicy& policy) {
    every(policy, 10min, 0ms);
    policy.options.keyed = false;
  });
  turns.arm_all(single);
  EXPECT_EQ(due_within(1ms), (Due{{"", Cadence::normal}}));
  turns.source_answered(single, single.id(""));
  turns.arm(single, single.id(""));
  EXPECT_EQ(due_within(1s - 2ms), Due{});
  EXPECT_EQ(due_within(2ms), (Due{{"", Cadence::normal}}));
  have(single, document(5), "");
  turns.source_answered(single, single.id(""));
  turns.arm(single, single.id(""));
  EXPECT_EQ(due_within(10min - 2ms), Due{});
}

// --- Warm ---

TEST_F(TurnsTest, turns_are_ahead_once_every_single_document_with_a_schedule_has_one) {
  EXPECT_TRUE(turns.are_ahead()) << "keyed ones do not count";
  DatasetState& single = ground.open("single", [](DatasetPolicy& policy) {
    every(policy, 10min, 0ms);
    policy.options.keyed = false;
  });
  EXPECT_FALSE(turns.are_ahead());
  have(single, document(5), "");
  turns.arm_all(single);
  EXPECT_TRUE(turns.are_ahead());
  ground.clock->advance(10min);
  EXPECT_FALSE(turns.are_ahead()) << "it is due now";
}

TEST_F(TurnsTest, rich_turns_are_not_asked_about_whether_they_are_ahead) {
  ground.open("rich", [](DatasetPolicy& policy) {
    policy.options.rich_refresh_every = 1h;
    policy.options.keyed = false;
  });
  EXPECT_TRUE(turns.are_ahead());
}

}  // namespace
}  // namespace tiercache::detail
