// Conformance: the change feed of stores that have one.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tiercache/testing/store_conformance/fixture.h"

namespace tiercache::testing {

// Reads the feed from `*cursor` to its end, and moves the cursor there. Returns the newest version
// that it told of each key.
inline std::map<EntryId, Version> read_changes(Store& store, const std::string& project,
                                               std::string* cursor, SteadyTime deadline,
                                               std::size_t limit = 1000) {
  std::map<EntryId, Version> seen;
  bool more = true;
  while (more) {
    const ChangesReply reply = store.changes(project, *cursor, limit, deadline);
    EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    EXPECT_FALSE(reply.gap);
    EXPECT_LE(reply.changes.size(), limit);
    for (const StoreChange& change : reply.changes) {
      Version& known = seen[change.id];
      known = std::max(known, change.version);
    }
    more = reply.more && reply.status == StoreStatus::ok;
    *cursor = reply.next;
  }
  return seen;
}

TEST_P(StoreConformance, changes_from_an_empty_cursor_start_now) {
  if (!store_->has_changes()) GTEST_SKIP() << "no change feed";
  save(content({"d", "before"}, numbered(1)));
  std::string cursor;
  EXPECT_TRUE(read_changes(*store_, project_, &cursor, patience()).empty());
  EXPECT_NE(cursor, "");
  EXPECT_TRUE(read_changes(*store_, project_, &cursor, patience()).empty());
}

TEST_P(StoreConformance, changes_tell_of_documents_tombstones_and_invalidations_I10) {
  if (!store_->has_changes()) GTEST_SKIP() << "no change feed";
  save(content({"d", "moved"}, numbered(1)));
  std::string cursor;
  read_changes(*store_, project_, &cursor, patience());
  save(content({"d", "put"}, numbered(2)));
  save(content({"d", "erased"}, tombstone(3)));
  Entry moved = numbered(1);
  moved.clocks.invalidated_at = WallTime(std::chrono::milliseconds(77));
  save({.kind = StoreWrite::Kind::clocks,
        .id = {"d", "moved"},
        .entry = moved,
        .not_newer_than = {}});
  const auto reply = store_->changes(project_, cursor, 100, patience());
  ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
  std::map<std::string, StoreChange> changes;
  for (const StoreChange& change : reply.changes) changes[change.id.key] = change;
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes["put"].version, numbered(2).version);
  EXPECT_EQ(changes["erased"].version, tombstone(3).version);
  EXPECT_EQ(changes["moved"].version, numbered(1).version);
  EXPECT_EQ(changes["moved"].invalidated_at, moved.clocks.invalidated_at);
  EXPECT_EQ(changes["put"].invalidated_at, std::nullopt);
}

TEST_P(StoreConformance, changes_tell_of_each_key_of_a_matching_erase_I4) {
  if (!store_->has_changes()) GTEST_SKIP() << "no change feed";
  for (const char* key : {"a1", "a2", "b1"}) save(content({"d", key}, numbered(1)));
  std::string cursor;
  read_changes(*store_, project_, &cursor, patience());
  const Version version = numbered(5).version;
  ASSERT_EQ(store_->erase_matching(project_, {"d", "a*", version}, patience()).erased, 2u);
  const std::map<EntryId, Version> expected = {{{"d", "a1"}, version}, {{"d", "a2"}, version}};
  EXPECT_EQ(read_changes(*store_, project_, &cursor, patience()), expected);
}

TEST_P(StoreConformance, changes_come_in_pages_and_stay_in_their_project) {
  if (!store_->has_changes()) GTEST_SKIP() << "no change feed";
  std::string cursor;
  read_changes(*store_, project_, &cursor, patience());
  std::string other;
  read_changes(*store_, project_ + "-other", &other, patience());
  std::vector<StoreWrite> writes;
  for (int i = 0; i < 57; ++i) writes.push_back(content({"d", std::to_string(i)}, numbered(1)));
  save_all(writes);
  EXPECT_TRUE(read_changes(*store_, project_ + "-other", &other, patience()).empty());
  EXPECT_EQ(read_changes(*store_, project_, &cursor, patience(), 10).size(), 57u);
}

TEST_P(StoreConformance, cursor_that_the_store_never_gave_is_a_gap) {
  if (!store_->has_changes()) GTEST_SKIP() << "no change feed";
  for (const char* cursor : {"x", "-1", "0", "00-00", "'; drop table cache_storage; --"}) {
    const ChangesReply reply = store_->changes(project_, cursor, 10, patience());
    EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    EXPECT_TRUE(reply.gap) << cursor;
    EXPECT_NE(reply.next, "");
  }
}

// Transactions that end in another order than they began must not make a poller miss any.
TEST_P(StoreConformance, changes_leave_out_no_write_while_many_write_I10) {
  if (!store_->has_changes()) GTEST_SKIP() << "no change feed";
  std::string cursor;
  read_changes(*store_, project_, &cursor, patience());
  constexpr int kWriters = 3;
  constexpr int kWrites = 60;
  std::atomic<int> writing{kWriters};
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < kWrites; ++i) {
        const std::string name = std::to_string(w) + "-" + std::to_string(i);
        const std::vector<StoreWrite> writes = {content({"d", name}, numbered(1)),
                                                content({"d", name + "b"}, numbered(1))};
        const SaveReply reply = store_->save(project_, writes, patience());
        EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
      }
      --writing;
    });
  }
  std::map<EntryId, Version> seen;
  while (writing > 0) seen.merge(read_changes(*store_, project_, &cursor, patience(), 50));
  for (std::thread& writer : writers) writer.join();
  seen.merge(read_changes(*store_, project_, &cursor, patience(), 50));
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(2 * kWriters * kWrites));
}

}  // namespace tiercache::testing
