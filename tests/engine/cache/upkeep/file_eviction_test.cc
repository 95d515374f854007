// Files within their bounds: only what the store is seen to have goes, the longest unfetched first.
#include "cache/upkeep/file_eviction.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class FileEvictionPartTest : public ::testing::Test {
 protected:
  static EntryId id(int n) { return {"d", "k" + std::to_string(n)}; }
  // In its file, fetched `n` seconds after the start, and in the store.
  void have(int n, bool in_store = true) {
    Entry entry = document(5);
    entry.clocks.last_fetch = kStart + std::chrono::seconds(n);
    local.into_file(entry, id(n));
    if (in_store) ground.put_row(entry, id(n));
  }
  void have_all(int count) {
    for (int n = 0; n < count; ++n) have(n);
  }
  void into_memory(int n) {
    local.tiers.memory().put(data.ref(id(n).key), data.resident_of(document(5)), {},
                             MemoryTier::Pin::no);
  }
  void evict() {
    eviction.begin_if_full();
    ground.run_ready();
  }
  bool is_filed(int n) { return local.tiers.files().read(id(n)).entry != nullptr; }

  Ground ground{[](CacheOptions& options) { options.files.max_entries = 20; }};
  UpkeepRoom room{ground};
  LocalRoom& local = room.writing.local;
  FileEviction& eviction = room.parts.eviction;
  DatasetState& data = ground.open();
};

TEST_F(FileEvictionPartTest, nothing_goes_while_the_bound_is_kept) {
  have_all(20);
  evict();
  EXPECT_EQ(eviction.evicted(), 0u);
  EXPECT_EQ(ground.store->calls("load"), 0u);
}

TEST_F(FileEvictionPartTest, longest_unfetched_go_until_there_is_room) {
  have_all(21);
  evict();
  EXPECT_EQ(eviction.evicted(), 2u) << "a twentieth below the bound";
  EXPECT_FALSE(is_filed(0) || is_filed(1));
  EXPECT_TRUE(is_filed(2));
  EXPECT_EQ(local.left, (std::vector<std::string>{"k0", "k1"}));
  EXPECT_FALSE(local.tiers.index().find(id(0)));
}

TEST_F(FileEvictionPartTest, what_is_in_memory_stays_longer) {
  have_all(21);
  into_memory(0);
  evict();
  EXPECT_TRUE(is_filed(0));
  EXPECT_FALSE(is_filed(1) || is_filed(2));
}

TEST_F(FileEvictionPartTest, what_goes_leaves_memory_too_where_nothing_else_could) {
  for (int n = 0; n < 21; ++n) {
    have(n);
    into_memory(n);
  }
  evict();
  EXPECT_EQ(eviction.evicted(), 2u);
  EXPECT_EQ(local.in_memory(data, id(0)), "<nothing>");
}

TEST_F(FileEvictionPartTest, what_the_store_lacks_or_has_older_never_goes_I1) {
  have_all(21);
  ground.store->drop_row("test", id(0));
  ground.put_row(document(4), id(1));
  Entry other = document(5, "other");
  ground.put_row(other, id(2));
  ground.put_row(document(6, "newer"), id(3));
  evict();
  EXPECT_TRUE(is_filed(0) && is_filed(1) && is_filed(2));
  EXPECT_FALSE(is_filed(3) || is_filed(4));
}

TEST_F(FileEvictionPartTest, what_the_journal_holds_never_goes_I1) {
  have_all(21);
  Record record;
  record.id = id(0);
  record.entry = document(5);
  ASSERT_EQ(local.journal(record), AppendStatus::durable);
  evict();
  EXPECT_TRUE(is_filed(0));
  EXPECT_FALSE(is_filed(1));
}

TEST_F(FileEvictionPartTest, dataset_of_one_document_and_tombstones_stay) {
  have_all(19);
  for (const char* name : {"one", "two"}) {
    Entry single = document(1);
    single.clocks.last_fetch = kStart - 24h;
    local.into_file(single, {name, ""});
    ground.put_row(single, {name, ""});
  }
  local.into_file(tombstone(1), {"d", "gone"});
  evict();
  EXPECT_EQ(eviction.evicted(), 2u);
  EXPECT_EQ(local.file({"one", ""}), "1");
  EXPECT_EQ(local.file({"d", "gone"}), "<tombstone>");
}

