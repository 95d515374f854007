// Conformance: how content replaces content, and what a batch answers.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tiercache/testing/store_conformance/fixture.h"

namespace tiercache::testing {

TEST_P(StoreConformance, description_is_for_a_person) {
  EXPECT_NE(store_->describe(), "");
}

TEST_P(StoreConformance, load_of_absent_key_is_null) {
  EXPECT_EQ(load({"quotes", "nobody"}), nullptr);
}

TEST_P(StoreConformance, load_of_nothing_is_ok_and_empty) {
  const LoadReply reply = store_->load(project_, {}, patience());
  EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
  EXPECT_TRUE(reply.entries.empty());
}

TEST_P(StoreConformance, save_of_nothing_is_ok_and_empty) {
  const SaveReply reply = store_->save(project_, {}, patience());
  EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
  EXPECT_TRUE(reply.results.empty());
}

TEST_P(StoreConformance, load_answers_in_the_order_of_ids_with_repeats_and_gaps) {
  save_all({content({"d", "1"}, numbered(1)), content({"d", "2"}, numbered(2))});
  const std::vector<EntryId> ids{{"d", "2"}, {"d", "none"}, {"d", "1"}, {"d", "2"}};
  const LoadReply reply = store_->load(project_, ids, patience());
  ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
  ASSERT_EQ(reply.entries.size(), 4u);
  EXPECT_EQ(reply.corrupt, std::vector<bool>(4, false));
  expect_entry(reply.entries[0], numbered(2));
  EXPECT_EQ(reply.entries[1], nullptr);
  expect_entry(reply.entries[2], numbered(1));
  expect_entry(reply.entries[3], numbered(2));
}

TEST_P(StoreConformance, replies_carry_the_time_of_the_store) {
  save(content({"d", "k"}, numbered(1)));
  const std::array times{
      store_->load(project_, std::vector<EntryId>{{"d", "k"}}, patience()).store_time,
      store_->save(project_, std::vector{content({"d", "k"}, numbered(2))}, patience()).store_time,
      store_->scan(project_, "d", "", 10, patience()).store_time,
      store_->erase_matching(project_, {"d", "*", version(3)}, patience()).store_time};
  using namespace std::chrono;
  for (const auto& time : times) {
    ASSERT_TRUE(time.has_value());
    EXPECT_GT(*time, WallTime(sys_days(year(2020) / 1 / 1)));
    EXPECT_LT(*time, WallTime(sys_days(year(2200) / 1 / 1)));
  }
}

TEST_P(StoreConformance, newer_content_replaces_the_row) {
  EXPECT_EQ(outcome(content({"d", "k"}, numbered(1))), SaveOutcome::saved);
  EXPECT_EQ(outcome(content({"d", "k"}, numbered(2))), SaveOutcome::saved);
  expect_row({"d", "k"}, numbered(2));
}

TEST_P(StoreConformance, same_write_again_is_already_saved) {
  save(content({"d", "k"}, numbered(1)));
  EXPECT_EQ(outcome(content({"d", "k"}, numbered(1))), SaveOutcome::already_saved);
  expect_row({"d", "k"}, numbered(1));
}

TEST_P(StoreConformance, same_tombstone_again_is_already_saved) {
  save(content({"d", "k"}, tombstone(1)));
  EXPECT_EQ(outcome(content({"d", "k"}, tombstone(1))), SaveOutcome::already_saved);
  expect_row({"d", "k"}, tombstone(1));
}

TEST_P(StoreConformance, same_write_with_later_clocks_moves_them) {
  save(content({"d", "k"}, with_fetch(numbered(1), 100)));
  EXPECT_EQ(outcome(content({"d", "k"}, with_fetch(numbered(1), 200))), SaveOutcome::already_saved);
  expect_row({"d", "k"}, with_fetch(numbered(1), 200));
  EXPECT_EQ(outcome(content({"d", "k"}, with_fetch(numbered(1), 150))), SaveOutcome::already_saved);
  expect_row({"d", "k"}, with_fetch(numbered(1), 200));
}

TEST_P(StoreConformance, older_content_is_superseded_and_told_the_row_I3) {
  save(content({"d", "k"}, numbered(5)));
  const SaveResult result = save(content({"d", "k"}, numbered(4)));
  EXPECT_EQ(result.outcome, SaveOutcome::superseded);
  expect_entry(result.current, numbered(5));
  expect_row({"d", "k"}, numbered(5));
}

TEST_P(StoreConformance, other_content_of_the_same_version_leaves_the_row_I3) {
  save(content({"d", "k"}, document(1, R"({"first": true})")));
  const SaveResult result = save(content({"d", "k"}, document(1, R"({"second": true})")));
  EXPECT_EQ(result.outcome, SaveOutcome::superseded);
  expect_entry(result.current, document(1, R"({"first": true})"));
  expect_row({"d", "k"}, document(1, R"({"first": true})"));
}

TEST_P(StoreConformance, writer_decides_between_equal_times_I3) {
  const std::array<std::uint32_t, 4> writers{1, 0x7fffffff, 0x80000000, 0xffffffff};
  for (std::size_t low = 0; low + 1 < writers.size(); ++low) {
    const EntryId id{"d", std::to_string(low)};
    Entry smaller = numbered(1);
    Entry greater = numbered(2);
    smaller.version = version(1, writers[low]);
    greater.version = version(1, writers[low + 1]);
    EXPECT_EQ(outcome(content(id, smaller)), SaveOutcome::saved);
    EXPECT_EQ(outcome(content(id, greater)), SaveOutcome::saved);
    EXPECT_EQ(outcome(content(id, smaller)), SaveOutcome::superseded);
    expect_row(id, greater);
  }
}

TEST_P(StoreConformance, time_decides_before_the_writer_I3) {
  Entry older = numbered(1);
  older.version = version(1, 0xffffffff);
  Entry newer = numbered(2);
  newer.version = version(2, 0);
  save(content({"d", "k"}, newer));
  EXPECT_EQ(outcome(content({"d", "k"}, older)), SaveOutcome::superseded);
  expect_row({"d", "k"}, newer);
}

TEST_P(StoreConformance, any_order_of_two_writes_gives_the_same_row_I3) {
  const Entry older_document = with_fetch(numbered(1), 900);
  const Entry newer_document = with_fetch(numbered(2), 100);
  const std::array<std::pair<Entry, Entry>, 4> pairs{{{older_document, newer_document},
                                                      {older_document, tombstone(2)},
                                                      {tombstone(1), newer_document},
                                                      {tombstone(1), tombstone(2)}}};
  int number = 0;
  for (const auto& [older, newer] : pairs) {
    Entry expected = newer;
    expected.clocks.merge(older.clocks);
    for (const char* order : {"on", "no", "ono", "non", "oonn", "nnoo"}) {
      const EntryId id{"d", std::to_string(++number)};
      for (const char* step = order; *step != 0; ++step) {
        save(content(id, *step == 'o' ? older : newer));
      }
      SCOPED_TRACE(order);
      expect_row(id, expected);
    }
  }
}

TEST_P(StoreConformance, tombstone_is_loaded_as_such) {
  save(content({"d", "k"}, numbered(1)));
  EXPECT_EQ(outcome(content({"d", "k"}, tombstone(2))), SaveOutcome::saved);
  expect_row({"d", "k"}, tombstone(2));
}

TEST_P(StoreConformance, tombstone_of_unknown_key_keeps_older_content_out_I4) {
  EXPECT_EQ(outcome(content({"d", "k"}, tombstone(5))), SaveOutcome::saved);
  const SaveResult result = save(content({"d", "k"}, numbered(4)));
  EXPECT_EQ(result.outcome, SaveOutcome::superseded);
  expect_entry(result.current, tombstone(5));
  expect_row({"d", "k"}, tombstone(5));
}

TEST_P(StoreConformance, content_newer_than_a_tombstone_takes_its_place) {
  save(content({"d", "k"}, tombstone(1)));
  EXPECT_EQ(outcome(content({"d", "k"}, numbered(2))), SaveOutcome::saved);
  expect_row({"d", "k"}, numbered(2));
}

TEST_P(StoreConformance, batch_answers_each_write_in_its_place) {
  save_all({content({"d", "newer"}, numbered(9)), content({"d", "same"}, numbered(3))});
  const auto results =
      save_all({content({"d", "newer"}, numbered(4)), content({"d", "same"}, numbered(3)),
                content({"d", "new"}, numbered(1)), content({"e", "new"}, tombstone(1)),
                guarded({"d", "same"}, numbered(8), version(2))});
  EXPECT_EQ(results[0].outcome, SaveOutcome::superseded);
  expect_entry(results[0].current, numbered(9));
  EXPECT_EQ(results[1].outcome, SaveOutcome::already_saved);
  EXPECT_EQ(results[2].outcome, SaveOutcome::saved);
  EXPECT_EQ(results[3].outcome, SaveOutcome::saved);
  EXPECT_EQ(results[4].outcome, SaveOutcome::superseded);
  expect_row({"d", "new"}, numbered(1));
  expect_row({"e", "new"}, tombstone(1));
}

TEST_P(StoreConformance, key_twice_in_a_batch_ends_at_the_newer_in_either_order_I3) {
  const auto up = save_all({content({"d", "up"}, numbered(1)), content({"d", "up"}, numbered(2))});
  EXPECT_EQ(up[1].outcome, SaveOutcome::saved);
  expect_row({"d", "up"}, numbered(2));
  const auto down =
      save_all({content({"d", "down"}, numbered(2)), content({"d", "down"}, numbered(1))});
  EXPECT_EQ(down[0].outcome, SaveOutcome::saved);
  EXPECT_EQ(down[1].outcome, SaveOutcome::superseded);
  expect_row({"d", "down"}, numbered(2));
}

TEST_P(StoreConformance, write_twice_in_a_batch_is_confirmed_twice) {
  const auto results =
      save_all({content({"d", "k"}, numbered(1)), content({"d", "k"}, numbered(1))});
  for (const SaveResult& result : results) {
    EXPECT_TRUE(result.outcome == SaveOutcome::saved ||
                result.outcome == SaveOutcome::already_saved);
  }
  expect_row({"d", "k"}, numbered(1));
}

TEST_P(StoreConformance, batch_of_a_thousand_is_taken) {
  std::vector<StoreWrite> writes;
  std::vector<EntryId> ids;
  for (int i = 0; i < 1'000; ++i) {
    ids.push_back({"d", std::to_string(i)});
    writes.push_back(content(ids.back(), numbered(static_cast<std::uint64_t>(i) + 1)));
  }
  for (const SaveResult& result : save_all(writes)) EXPECT_EQ(result.outcome, SaveOutcome::saved);
  const LoadReply reply = store_->load(project_, ids, patience());
  ASSERT_EQ(reply.entries.size(), 1'000u) << reply.message;
  for (std::size_t i = 0; i < ids.size(); ++i) expect_entry(reply.entries[i], numbered(i + 1));
}

TEST_P(StoreConformance, saved_rows_are_there_after_a_restart_I1) {
  if (!GetParam().reopen) GTEST_SKIP() << "the store does not outlive its object";
  Entry full = with_metadata(with_fetch(numbered(3), 123'456), R"({"etag": "\"x\""})");
  full.fresh_for = std::chrono::milliseconds(250);
  save_all({content({"d", "k"}, full), content({"d", "gone"}, tombstone(4))});
  store_.reset();
  store_ = GetParam().reopen();
  expect_row({"d", "k"}, full);
  expect_row({"d", "gone"}, tombstone(4));
  EXPECT_EQ(scan_all("d", 10).size(), 1u);
}

}  // namespace tiercache::testing
