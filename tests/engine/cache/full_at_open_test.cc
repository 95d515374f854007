// A disk that takes nothing new when a cache opens: what is there is served, what is written goes
// to the store, and once the disk takes something again all is as usual (docs/decisions/0037).
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/cache/refusing_disk.h"
#include "engine/cache/world.h"
#include "tiercache/error.h"

namespace tiercache::testing {
namespace {

class FullAtOpen : public ::testing::TestWithParam<Refusal>, protected RefusingMachine {
 protected:
  ~FullAtOpen() override { end(GetParam()); }

  void fill() { GetParam().begin(world_.disk); }
  void recover() { RefusingMachine::recover(GetParam()); }
  std::string local(const std::string& key) {
    const auto snapshot = data_->get(key, {.reach = Reach::local});
    return snapshot ? *snapshot : "missing: " + snapshot.passage().to_string();
  }
  std::string in_store(const std::string& key) const {
    const EntryPtr row = world_.store->row("test", {"d", key});
    return row && row->document ? *row->document : "missing";
  }
};

TEST_P(FullAtOpen, what_is_there_is_served_and_writes_go_to_the_store_until_it_recovers_I1) {
  open();
  data_->put("k", "1");
  cache_->flush();
  close();
  fill();
  open();
  EXPECT_EQ(local("k"), "1");
  const PutReceipt receipt = data_->put("new", "2");
  EXPECT_TRUE(receipt.stored);
  EXPECT_FALSE(receipt.journaled);
  EXPECT_EQ(in_store("new"), "2");
  EXPECT_EQ(local("new"), "2");
  data_->put("k", "3");
  EXPECT_EQ(local("k"), "3");
  const Health health = cache_->health();
  EXPECT_FALSE(health.journal.working);
  EXPECT_NE(health.journal.why, "");
  world_.executor->run_for(1min);
  EXPECT_EQ(local("k"), "3");

  recover();
  EXPECT_TRUE(data_->put("later", "4").journaled);
  EXPECT_TRUE(cache_->flush());
  close();
  world_.store_down();
  open();
  EXPECT_EQ(local("k"), "3");
  EXPECT_EQ(local("new"), "2");
  EXPECT_EQ(local("later"), "4");
}

TEST_P(FullAtOpen, writes_of_a_process_that_was_killed_are_served_and_sent_I1) {
  open();
  world_.store_down();
  data_->put("k", "[7]");
  world_.kill(cache_);
  fill();
  open();
  EXPECT_EQ(local("k"), "[7]");
  world_.store_up();
  EXPECT_TRUE(world_.run_until([&] { return in_store("k") == "[7]"; }));
  recover();
  EXPECT_TRUE(cache_->flush());
  close();
  world_.store_down();
  open();
  EXPECT_EQ(local("k"), "[7]");
}

TEST_P(FullAtOpen, without_a_store_reads_work_and_writes_say_that_nothing_takes_them_I1) {
  const auto alone = [](CacheOptions& options) { options.store = nullptr; };
  open(alone);
  data_->put("k", "1");
  cache_->flush();
  close();
  fill();
  open(alone);
  EXPECT_EQ(local("k"), "1");
  EXPECT_THROW(data_->put("k", "2"), NotDurable);
  EXPECT_EQ(local("k"), "1");
  recover();
  EXPECT_TRUE(data_->put("k", "3").journaled);
  close();
  open(alone);
  EXPECT_EQ(local("k"), "3");
}

TEST_P(FullAtOpen, cache_that_never_recovers_closes_and_the_next_one_has_everything_I1) {
  open();
  data_->put("k", "1");
  cache_->flush();
  close();
  fill();
  open();
  data_->put("new", "2");
  EXPECT_EQ(cache_->close().left_in_outbox, 0u);
  data_.reset();
  cache_.reset();
  GetParam().end(world_.disk);
  open();
  EXPECT_EQ(local("k"), "1");
  EXPECT_EQ(*data_->get("new"), "2");
}

TEST_P(FullAtOpen, directory_that_must_be_made_is_refused) {
  fill();
  EXPECT_THROW(world_.open(), BadDirectory);
  GetParam().end(world_.disk);
  open();
  EXPECT_TRUE(data_->put("k", "1").journaled);
}

INSTANTIATE_TEST_SUITE_P(Each, FullAtOpen, ::testing::ValuesIn(refusals()),
                         [](const auto& one) { return std::string(one.param.name); });

// Where files cannot be synced by one call for all, they are one by one.
TEST(RemoteDirectory, files_written_there_survive_power_loss_without_the_journal_I1) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    World world(seed + 1);
    world.disk.set_remote(true);
    const auto allowed = [](CacheOptions& options) {
      options.files.allow_remote = true;
      options.store = nullptr;
    };
    auto cache = world.open(allowed);
    auto data = cache->dataset("d", keyed());
    for (int i = 0; i < 40; ++i) data.put(std::to_string(i), std::to_string(i));
    ASSERT_TRUE(cache->flush());
    ASSERT_EQ(cache->stats().journal_live_records, 0u);
    world.lose_power(cache, seed);
    cache = world.open(allowed);
    auto after = cache->dataset("d", keyed());
    for (int i = 0; i < 40; ++i) EXPECT_EQ(*after.get(std::to_string(i)), std::to_string(i));
    world.kill(cache);
  }
}

}  // namespace
}  // namespace tiercache::testing
