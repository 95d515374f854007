// Conformance: purging tombstones, and documents that were not fetched for a long time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

#include "tiercache/testing/store_conformance/fixture.h"

namespace tiercache::testing {

TEST_P(StoreConformance, purge_without_a_purge_there_is_no_horizon) {
  if (!store_->has_purge()) GTEST_SKIP() << "keeps tombstones for ever";
  EXPECT_TRUE(purge_below(100).horizon.is_zero());
  save(content({"d", "k"}, tombstone(5)));
  PurgeRequest ask;
  ask.tombstones_below = version(100);
  ask.limit = 0;
  const PurgeReply reply = purge(ask);
  EXPECT_TRUE(reply.horizon.is_zero());
  EXPECT_FALSE(reply.more);
  EXPECT_NE(load({"d", "k"}), nullptr) << "a limit of none is a question";
}

TEST_P(StoreConformance, purge_old_tombstones_go_and_move_the_horizon) {
  if (!store_->has_purge()) GTEST_SKIP() << "keeps tombstones for ever";
  save_all({content({"d", "old"}, tombstone(5)), content({"e", "older"}, tombstone(4)),
            content({"d", "kept"}, tombstone(10)), content({"d", "document"}, numbered(3))});
  const PurgeReply reply = purge_below(10);
  EXPECT_EQ(reply.tombstones, 2u);
  EXPECT_EQ(reply.documents, 0u);
  EXPECT_FALSE(reply.more);
  EXPECT_EQ(reply.horizon, version(5));
  EXPECT_EQ(load({"d", "old"}), nullptr);
  EXPECT_EQ(load({"e", "older"}), nullptr);
  expect_row({"d", "kept"}, tombstone(10));
  expect_row({"d", "document"}, numbered(3));
  EXPECT_EQ(purge_below(10).horizon, version(5)) << "it never goes back";
}

TEST_P(StoreConformance, purge_document_not_above_the_horizon_is_refused_where_there_is_no_row_I4) {
  if (!store_->has_purge()) GTEST_SKIP() << "keeps tombstones for ever";
  save(content({"d", "gone"}, tombstone(5)));
  purge_below(10);
  for (const std::uint64_t number : {4u, 5u}) {
    const SaveResult late = save(content({"d", "gone"}, numbered(number)));
    EXPECT_EQ(late.outcome, SaveOutcome::refused) << number;
    EXPECT_NE(late.why.find("older than what the store has purged"), std::string::npos) << late.why;
  }
  EXPECT_EQ(load({"d", "gone"}), nullptr);
  EXPECT_EQ(outcome(content({"d", "gone"}, numbered(6))), SaveOutcome::saved);
  expect_row({"d", "gone"}, numbered(6));
}

TEST_P(StoreConformance, purge_refused_one_does_not_hold_up_the_others_of_its_batch) {
  if (!store_->has_purge()) GTEST_SKIP() << "keeps tombstones for ever";
  save(content({"d", "gone"}, tombstone(5)));
  purge_below(10);
  const auto results =
      save_all({content({"d", "a"}, numbered(20)), content({"d", "gone"}, numbered(3)),
                content({"d", "b"}, numbered(21)), clocks({"d", "gone"}, numbered(3))});
  EXPECT_EQ(results[0].outcome, SaveOutcome::saved);
  EXPECT_EQ(results[1].outcome, SaveOutcome::refused);
  EXPECT_EQ(results[2].outcome, SaveOutcome::saved);
  EXPECT_EQ(results[3].outcome, SaveOutcome::superseded);
}

TEST_P(StoreConformance, purge_where_there_is_a_row_the_horizon_says_nothing) {
  if (!store_->has_purge()) GTEST_SKIP() << "keeps tombstones for ever";
  save_all({content({"d", "gone"}, tombstone(50)), content({"d", "k"}, numbered(3))});
  purge_below(60);
  EXPECT_EQ(outcome(content({"d", "k"}, numbered(4))), SaveOutcome::saved);
  EXPECT_EQ(outcome(content({"d", "k"}, numbered(2))), SaveOutcome::superseded);
  expect_row({"d", "k"}, numbered(4));
}

TEST_P(StoreConformance, purge_erase_below_the_horizon_is_no_fault) {
  if (!store_->has_purge()) GTEST_SKIP() << "keeps tombstones for ever";
  save(content({"d", "gone"}, tombstone(5)));
  purge_below(10);
  EXPECT_NE(outcome(content({"d", "gone"}, tombstone(4))), SaveOutcome::refused);
  EXPECT_EQ(purge_below(10).horizon, version(5));
}

TEST_P(StoreConformance, purge_one_project_has_no_horizon_of_anothers) {
  if (!store_->has_purge()) GTEST_SKIP() << "keeps tombstones for ever";
  save(content({"d", "k"}, tombstone(5)));
  purge_below(10);
  project_ += "-other";
  EXPECT_EQ(outcome(content({"d", "k"}, numbered(4))), SaveOutcome::saved);
  EXPECT_TRUE(purge_below(10).horizon.is_zero());
}

TEST_P(StoreConformance, purge_limit_is_kept_and_told) {
  if (!store_->has_purge()) GTEST_SKIP() << "keeps tombstones for ever";
  for (std::uint64_t i = 1; i <= 5; ++i) {
    save(content({"d", named("k", i)}, tombstone(i)));
  }
  PurgeRequest request;
  request.tombstones_below = version(100);
  request.limit = 2;
  std::uint64_t gone = 0;
  for (int round = 0; round < 10; ++round) {
    const PurgeReply reply = purge(request);
    EXPECT_LE(reply.tombstones, 2u);
    gone += reply.tombstones;
    if (!reply.more) break;
  }
  EXPECT_EQ(gone, 5u);
  EXPECT_EQ(purge_below(100).horizon, version(5));
}

TEST_P(StoreConformance,
       purge_document_past_its_retention_gives_way_to_a_tombstone_just_above_it_I4) {
  if (!store_->has_purge()) GTEST_SKIP() << "keeps tombstones for ever";
  save_all({content({"d", "old"}, with_fetch(numbered(3), 1'000)),
            content({"d", "fresh"}, with_fetch(numbered(4), 3'000)),
            content({"d", "never fetched"}, numbered(5)),
            content({"e", "old"}, with_fetch(numbered(6), 1'000))});
  EXPECT_EQ(expire("d", 2'000).documents, 1u);
  const EntryPtr old = load({"d", "old"});
  ASSERT_NE(old, nullptr);
  EXPECT_EQ(old->kind, EntryKind::tombstone);
  EXPECT_EQ(old->version, (Version{version(3).time + 1, version(3).writer}));
  expect_row({"d", "fresh"}, with_fetch(numbered(4), 3'000));
  expect_row({"d", "never fetched"}, numbered(5));
  expect_row({"e", "old"}, with_fetch(numbered(6), 1'000));
  EXPECT_EQ(expire("d", 2'000).documents, 0u);
  EXPECT_EQ(outcome(content({"d", "old"}, numbered(2))), SaveOutcome::superseded);
  EXPECT_EQ(outcome(content({"d", "old"}, numbered(9))), SaveOutcome::saved);
}

TEST_P(StoreConformance, purge_change_feed_misses_no_erase_that_was_purged_I4) {
  if (!store_->has_purge()) GTEST_SKIP() << "keeps tombstones for ever";
  if (!store_->has_changes()) GTEST_SKIP() << "no change feed";
  save(content({"d", "k"}, numbered(3)));
  const std::string before = store_->changes(project_, "", 10, patience()).next;
  save(content({"d", "k"}, tombstone(5)));
  purge_below(10);
  const ChangesReply reply = store_->changes(project_, before, 10, patience());
  ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
  const bool told = std::any_of(reply.changes.begin(), reply.changes.end(), [](const auto& change) {
    return change.id == EntryId{"d", "k"} && change.version == version(5);
  });
  EXPECT_TRUE(reply.gap || told);
}

TEST_P(StoreConformance, purge_project_that_tells_its_age_began_with_its_first_write) {
  if (!store_->has_purge()) GTEST_SKIP() << "keeps tombstones for ever";
  save(content({"d", "k"}, numbered(3)));
  const PurgeReply reply = purge_below(1);
  if (!reply.project_since) GTEST_SKIP() << "does not record when a project began";
  ASSERT_TRUE(reply.store_time);
  EXPECT_LE(*reply.project_since, *reply.store_time);
  EXPECT_GT(*reply.project_since, *reply.store_time - std::chrono::minutes(10));
  save(content({"d", "k"}, tombstone(5)));
  EXPECT_EQ(purge_below(10).project_since, reply.project_since) << "it does not move";
}

TEST_P(StoreConformance, purge_replies_that_name_an_incarnation_name_the_same_one) {
  if (!store_->has_purge()) GTEST_SKIP() << "keeps tombstones for ever";
  save(content({"d", "k"}, tombstone(5)));
  const std::string one = purge_below(10).incarnation;
  EXPECT_EQ(purge_below(10).incarnation, one);
  const std::string fed = store_->changes(project_, "", 10, patience()).incarnation;
  EXPECT_TRUE(fed.empty() || fed == one) << fed;
}

}  // namespace tiercache::testing
