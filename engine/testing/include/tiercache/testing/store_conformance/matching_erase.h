// Conformance: erasing what matches a pattern.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tiercache/glob.h"
#include "tiercache/testing/store_conformance/data.h"
#include "tiercache/testing/store_conformance/fixture.h"
#include "tiercache/testing/store_conformance/scan.h"

namespace tiercache::testing {

TEST_P(StoreConformance, matching_erase_leaves_tombstones_of_its_version) {
  save_all({content({"d", "user:1"}, numbered(1)), content({"d", "user:2"}, numbered(2)),
            content({"d", "group:1"}, numbered(3)), content({"e", "user:1"}, numbered(4))});
  const auto reply = store_->erase_matching(project_, {"d", "user:*", version(50)}, patience());
  ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
  EXPECT_EQ(reply.erased, 2u);
  for (const char* key : {"user:1", "user:2"}) {
    const EntryPtr row = load({"d", key});
    ASSERT_NE(row, nullptr);
    EXPECT_EQ(row->kind, EntryKind::tombstone);
    EXPECT_EQ(row->version, version(50));
    EXPECT_EQ(row->checksum, Checksum{});
    EXPECT_EQ(row->document, nullptr);
  }
  expect_row({"d", "group:1"}, numbered(3));
  expect_row({"e", "user:1"}, numbered(4));
  EXPECT_EQ(scan_all("d", 10).size(), 1u);
}

TEST_P(StoreConformance, matching_erase_spares_what_is_not_older_I3) {
  Entry same_time = numbered(3);
  same_time.version = version(5, 9);
  save_all({content({"d", "older"}, numbered(4)), content({"d", "same"}, numbered(5)),
            content({"d", "newer"}, numbered(6)), content({"d", "greater writer"}, same_time),
            content({"d", "newer tombstone"}, tombstone(8))});
  EXPECT_EQ(store_->erase_matching(project_, {"d", "*", version(5)}, patience()).erased, 1u);
  const EntryPtr older = load({"d", "older"});
  ASSERT_NE(older, nullptr);
  EXPECT_EQ(older->kind, EntryKind::tombstone);
  expect_row({"d", "same"}, numbered(5));
  expect_row({"d", "newer"}, numbered(6));
  expect_row({"d", "greater writer"}, same_time);
  expect_row({"d", "newer tombstone"}, tombstone(8));
}

TEST_P(StoreConformance, matching_erase_keeps_older_writes_out_and_counts_documents_I4) {
  save_all({content({"d", "k"}, numbered(1)), content({"d", "gone"}, tombstone(1))});
  EXPECT_EQ(store_->erase_matching(project_, {"d", "*", version(5)}, patience()).erased, 1u);
  EXPECT_EQ(outcome(content({"d", "k"}, numbered(4))), SaveOutcome::superseded);
  EXPECT_EQ(outcome(content({"d", "gone"}, numbered(4))), SaveOutcome::superseded);
  EXPECT_EQ(outcome(content({"d", "k"}, numbered(6))), SaveOutcome::saved);
  expect_row({"d", "k"}, numbered(6));
}

TEST_P(StoreConformance, matching_erase_again_erases_nothing_more) {
  save(content({"d", "k"}, numbered(1)));
  EXPECT_EQ(store_->erase_matching(project_, {"d", "k", version(5)}, patience()).erased, 1u);
  EXPECT_EQ(store_->erase_matching(project_, {"d", "k", version(5)}, patience()).erased, 0u);
  EXPECT_EQ(store_->erase_matching(project_, {"d", "none", version(6)}, patience()).erased, 0u);
}

// This must hold however small the pieces are, and whether or not the store stops between them.
TEST_P(StoreConformance, matching_erase_in_pieces_erases_every_match_once) {
  std::vector<StoreWrite> writes;
  for (int i = 0; i < 25; ++i) {
    const char* prefix = i % 5 == 0 ? "other" : "key";
    writes.push_back(content({"d", prefix + std::to_string(i)}, numbered(1)));
  }
  writes.push_back(content({"e", "key1"}, numbered(1)));
  save_all(writes);
  std::uint64_t erased = 0;
  std::size_t calls = 0;
  MatchingErase erase{.dataset = "d", .glob = "key*", .version = version(5), .limit = 4};
  do {
    const auto reply = store_->erase_matching(project_, erase, patience());
    ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
    if (reply.next) {
      EXPECT_LE(reply.erased, 4u);
      EXPECT_TRUE(!erase.after || *erase.after < *reply.next);
    }
    erased += reply.erased;
    erase.after = reply.next;
    ASSERT_LT(++calls, 20u);
  } while (erase.after);
  EXPECT_EQ(erased, 20u);
  EXPECT_EQ(scan_all("d", 100).size(), 5u);
  expect_row({"e", "key1"}, numbered(1));
}

// Every tier filters by the same function. A store that reads a pattern differently would bring
// back what the others hide.
TEST_P(StoreConformance, matching_erase_reads_patterns_as_every_tier_does_I4) {
  const std::vector<std::string> patterns{"*",     "",
                                          "?",     "??",
                                          "k*",    "*k",
                                          "[a-z]", "[!k]",
                                          "\\*",   "\\?",
                                          "\\\\",  "a\\b",
                                          "%",     "_",
                                          "'",     "''*",
                                          "*'*",   "é",
                                          "e*",    "*/*",
                                          "a?b",   "*\\",
                                          "**k",   "{a,b}",
                                          "*語",   "?k",
                                          "k?",    "K",
                                          "\\k",   "$1",
                                          "..*",   "*.*",
                                          "* *",   "'; DROP TABLE cache_storage; --"};
  const std::vector<std::string> names = odd_names();
  for (std::size_t p = 0; p < patterns.size(); ++p) {
    const std::string dataset = named("d", p);
    std::vector<StoreWrite> writes;
    for (const std::string& name : names) writes.push_back(content({dataset, name}, numbered(1)));
    save_all(writes);
    store_->erase_matching(project_, {dataset, patterns[p], version(2)}, patience());
    std::vector<std::string> left = keys_of(scan_all(dataset, 1'000));
    std::vector<std::string> expected;
    for (const std::string& name : names) {
      if (!glob_matches(patterns[p], name)) expected.push_back(name);
    }
    std::sort(left.begin(), left.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(left, expected) << "pattern " << patterns[p];
  }
}

}  // namespace tiercache::testing
