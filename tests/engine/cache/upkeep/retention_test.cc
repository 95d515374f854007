// What does not stay for ever: old tombstones, and documents of datasets with a retention.
#include "cache/upkeep/retention.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "engine/cache/ground.h"
#include "engine/cache/store/scripted_store.h"

namespace tiercache::detail {
namespace {

constexpr auto kDay = 24h;

// Stamped at a time of day.
Entry tombstone_of(WallTime when) {
  Entry entry = tombstone(0);
  const auto ms = static_cast<std::uint64_t>(when.time_since_epoch().count());
  entry.version = {ms << Version::kCounterBits, 1};
  return entry;
}

class RetentionPartTest : public ::testing::Test {
 protected:
  explicit RetentionPartTest(const Ground::Adjust& adjust = {}) : ground(adjust) {}

  void into_file(const Entry& entry, const EntryId& id = kId) { local.into_file(entry, id); }
  // Every cache has a round in this time.
  void run_round() {
    room.parts.retention.start();
    ground.run_for(9h);
  }
  std::string file(const std::string& key = "k") { return local.file({"d", key}); }

  const std::shared_ptr<ScriptedStore> store = std::make_shared<ScriptedStore>();
  Ground ground;
  UpkeepRoom room{ground};
  LocalRoom& local = room.writing.local;
  Retention& retention = room.parts.retention;
  DatasetState& data =
      ground.open("d", [](DatasetPolicy& policy) { policy.options.retention = 10 * kDay; });
};

// Beside a store whose answers a test decides on.
class RetentionBesideStoreTest : public RetentionPartTest {
 protected:
  RetentionBesideStoreTest()
      : RetentionPartTest([this](CacheOptions& options) { options.store = store; }) {
    store->on_purge = [this](PurgeReply& reply) {
      reply.store_time = ground.clock->wall_now() + ahead;
      reply.incarnation = "life 1";
      reply.project_since = since;
      reply.tombstones = store->purge_requests.back().limit > 0 ? 2 : 0;
    };
  }

