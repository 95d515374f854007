// How far the store has purged, and whose word that is.
#include "cache/store/purge_horizon.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "engine/cache/ground.h"
#include "engine/cache/store/scripted_store.h"

namespace tiercache::detail {
namespace {

class PurgeHorizonTest : public ::testing::Test {
 protected:
  void store_says(std::uint64_t horizon, const std::string& incarnation = "life 1") {
    store->on_purge = [=](PurgeReply& reply) {
      reply.horizon = version(horizon);
      reply.incarnation = incarnation;
    };
  }
  bool learn() { return room.horizon.learn(Breaker::Urgency::background); }

  std::shared_ptr<ScriptedStore> store = std::make_shared<ScriptedStore>();
  Ground ground{[this](CacheOptions& options) { options.store = store; }};
  StoreRoom room{ground};
};

TEST_F(PurgeHorizonTest, question_purges_nothing) {
  store_says(5);
  EXPECT_TRUE(learn());
  ASSERT_EQ(store->purge_requests.size(), 1u);
  EXPECT_EQ(store->purge_requests.front().limit, 0u);
  EXPECT_TRUE(store->purge_requests.front().tombstones_below.is_zero());
  EXPECT_TRUE(store->purge_requests.front().expired.empty());
}

TEST_F(PurgeHorizonTest, horizon_of_one_life_of_the_store_never_goes_back_I4) {
  EXPECT_TRUE(room.horizon.version().is_zero());
  for (const std::uint64_t horizon : {5, 9, 7}) {
    store_says(horizon);
    learn();
  }
  EXPECT_EQ(room.horizon.version(), version(9));
}

// What another life had purged says nothing of what this one lacks.
TEST_F(PurgeHorizonTest, horizon_of_another_life_is_forgotten_I1_I4) {
  store_says(9);
  learn();
  store_says(3, "life 2");
  learn();
  EXPECT_EQ(room.horizon.version(), version(3));
  store_says(4, "life 1");
  learn();
  EXPECT_EQ(room.horizon.version(), version(4));
}

TEST_F(PurgeHorizonTest, purge_takes_note_of_the_horizon_too) {
  store_says(5);
  PurgeRequest request;
  request.tombstones_below = version(6);
  EXPECT_EQ(room.horizon.purge(request, Breaker::Urgency::background).status, StoreStatus::ok);
  EXPECT_EQ(room.horizon.version(), version(5));
  EXPECT_EQ(store->purge_requests.front().tombstones_below, version(6));
}

TEST_F(PurgeHorizonTest, answer_that_did_not_come_changes_nothing) {
  store_says(5);
  learn();
  store->on_purge = [](PurgeReply& reply) {
    reply.status = StoreStatus::unknown;
    reply.horizon = version(9);
    reply.incarnation = "life 2";
  };
  EXPECT_FALSE(learn());
  EXPECT_EQ(room.horizon.version(), version(5));
}

TEST_F(PurgeHorizonTest, store_that_cannot_purge_is_not_asked) {
  store->purges = false;
  EXPECT_FALSE(learn());
  EXPECT_TRUE(store->purge_requests.empty());
}

TEST_F(PurgeHorizonTest, gaps_of_a_store_that_is_not_the_directorys_tell_nothing_I1) {
  store_says(5);
  learn();
  EXPECT_EQ(room.horizon.deleted_up_to(), version(5));
  store_says(9, "life 2");
  learn();
  EXPECT_EQ(room.horizon.version(), version(9));
  EXPECT_EQ(room.horizon.deleted_up_to(), std::nullopt);
  ASSERT_TRUE(room.identity.accept());
  EXPECT_EQ(room.horizon.deleted_up_to(), version(9));
}

}  // namespace
}  // namespace tiercache::detail
