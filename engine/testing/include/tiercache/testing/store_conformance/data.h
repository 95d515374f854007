// Conformance: keys and documents are only data (I12); sizes and ranges.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tiercache/testing/store_conformance/fixture.h"

namespace tiercache::testing {

// Names that have broken stores: empty, quotes, patterns, text that reads as SQL, and look-alikes.
// "é" is among them as one and as two code points, and one text stands behind a right-to-left
// override.
inline std::vector<std::string> odd_names() {
  return {"",
          " ",
          "k",
          "K",
          "k ",
          " k",
          "'",
          "''",
          "\"",
          "`",
          "\\",
          "\\'",
          "%",
          "_",
          "*",
          "?",
          "[a-z]",
          "$1",
          ":name",
          "?1",
          "NULL",
          "null",
          "0",
          "00",
          "-1",
          "1e3",
          "{}",
          "{a,b}",
          "../../etc/passwd",
          "a/b",
          "a\\b",
          "a\nb",
          "a\tb",
          "a\rb",
          "\x01\x1f\x7f",
          "'; DROP TABLE cache_storage; --",
          "' OR '1'='1",
          "\"; DELETE FROM projects; --",
          "é",
          "e\xcc\x81",
          "ß",
          "SS",
          "İ",
          "日本語",
          "\xf0\x9f\xa6\x8a",
          "\xe2\x80\xae"
          "abc",
          std::string(1'024, 'k'),
          std::string(1'023, 'k')};
}

TEST_P(StoreConformance, odd_keys_are_rows_of_their_own_I12) {
  const std::vector<std::string> names = odd_names();
  std::vector<StoreWrite> writes;
  std::vector<EntryId> ids;
  for (std::size_t i = 0; i < names.size(); ++i) {
    ids.push_back({"d", names[i]});
    writes.push_back(content(ids.back(), numbered(i + 1)));
  }
  for (const SaveResult& result : save_all(writes)) EXPECT_EQ(result.outcome, SaveOutcome::saved);
  const LoadReply reply = store_->load(project_, ids, patience());
  ASSERT_EQ(reply.entries.size(), ids.size()) << reply.message;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    SCOPED_TRACE(names[i]);
    expect_entry(reply.entries[i], numbered(i + 1));
  }
  std::vector<EntryId> scanned;
  for (const ScannedEntry& entry : scan_all("d", 7)) scanned.push_back(entry.id);
  std::sort(scanned.begin(), scanned.end());
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(scanned, ids);
}

TEST_P(StoreConformance, odd_dataset_names_are_apart_I12) {
  const std::vector<std::string> names = odd_names();
  for (std::size_t i = 1; i < names.size(); ++i) save(content({names[i], "k"}, numbered(i)));
  for (std::size_t i = 1; i < names.size(); ++i) {
    SCOPED_TRACE(names[i]);
    expect_row({names[i], "k"}, numbered(i));
    EXPECT_EQ(scan_all(names[i], 10).size(), 1u);
  }
}

TEST_P(StoreConformance, odd_project_names_are_apart_I12) {
  const std::string run = project_;
  const std::vector<std::string> names = odd_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    project_ = run + names[i];
    save(content({"d", "k"}, numbered(i + 1)));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    SCOPED_TRACE(names[i]);
    expect_entry(load_from(run + names[i], {"d", "k"}), numbered(i + 1));
  }
}

TEST_P(StoreConformance, dataset_and_key_do_not_run_together) {
  const std::vector<EntryId> ids{{"a", "bc"}, {"ab", "c"}, {"abc", ""}, {"a/b", "c"}, {"a", "b/c"}};
  for (std::size_t i = 0; i < ids.size(); ++i) save(content(ids[i], numbered(i + 1)));
  for (std::size_t i = 0; i < ids.size(); ++i) expect_row(ids[i], numbered(i + 1));
}

TEST_P(StoreConformance, projects_do_not_see_each_other) {
  save(content({"d", "k"}, numbered(1)));
  const std::string ours = project_;
  project_ += "-other";
  EXPECT_EQ(load({"d", "k"}), nullptr);
  EXPECT_TRUE(scan_all("d", 10).empty());
  save(content({"d", "k"}, numbered(2)));
  EXPECT_EQ(store_->erase_matching(project_, {"d", "*", version(9)}, patience()).erased, 1u);
  project_ = ours;
  expect_row({"d", "k"}, numbered(1));
}

TEST_P(StoreConformance, documents_come_back_as_they_were_put) {
  const std::vector<std::string> documents{
      "null",
      "true",
      "0",
      "-0.0",
      "1e2",
      "12345678901234567890",
      "0.1",
      R"("")",
      R"("it's \"quoted\" \\ \/ \b\f\n\r\t \u00e9 \ud83e\udd8a")",
      R"("'; DROP TABLE cache_storage; --")",
      "[]",
      "{}",
      R"({"b": 1, "a": 2, "": 3, "A": 4})",
      "\n\t {  \"spaced\"  :\r\n [ 1 , 2 ]  } \n",
      R"({"unicode": "日本語 é ß 🦊", "日本": "語"})",
      std::string(100, '[') + std::string(100, ']'),
      long_text(100'002),
  };
  for (std::size_t i = 0; i < documents.size(); ++i) {
    SCOPED_TRACE(documents[i].substr(0, 60));
    const EntryId id{"d", std::to_string(i)};
    const Entry entry = document(i + 1, documents[i]);
    EXPECT_EQ(outcome(content(id, entry)), SaveOutcome::saved);
    expect_row(id, entry);
  }
}

TEST_P(StoreConformance, every_field_of_an_entry_comes_back) {
  Entry entry = numbered(1);
  entry.clocks = {at(1'700'000'000'001), at(1'700'000'000'002), at(1'700'000'000'003)};
  entry.metadata = R"({"etag": "W/\"a'b\"", "last_modified": "Tue, 01 Jan 2030", "é": [1, null]})";
  entry.cache_version = "2.1-é'\"";
  entry.fresh_for = std::chrono::milliseconds(90'061'001);
  save(content({"d", "k"}, entry));
  expect_row({"d", "k"}, entry);
  const auto scanned = scan_all("d", 10);
  ASSERT_EQ(scanned.size(), 1u);
  EXPECT_EQ(scanned[0].id, (EntryId{"d", "k"}));
  expect_entry(scanned[0].entry, entry);
}

TEST_P(StoreConformance, zero_is_not_absent) {
  Entry entry = numbered(1);
  entry.clocks = {at(0), std::nullopt, at(0)};
  entry.fresh_for = std::chrono::milliseconds(0);
  save(content({"d", "k"}, entry));
  expect_row({"d", "k"}, entry);
}

TEST_P(StoreConformance, largest_and_smallest_versions_are_kept) {
  Entry smallest = numbered(1);
  smallest.version = {0, 1};
  Entry largest = numbered(2);
  largest.version = {std::numeric_limits<std::int64_t>::max(),
                     std::numeric_limits<std::uint32_t>::max()};
  save_all({content({"d", "s"}, smallest), content({"d", "l"}, largest)});
  expect_row({"d", "s"}, smallest);
  expect_row({"d", "l"}, largest);
  EXPECT_EQ(outcome(content({"d", "l"}, numbered(3))), SaveOutcome::superseded);
}

TEST_P(StoreConformance, large_document_comes_back_whole) {
  const std::size_t size =
      std::min(GetParam().large_document_bytes, store_->limits().max_document_bytes);
  const Entry large = document(1, long_text(size));
  ASSERT_EQ(outcome(content({"d", "k"}, large)), SaveOutcome::saved);
  expect_row({"d", "k"}, large);
}

TEST_P(StoreConformance, document_over_the_limit_is_refused_alone_and_says_why) {
  const std::size_t limit = store_->limits().max_document_bytes;
  if (limit > std::size_t{256} << 20) GTEST_SKIP() << "the limit is larger than a test should try";
  const Entry large = document(1, long_text(limit + 1));
  const auto results = save_all({content({"d", "before"}, numbered(1)), content({"d", "k"}, large),
                                 content({"d", "after"}, numbered(1))});
  EXPECT_EQ(results[0].outcome, SaveOutcome::saved);
  EXPECT_EQ(results[1].outcome, SaveOutcome::refused);
  EXPECT_NE(results[1].why, "");
  EXPECT_EQ(results[2].outcome, SaveOutcome::saved);
  EXPECT_EQ(load({"d", "k"}), nullptr);
  expect_row({"d", "before"}, numbered(1));
  expect_row({"d", "after"}, numbered(1));
}

}  // namespace tiercache::testing
