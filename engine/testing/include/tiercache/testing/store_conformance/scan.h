// Conformance: scanning a dataset page by page.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tiercache/testing/store_conformance/fixture.h"

namespace tiercache::testing {

// Returns the keys only, in their order.
inline std::vector<std::string> keys_of(const std::vector<ScannedEntry>& scanned) {
  std::vector<std::string> keys;
  for (const ScannedEntry& entry : scanned) keys.push_back(entry.id.key);
  return keys;
}

TEST_P(StoreConformance, scan_of_an_empty_dataset_ends_at_once) {
  const ScanReply reply = store_->scan(project_, "d", "", 10, patience());
  EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
  EXPECT_TRUE(reply.entries.empty());
  EXPECT_EQ(reply.next, "");
}

TEST_P(StoreConformance, scan_starts_with_what_was_updated_last) {
  for (const char* key : {"b", "a", "c"}) save(content({"d", key}, numbered(1)));
  EXPECT_EQ(keys_of(scan_all("d", 10)), (std::vector<std::string>{"c", "a", "b"}));
  save(content({"d", "b"}, numbered(2)));
  EXPECT_EQ(keys_of(scan_all("d", 10)), (std::vector<std::string>{"b", "c", "a"}));
}

TEST_P(StoreConformance, scan_pages_hold_every_document_once_in_order) {
  std::vector<std::string> expected;
  for (int i = 0; i < 23; ++i) {
    save(content({"d", std::to_string(i)}, numbered(1)));
    expected.insert(expected.begin(), std::to_string(i));
  }
  for (const std::size_t limit : {1u, 2u, 7u, 22u, 23u, 24u, 1000u}) {
    SCOPED_TRACE(limit);
    EXPECT_EQ(keys_of(scan_all("d", limit)), expected);
  }
}

TEST_P(StoreConformance, scan_pages_split_a_batch_without_gaps) {
  std::vector<StoreWrite> writes;
  for (int i = 0; i < 250; ++i) writes.push_back(content({"d", std::to_string(i)}, numbered(1)));
  save_all(writes);
  const auto keys = keys_of(scan_all("d", 9));
  EXPECT_EQ(keys.size(), 250u);
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 250u);
}

TEST_P(StoreConformance, scan_carries_the_entries) {
  save(content({"d", "k"}, with_fetch(numbered(3), 77)));
  const auto scanned = scan_all("d", 10);
  ASSERT_EQ(scanned.size(), 1u);
  expect_entry(scanned[0].entry, with_fetch(numbered(3), 77));
}

TEST_P(StoreConformance, scan_leaves_out_tombstones_I4) {
  for (int i = 0; i < 6; ++i) save(content({"d", std::to_string(i)}, numbered(1)));
  for (int i = 0; i < 6; i += 2) save(content({"d", std::to_string(i)}, tombstone(2)));
  EXPECT_EQ(keys_of(scan_all("d", 2)), (std::vector<std::string>{"5", "3", "1"}));
}

TEST_P(StoreConformance, scan_keeps_to_its_dataset_or_takes_all) {
  save_all({content({"d", "1"}, numbered(1)), content({"e", "2"}, numbered(2)),
            content({"d", "3"}, numbered(3))});
  EXPECT_EQ(keys_of(scan_all("e", 10)), (std::vector<std::string>{"2"}));
  EXPECT_EQ(scan_all("d", 1).size(), 2u);
  std::set<EntryId> all;
  for (const ScannedEntry& entry : scan_all("", 2)) all.insert(entry.id);
  EXPECT_EQ(all, (std::set<EntryId>{{"d", "1"}, {"e", "2"}, {"d", "3"}}));
}

TEST_P(StoreConformance, scan_shows_what_is_not_written_meanwhile_exactly_once) {
  std::set<std::string> untouched;
  for (int i = 0; i < 60; ++i) {
    save(content({"d", named("still", i)}, numbered(1)));
    save(content({"d", named("busy", i)}, numbered(1)));
    untouched.insert(named("still", i));
  }
  std::multiset<std::string> seen;
  std::string cursor;
  std::uint64_t number = 1;
  for (int page = 0; page < 1'000; ++page) {
    const ScanReply reply = store_->scan(project_, "d", cursor, 7, patience());
    ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
    for (const auto& key : keys_of(reply.entries)) seen.insert(key);
    ++number;
    for (int i = page; i < 60; i += 5) {
      save(content({"d", named("busy", i)}, numbered(number)));
    }
    save(content({"d", named("new", page)}, numbered(1)));
    cursor = reply.next;
    if (cursor.empty()) break;
  }
  EXPECT_EQ(cursor, "");
  for (const std::string& key : untouched) EXPECT_EQ(seen.count(key), 1u) << key;
}

TEST_P(StoreConformance, scan_with_a_foreign_cursor_does_no_harm_I12) {
  save(content({"d", "k"}, numbered(1)));
  for (const char* cursor :
       {"x", "'; DROP TABLE cache_storage; --", "-1", "99999999999999999999"}) {
    EXPECT_NO_THROW(store_->scan(project_, "d", cursor, 10, patience())) << cursor;
  }
  expect_row({"d", "k"}, numbered(1));
}

}  // namespace tiercache::testing
