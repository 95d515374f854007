// Conformance: writes that hold only under a condition, and writes that only move clocks.
#pragma once

#include <cstdint>
#include <optional>

#include "tiercache/testing/store_conformance/fixture.h"

namespace tiercache::testing {

TEST_P(StoreConformance, guard_of_zero_lets_in_the_first_write_only) {
  EXPECT_EQ(outcome(guarded({"d", "k"}, numbered(5), Version{})), SaveOutcome::saved);
  const SaveResult second = save(guarded({"d", "k"}, numbered(6), Version{}));
  EXPECT_EQ(second.outcome, SaveOutcome::superseded);
  expect_entry(second.current, numbered(5));
  expect_row({"d", "k"}, numbered(5));
}

TEST_P(StoreConformance, guard_of_zero_is_kept_out_by_a_tombstone_I4) {
  save(content({"d", "k"}, tombstone(1)));
  const SaveResult result = save(guarded({"d", "k"}, numbered(2), Version{}));
  EXPECT_EQ(result.outcome, SaveOutcome::superseded);
  expect_entry(result.current, tombstone(1));
}

TEST_P(StoreConformance, guard_holds_while_the_row_is_not_newer) {
  save(content({"d", "k"}, numbered(3)));
  EXPECT_EQ(outcome(guarded({"d", "k"}, numbered(5), version(3))), SaveOutcome::saved);
  EXPECT_EQ(outcome(guarded({"d", "k"}, numbered(7), version(6))), SaveOutcome::saved);
  expect_row({"d", "k"}, numbered(7));
}

TEST_P(StoreConformance, guard_loses_to_a_write_it_did_not_see_I5) {
  save(content({"d", "k"}, with_fetch(numbered(4), 100)));
  const SaveResult result = save(guarded({"d", "k"}, with_fetch(numbered(9), 900), version(3)));
  EXPECT_EQ(result.outcome, SaveOutcome::superseded);
  expect_entry(result.current, with_fetch(numbered(4), 100));
  expect_row({"d", "k"}, with_fetch(numbered(4), 100));
}

TEST_P(StoreConformance, guard_compares_the_writer_too_I5) {
  Entry row = numbered(4);
  row.version = version(4, 8);
  save(content({"d", "k"}, row));
  EXPECT_EQ(outcome(guarded({"d", "k"}, numbered(9), version(4, 7))), SaveOutcome::superseded);
  EXPECT_EQ(outcome(guarded({"d", "k"}, numbered(9), version(4, 8))), SaveOutcome::saved);
}

TEST_P(StoreConformance, guard_on_an_absent_row_holds) {
  EXPECT_EQ(outcome(guarded({"d", "k"}, numbered(5), version(2))), SaveOutcome::saved);
  expect_row({"d", "k"}, numbered(5));
}

TEST_P(StoreConformance, guard_does_not_let_an_older_version_in_I3) {
  save(content({"d", "k"}, numbered(5)));
  EXPECT_EQ(outcome(guarded({"d", "k"}, numbered(4), version(9))), SaveOutcome::superseded);
  expect_row({"d", "k"}, numbered(5));
}

TEST_P(StoreConformance, guarded_write_sent_again_is_already_saved) {
  save(content({"d", "k"}, numbered(3)));
  const StoreWrite write = guarded({"d", "k"}, numbered(5), version(3));
  EXPECT_EQ(outcome(write), SaveOutcome::saved);
  EXPECT_EQ(outcome(write), SaveOutcome::already_saved);
}

TEST_P(StoreConformance, guarded_tombstone_spares_what_it_did_not_see) {
  save(content({"d", "k"}, numbered(4)));
  EXPECT_EQ(outcome(guarded({"d", "k"}, tombstone(9), version(3))), SaveOutcome::superseded);
  expect_row({"d", "k"}, numbered(4));
}

TEST_P(StoreConformance, clocks_write_moves_each_clock_forward_alone) {
  Entry row = numbered(1);
  row.clocks = {at(100), at(200), std::nullopt};
  save(content({"d", "k"}, row));
  Entry moved = numbered(1);
  moved.clocks = {at(150), at(50), at(300)};
  EXPECT_EQ(outcome(clocks({"d", "k"}, moved)), SaveOutcome::saved);
  Entry expected = numbered(1);
  expected.clocks = {at(150), at(200), at(300)};
  expect_row({"d", "k"}, expected);
}

TEST_P(StoreConformance, clocks_write_sent_again_changes_nothing) {
  save(content({"d", "k"}, numbered(1)));
  const StoreWrite write = clocks({"d", "k"}, with_fetch(numbered(1), 500));
  EXPECT_EQ(outcome(write), SaveOutcome::saved);
  const SaveOutcome again = outcome(write);
  EXPECT_TRUE(again == SaveOutcome::saved || again == SaveOutcome::already_saved);
  expect_row({"d", "k"}, with_fetch(numbered(1), 500));
}

TEST_P(StoreConformance, clocks_write_keeps_the_document_whatever_it_carries) {
  save(content({"d", "k"}, numbered(1)));
  save(clocks({"d", "k"}, with_fetch(document(1, R"({"other": 1})"), 5)));
  expect_row({"d", "k"}, with_fetch(numbered(1), 5));
}

TEST_P(StoreConformance, clocks_write_never_makes_a_row_I4) {
  const SaveResult result = save(clocks({"d", "k"}, with_fetch(numbered(1), 500)));
  EXPECT_EQ(result.outcome, SaveOutcome::superseded);
  EXPECT_EQ(result.current, nullptr);
  EXPECT_EQ(load({"d", "k"}), nullptr);
}

TEST_P(StoreConformance, clocks_write_of_an_older_version_moves_clocks_and_tells_the_row) {
  save(content({"d", "k"}, with_fetch(numbered(5), 100)));
  const SaveResult result = save(clocks({"d", "k"}, with_fetch(numbered(4), 300)));
  EXPECT_EQ(result.outcome, SaveOutcome::superseded);
  expect_entry(result.current, with_fetch(numbered(5), 300));
  expect_row({"d", "k"}, with_fetch(numbered(5), 300));
}

TEST_P(StoreConformance, clocks_write_ahead_of_its_content_moves_clocks) {
  save(content({"d", "k"}, with_fetch(numbered(3), 100)));
  EXPECT_EQ(outcome(clocks({"d", "k"}, with_fetch(numbered(4), 300))), SaveOutcome::saved);
  expect_row({"d", "k"}, with_fetch(numbered(3), 300));
}

TEST_P(StoreConformance, clocks_write_leaves_a_tombstone_one_I4) {
  save(content({"d", "k"}, tombstone(5)));
  const SaveResult result = save(clocks({"d", "k"}, with_fetch(numbered(4), 300)));
  EXPECT_EQ(result.outcome, SaveOutcome::superseded);
  const EntryPtr row = load({"d", "k"});
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->kind, EntryKind::tombstone);
  EXPECT_EQ(row->version, version(5));
}