  std::chrono::milliseconds ahead{0};
  std::optional<WallTime> since = kStart - 365 * kDay;
};

TEST_F(RetentionBesideStoreTest, old_tombstones_go_from_the_store_and_then_from_the_files) {
  into_file(tombstone_of(kStart - 31 * kDay), {"d", "old"});
  into_file(tombstone_of(kStart - 29 * kDay), {"d", "young"});
  run_round();
  EXPECT_EQ(file("old"), "<nothing>");
  EXPECT_EQ(file("young"), "<tombstone>");
  EXPECT_EQ(retention.purged_in_store(), 2u);
  EXPECT_EQ(retention.dropped_here(), 1u);
  const auto below = store->purge_requests.back().tombstones_below.stamped_at();
  EXPECT_GE(WallTime(below), kStart - 30 * kDay);
  EXPECT_LE(WallTime(below), kStart - 30 * kDay + 9h);
}

TEST_F(RetentionBesideStoreTest, rounds_come_every_six_hours_give_or_take_half) {
  retention.start();
  ground.run_for(3h - 1ms);
  EXPECT_TRUE(store->purge_requests.empty());
  ground.run_for(10 * kDay);
  const std::size_t rounds = store->purge_requests.size() / 2;  // asked, then told to purge
  EXPECT_GE(rounds, 30u);
  EXPECT_LE(rounds, 55u);
}

TEST_F(RetentionBesideStoreTest, documents_go_by_their_last_fetch_and_those_without_one_stay) {
  Entry old = document(5), young = document(5), never = document(5);
  old.clocks.last_fetch = kStart - 11 * kDay;
  young.clocks.last_fetch = kStart - 9 * kDay;
  never.clocks.last_fetch.reset();
  into_file(old, {"d", "old"});
  into_file(young, {"d", "young"});
  into_file(never, {"d", "never"});
  into_file(old, {"other", "old"});
  run_round();
  EXPECT_EQ(file("old"), "<nothing>");
  EXPECT_EQ(file("young"), "1");
  EXPECT_EQ(file("never"), "1");
  EXPECT_EQ(local.file({"other", "old"}), "1") << "of a dataset that is not open";
  ASSERT_EQ(store->purge_requests.back().expired.size(), 1u);
  EXPECT_EQ(store->purge_requests.back().expired.front().dataset, "d");
}

TEST_F(RetentionBesideStoreTest, what_the_journal_holds_stays_I1) {
  Record record;
  record.id = kId;
  record.entry = tombstone_of(kStart - 31 * kDay);
  ASSERT_EQ(local.journal(record), AppendStatus::durable);
  into_file(record.entry);
  run_round();
  EXPECT_EQ(file(), "<tombstone>");
}

TEST_F(RetentionBesideStoreTest, stores_clock_decides_and_without_its_word_nothing_goes_I4) {
  into_file(tombstone_of(kStart - 29 * kDay));
  ahead = 2 * kDay;
  run_round();
  EXPECT_EQ(file(), "<nothing>") << "by ours it would be too young";
  into_file(tombstone_of(kStart - 60 * kDay));
  store->on_purge = [](PurgeReply&) {};
  ground.run_for(9h);
  EXPECT_EQ(file(), "<tombstone>") << "it gave no time";
  store->on_purge = [](PurgeReply& reply) { reply.status = StoreStatus::unavailable; };
  ground.run_for(1 * kDay);
  EXPECT_EQ(file(), "<tombstone>");
}

TEST_F(RetentionBesideStoreTest, tombstones_stay_where_the_store_did_not_purge_or_is_another_I4) {
  into_file(tombstone_of(kStart - 60 * kDay));
  local.belong_to_another_store();
  run_round();
  EXPECT_EQ(file(), "<tombstone>");
  for (const PurgeRequest& request : store->purge_requests) EXPECT_EQ(request.limit, 0u);
}

TEST_F(RetentionBesideStoreTest, tombstones_that_come_to_a_new_store_stay_their_time_there_I4) {
  since = kStart - 29 * kDay;
  into_file(tombstone_of(kStart - 60 * kDay));
  run_round();
  EXPECT_EQ(file(), "<tombstone>");
  EXPECT_TRUE(store->purge_requests.back().tombstones_below.is_zero());
}

TEST_F(RetentionBesideStoreTest, store_that_cannot_purge_keeps_the_tombstones_here_too_I4) {
  store->purges = false;
  into_file(tombstone_of(kStart - 60 * kDay));
  Entry old = document(5);
  old.clocks.last_fetch = kStart - 11 * kDay;
  into_file(old, {"d", "old"});
  run_round();
  EXPECT_EQ(file(), "<tombstone>");
  EXPECT_EQ(file("old"), "<nothing>");
}

TEST_F(RetentionBesideStoreTest, store_that_always_has_more_is_left_alone_until_the_next_round_I8) {
  store->on_purge = [this](PurgeReply& reply) {
    reply.store_time = ground.clock->wall_now();
    reply.project_since = since;
    reply.more = true;
  };
  into_file(tombstone_of(kStart - 60 * kDay));
  retention.start();
  ground.executor->run_until([this] { return store->purge_requests.size() > 1; }, 9h);
  ground.run_ready();
  EXPECT_EQ(store->purge_requests.size(), 1'001u) << "and the question before";
  EXPECT_EQ(file(), "<tombstone>") << "it has not ended";
}

class RetentionAloneTest : public RetentionPartTest {
 protected:
  RetentionAloneTest()
      : RetentionPartTest([](CacheOptions& options) { options.store = nullptr; }) {}
};

TEST_F(RetentionAloneTest, own_clock_decides_without_a_store) {
  into_file(tombstone_of(kStart - 31 * kDay), {"d", "old"});
  into_file(tombstone_of(kStart - 29 * kDay), {"d", "young"});
  run_round();
  EXPECT_EQ(file("old"), "<nothing>");
  EXPECT_EQ(file("young"), "<tombstone>");
}

TEST_F(RetentionAloneTest, cache_that_closes_has_no_more_rounds) {
  into_file(tombstone_of(kStart - 31 * kDay));
  ground.runtime.tasks.close();
  run_round();
  EXPECT_EQ(file(), "<tombstone>");
}

}  // namespace
}  // namespace tiercache::detail
