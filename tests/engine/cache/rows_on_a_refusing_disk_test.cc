// What the store has in the place of an entry here, while the disk takes nothing new: the older
// file is not served again.
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "engine/cache/refusing_disk.h"
#include "engine/cache/world.h"
#include "tiercache/error.h"

namespace tiercache::testing {
namespace {

constexpr const char* kNothing = "nothing";

// The disk refuses from a moment on when the cache is open, or before it is opened.
class RowsOnARefusingDisk : public ::testing::TestWithParam<std::tuple<Refusal, bool>>,
                            protected RefusingMachine {
 protected:
  RowsOnARefusingDisk() {
    open();
    data_->put("k", "1");
    EXPECT_TRUE(cache_->flush());
    world_.executor->run_for(2s);
  }
  ~RowsOnARefusingDisk() override { end(refusal()); }

  const Refusal& refusal() const { return std::get<0>(GetParam()); }
  bool refuses_at_open() const { return std::get<1>(GetParam()); }
  void fill(const std::function<void(CacheOptions&)>& adjust = {}) {
    if (refuses_at_open()) close();
    refusal().begin(world_.disk);
    if (refuses_at_open()) open(adjust);
  }
  void recover() { RefusingMachine::recover(refusal()); }
  std::string local(const std::string& key = "k") {
    const auto snapshot = data_->get(key, {.reach = Reach::local});
    return snapshot ? *snapshot : kNothing;
  }
  void let_memory_age() { world_.executor->run_for(10min); }
};

TEST_P(RowsOnARefusingDisk, erase_of_another_machine_holds_I4_I10) {
  fill();
  world_.write_elsewhere("k", std::nullopt);
  world_.executor->run_for(2s);
  EXPECT_EQ(local(), kNothing);
  let_memory_age();
  EXPECT_EQ(local(), kNothing);

  recover();
  EXPECT_TRUE(cache_->flush());
  close();
  world_.store_down();
  open();
  EXPECT_EQ(local(), kNothing);
}

TEST_P(RowsOnARefusingDisk, erase_is_met_again_after_a_kill_I4_I10) {
  fill();
  world_.write_elsewhere("k", std::nullopt);
  world_.executor->run_for(2s);
  world_.kill(cache_);
  refusal().end(world_.disk);
  open();
  world_.executor->run_for(2s);
  EXPECT_EQ(local(), kNothing);
}

TEST_P(RowsOnARefusingDisk,
       kill_right_after_the_disk_recovers_leaves_the_erase_to_the_feed_I4_I10) {
  fill();
  world_.write_elsewhere("k", std::nullopt);
  let_memory_age();
  refusal().end(world_.disk);
  for (int i = 0; i < 200 && cache_; ++i) {
    world_.executor->run_for(50ms);
    if (i % 40 != 39) continue;
    world_.kill(cache_);
    open();
    world_.executor->run_for(2s);
    EXPECT_EQ(local(), kNothing);
  }
}

TEST_P(RowsOnARefusingDisk, row_that_was_read_is_not_followed_by_an_older_file_I3) {
  const auto unpolled = [](CacheOptions& options) { options.store_calls.poll_every = 0ms; };
  close();
  open(unpolled);
  fill(unpolled);
  world_.executor->run_for(25h);  // the local copy is no longer fresh
  world_.write_elsewhere("k", "2");
  const auto snapshot = data_->get("k", {.reach = Reach::store});
  EXPECT_EQ(snapshot ? *snapshot : kNothing, "2");
  let_memory_age();
  EXPECT_NE(local(), "1");
}

// Memory alone has the newest row. Then the store loses it, and answers an older write of this
// machine with a row between the two.
TEST_P(RowsOnARefusingDisk, row_that_is_older_than_what_memory_alone_has_ends_the_matter_I3_I7) {
  if (refuses_at_open()) GTEST_SKIP() << "then nothing here is older than the row";
  world_.store->set_fault([](const std::string& operation) {
    return operation == "save" ? StoreFault::unavailable : StoreFault::none;
  });
  data_->put("k", "2");
  world_.clock->advance(1s);
  world_.write_elsewhere("k", "between");
  const EntryPtr between = world_.store->row("test", {"d", "k"});
  world_.clock->advance(1s);
  world_.write_elsewhere("k", "newest");
  fill();
  ASSERT_TRUE(world_.run_until([this] { return local() == "newest"; }));
  world_.store->drop_row("test", {"d", "k"});
  world_.store->put_row("test", {"d", "k"}, *between);
  world_.store_up();
  world_.executor->run_for(1min);
  EXPECT_EQ(local(), "newest");
}

// The write was journaled and its file could not be written any more.
TEST_P(RowsOnARefusingDisk, row_that_supersedes_a_journaled_write_is_served_I3_I4) {
  world_.store_down();
  if (!refuses_at_open()) fill();
  try {
    data_->erase("k");
  } catch (const NotDurable&) {
    GTEST_SKIP() << "here not even the journal takes the erase";
  }
  world_.clock->advance(1s);
  world_.write_elsewhere("k", "2");
  if (refuses_at_open()) {
    world_.kill(cache_);
    refusal().begin(world_.disk);
    open();
  }
  EXPECT_EQ(local(), kNothing);
  world_.store_up();
  ASSERT_TRUE(world_.run_until([&] { return cache_->stats().outbox_depth == 0; }));
  let_memory_age();
  EXPECT_NE(local(), "1");
  world_.kill(cache_);
  refusal().end(world_.disk);
  world_.store_down();
  open();
  EXPECT_NE(local(), "1");
}

// Memory has no room for all that files cannot take. What it cannot hide is asked for again.
TEST_P(RowsOnARefusingDisk, rows_that_memory_cannot_hold_come_once_the_disk_takes_them_I8_I10) {
  constexpr int kKeys = 200;
  constexpr std::uint64_t kBudget = 1 << 20;
  const auto small = [](CacheOptions& options) { options.memory.max_bytes = kBudget; };
  const std::string more(20 << 10, ' ');
  close();
  open(small);
  for (int i = 0; i < kKeys; ++i) data_->put(std::to_string(i), "1" + more);
  ASSERT_TRUE(cache_->flush());
  world_.executor->run_for(2s);
  fill(small);
  for (int i = 0; i < kKeys; ++i) world_.write_elsewhere(std::to_string(i), "2" + more);
  let_memory_age();
  EXPECT_LE(cache_->stats().memory_bytes_charged, kBudget);

  recover();
  ASSERT_TRUE(world_.run_until([&] {
    for (int i = 0; i < kKeys; ++i) {
      if (local(std::to_string(i)) == "1" + more) return false;
    }
    return true;
  })) << "older values are still served";
}

// The clocks of a journaled write are replayed after the batch of files that it was in, none of
// which can be written.
TEST_P(RowsOnARefusingDisk, clocks_that_are_replayed_later_leave_the_newer_document_I1_I3) {
  const std::string large = "2" + std::string(9 << 20, ' ');
  world_.store_down();
  data_->put("k", large);
  world_.clock->advance(1s);
  data_->invalidate("k");
  world_.kill(cache_);
  refusal().begin(world_.disk);
  open();
  const auto snapshot = data_->get("k", {.reach = Reach::local, .max_stale = 24h});
  EXPECT_TRUE(snapshot && *snapshot == large);
  EXPECT_EQ(snapshot.freshness(), Freshness::stale);
}

INSTANTIATE_TEST_SUITE_P(Each, RowsOnARefusingDisk,
                         ::testing::Combine(::testing::ValuesIn(refusals()), ::testing::Bool()),
                         [](const auto& one) {
                           return std::string(std::get<0>(one.param).name) +
                                  (std::get<1>(one.param) ? "_at_open" : "_while_open");
                         });

// Another process has the key's lock at the moment when the row comes.
TEST(RowsOfABusyKey, row_is_in_its_file_once_the_other_process_is_done_I10) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", DatasetOptions<JsonText>{.keyed = true, .fresh_for = 24h});
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(2s);
  int refused = 0;
  world.disk.set_fault([&refused](const std::string& operation, const std::string& path) {
    const bool busy = operation == "try_lock" && path.find("/locks/open-") == std::string::npos;
    return busy && refused++ % 2 == 0 ? EAGAIN : 0;
  });
  Entry row = *world.store->row("test", {"d", "k"});
  row.version.time += 1'000'000;
  row.document = std::make_shared<const std::string>("2");
  row.checksum = Checksum::of(*row.document);
  world.store->put_row("test", {"d", "k"}, row);
  world.executor->run_for(5s);
  EXPECT_GT(refused, 0);
  world.disk.set_fault({});
  world.kill(cache);
  world.store_down();
  cache = world.open();
  data = cache->dataset("d", DatasetOptions<JsonText>{.keyed = true, .fresh_for = 24h});
  const auto snapshot = data.get("k", {.reach = Reach::local});
  EXPECT_EQ(snapshot ? *snapshot : kNothing, "2");
}

}  // namespace
}  // namespace tiercache::testing