TEST_F(FileEvictionPartTest, key_that_is_read_or_written_while_the_store_is_asked_stays) {
  have_all(21);
  ground.store->on_call([this](const std::string&) {
    ground.store->on_call({});
    into_memory(0);
    local.write(data, document(6), id(1));
  });
  evict();
  EXPECT_TRUE(is_filed(0) && is_filed(1));
  EXPECT_FALSE(is_filed(2) || is_filed(3)) << "others go in their stead";
}

TEST_F(FileEvictionPartTest, key_whose_clocks_move_while_its_file_goes_gets_it_back_I1) {
  have_all(21);
  ground.disk->on_operation([this](std::uint64_t, const std::string& what) {
    if (what.starts_with("remove_file /cache/data/")) {
      ground.disk->on_operation({});
      Record moved;
      moved.kind = RecordKind::clocks;
      moved.id = id(0);
      moved.entry.version = version(5);
      moved.entry.clocks.last_fetch = kStart + 1h;
      local.journal(moved);
    }
  });
  evict();
  EXPECT_TRUE(is_filed(0));
  EXPECT_EQ(eviction.evicted(), 2u);
}

TEST_F(FileEvictionPartTest, store_that_is_away_is_asked_again_half_a_minute_later) {
  have_all(21);
  ground.store_does(StoreFault::unavailable);
  evict();
  EXPECT_EQ(eviction.evicted(), 0u);
  ground.store->set_fault({});
  ground.run_for(29s);
  EXPECT_EQ(eviction.evicted(), 0u);
  ground.run_for(1s);
  EXPECT_EQ(eviction.evicted(), 2u);
}

TEST_F(FileEvictionPartTest, what_the_store_lacked_is_asked_about_again_half_a_minute_later) {
  for (int n = 0; n < 21; ++n) have(n, false);
  evict();
  const std::uint64_t asked = ground.store->calls("load");
  ground.run_for(29s);
  EXPECT_EQ(ground.store->calls("load"), asked) << "not all the time";
  Entry row = document(5);
  for (int n = 0; n < 21; ++n) ground.put_row(row, id(n));
  ground.run_for(1s);
  EXPECT_EQ(eviction.evicted(), 2u);
  EXPECT_FALSE(is_filed(0)) << "from the first one on";
}

TEST_F(FileEvictionPartTest, more_than_a_turn_looks_at_are_passed_by_to_what_can_go) {
  for (int n = 0; n < 2'300; ++n) have(n, n >= 2'200);
  evict();
  EXPECT_EQ(eviction.evicted(), 100u) << "all that the store has";
  EXPECT_TRUE(is_filed(2'199));
  EXPECT_FALSE(is_filed(2'200));
}

TEST_F(FileEvictionPartTest, slow_store_does_not_make_it_start_over_at_each_turn) {
  for (int n = 0; n < 2'300; ++n) have(n, n >= 2'200);
  ground.store->on_call([this](const std::string&) {
    ground.clock->advance(2s);
    if (ground.store->calls("load") > 100) ground.store_does(StoreFault::unavailable);
  });
  evict();
  EXPECT_EQ(eviction.evicted(), 100u);
}

// Those that could not go are not asked about again for as long as others go in their stead.
TEST_F(FileEvictionPartTest, next_eviction_goes_on_where_the_last_one_ended_for_half_a_minute) {
  for (int n = 0; n < 22; ++n) have(n, n >= 2);
  evict();
  EXPECT_EQ(eviction.evicted(), 3u);
  for (int n = 22; n < 24; ++n) have(n);
  Entry row = document(5);
  for (int n = 0; n < 2; ++n) ground.put_row(row, id(n));
  evict();
  EXPECT_TRUE(is_filed(0) && is_filed(1));
  EXPECT_EQ(eviction.evicted(), 5u);
  ground.run_for(30s);
  for (int n = 24; n < 26; ++n) have(n);
  evict();
  EXPECT_FALSE(is_filed(0) || is_filed(1));
}

TEST_F(FileEvictionPartTest, cache_that_closes_evicts_nothing) {
  have_all(21);
  eviction.begin_if_full();
  ground.runtime.tasks.close();
  ground.run_for(1min);
  EXPECT_EQ(eviction.evicted(), 0u);
}

}  // namespace
}  // namespace tiercache::detail