TEST_P(StoreConformance, clocks_write_under_a_guard_that_fails_changes_nothing) {
  save(content({"d", "k"}, with_fetch(numbered(5), 100)));
  StoreWrite write = clocks({"d", "k"}, with_fetch(numbered(4), 900));
  write.not_newer_than = version(4);
  const SaveResult result = save(write);
  EXPECT_EQ(result.outcome, SaveOutcome::superseded);
  expect_entry(result.current, with_fetch(numbered(5), 100));
  expect_row({"d", "k"}, with_fetch(numbered(5), 100));
}

TEST_P(StoreConformance, clocks_write_brings_the_metadata_of_its_fetch) {
  save(content({"d", "k"}, with_metadata(with_fetch(numbered(1), 100), R"({"etag": "a"})")));
  const Entry fetched = with_metadata(with_fetch(numbered(1), 200), R"({"etag": "b"})");
  EXPECT_EQ(outcome(clocks({"d", "k"}, fetched)), SaveOutcome::saved);
  expect_row({"d", "k"}, fetched);
}

TEST_P(StoreConformance, clocks_write_of_another_version_leaves_the_metadata) {
  save(content({"d", "k"}, with_metadata(numbered(5), R"({"etag": "a"})")));
  for (const std::uint64_t other : {4u, 6u}) {
    save(clocks({"d", "k"}, with_metadata(with_fetch(numbered(other), 200), R"({"etag": "b"})")));
  }
  expect_row({"d", "k"}, with_metadata(with_fetch(numbered(5), 200), R"({"etag": "a"})"));
}

TEST_P(StoreConformance, clocks_write_of_an_earlier_fetch_leaves_the_metadata) {
  const Entry row = with_metadata(with_fetch(numbered(1), 200), R"({"etag": "b"})");
  save(content({"d", "k"}, row));
  save(clocks({"d", "k"}, with_metadata(with_fetch(numbered(1), 100), R"({"etag": "a"})")));
  expect_row({"d", "k"}, row);
  Entry invalidated = numbered(1);
  invalidated.clocks.invalidated_at = at(300);
  save(clocks({"d", "k"}, invalidated));
  Entry expected = row;
  expected.clocks.invalidated_at = at(300);
  expect_row({"d", "k"}, expected);
}

// This is how an invalidation is written: with the clocks that are known, and without any metadata.
TEST_P(StoreConformance, clocks_write_without_metadata_moves_the_clocks_alone_I1) {
  const Entry row = with_metadata(with_fetch(numbered(1), 200), R"({"etag": "b"})");
  save(content({"d", "k"}, row));
  Entry invalidated = with_metadata(with_fetch(numbered(1), 200), "");
  invalidated.clocks.invalidated_at = at(300);
  EXPECT_EQ(outcome(clocks({"d", "k"}, invalidated)), SaveOutcome::saved);
  Entry expected = row;
  expected.clocks.invalidated_at = at(300);
  expect_row({"d", "k"}, expected);
}

TEST_P(StoreConformance, new_content_keeps_the_later_clocks_of_the_row) {
  Entry row = with_fetch(numbered(1), 100);
  row.clocks.invalidated_at = at(400);
  save(content({"d", "k"}, row));
  save(content({"d", "k"}, with_fetch(numbered(2), 300)));
  Entry expected = with_fetch(numbered(2), 300);
  expected.clocks.invalidated_at = at(400);
  expect_row({"d", "k"}, expected);
}

}  // namespace tiercache::testing
