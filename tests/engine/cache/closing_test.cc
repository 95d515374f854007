// Opening, flushing and closing: what is waited for, for how long, and what is said of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "engine/cache/timed_log.h"
#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Closing : public ::testing::Test {
 protected:
  void open(const std::function<void(CacheOptions&)>& adjust = {}) {
    cache = world.open([&](CacheOptions& options) {
      options.logger = TimedLog::logger(log);
      if (adjust) adjust(options);
    });
    data.emplace(cache->dataset("d", {.keyed = true, .fresh_for = 24h}));
  }
  std::chrono::nanoseconds time_of(const std::function<void()>& call) const {
    const SteadyTime began = world.clock->steady_now();
    call();
    return world.clock->steady_now() - began;
  }
  void refuse_files() {
    world.disk.set_fault([](const std::string& operation, const std::string& path) {
      const bool of_entries = path.find("/journal/") == std::string::npos;
      return of_entries && operation.starts_with("write") ? ENOSPC : 0;
    });
  }

  World world;
  std::shared_ptr<TimedLog> log = std::make_shared<TimedLog>(world.clock);
  std::unique_ptr<Cache> cache;
  std::optional<Dataset<JsonText>> data;
};

TEST_F(Closing, operator_is_told_what_was_found_and_what_was_left) {
  open();
  data->put("a", "1");
  data->put("b", "1");
  ASSERT_TRUE(cache->flush());
  world.store_down();
  data->put("c", "1");
  log->taken();
  cache->close(1s);
  EXPECT_THAT(log->taken(), HasSubstr("info cache of project test is closed: confirmed 0, left in "
                                      "the outbox 1, parked 0"));
  open();
  EXPECT_THAT(log->taken(), HasSubstr("info cache of project test is open: 3 keys in files, 0 of "
                                      "their headers read, 1 write in the outbox\n"));
}

TEST_F(Closing, receipt_counts_what_closing_confirmed_alone_I13) {
  open();
  data->put("before", "1");
  ASSERT_TRUE(cache->flush());
  data->put("with", "1");
  const CloseReceipt receipt = cache->close();
  EXPECT_EQ(receipt.confirmed, 1u);
  EXPECT_EQ(receipt.left_in_outbox, 0u);
  EXPECT_TRUE(receipt.files_complete);
}

TEST_F(Closing, receipt_counts_what_a_newer_row_won_over_and_a_replaced_write_with_its_heir_I13) {
  open();
  world.store_down();
  data->put("lost", "1");
  data->put("replaced", "1");
  data->put("replaced", "2");
  world.clock->advance(1s);
  world.write_elsewhere("lost", "2");
  world.store_up();
  const CloseReceipt receipt = cache->close();
  EXPECT_EQ(*world.store->row("test", {"d", "lost"})->document, "2");
  EXPECT_EQ(receipt.confirmed, 2u);
  EXPECT_EQ(receipt.left_in_outbox, 0u);
  EXPECT_EQ(receipt.parked, 0u);
}

TEST_F(Closing, closing_again_gives_the_same_receipt) {
  open();
  data->put("k", "1");
  EXPECT_EQ(cache->close().confirmed, 1u);
  EXPECT_EQ(cache->close().confirmed, 1u);
}

TEST_F(Closing, store_that_is_away_is_waited_for_until_the_deadline_I7) {
  open();
  world.store_down();
  data->put("k", "1");
  CloseReceipt receipt;
  EXPECT_EQ(time_of([&] { receipt = cache->close(5s); }), 5s);
  EXPECT_EQ(receipt.left_in_outbox, 1u);
  EXPECT_EQ(receipt.confirmed, 0u);
}

TEST_F(Closing, without_graceful_shutdown_nothing_is_waited_for) {
  open([](CacheOptions& options) { options.flags.graceful_shutdown = false; });
  data->put("k", "1");
  CloseReceipt receipt;
  EXPECT_EQ(time_of([&] { receipt = cache->close(5s); }), 0s);
  EXPECT_EQ(receipt.left_in_outbox, 1u);
  EXPECT_TRUE(receipt.files_complete);
  EXPECT_EQ(world.entry_files(), 1u);
}

TEST_F(Closing, disk_that_refuses_files_is_said_and_the_journal_has_them_I1) {
  open();
  ASSERT_TRUE(cache->flush());
  refuse_files();
  data->put("k", "1");
  log->taken();
  const CloseReceipt receipt = cache->close(1s);
  EXPECT_FALSE(receipt.files_complete);
  EXPECT_THAT(log->taken(), HasSubstr("the index was not written, the next open rebuilds it: "));
  world.disk.set_fault({});
  world.store_down();
  open();
  EXPECT_EQ(*data->get("k"), "1");
}

TEST_F(Closing, index_that_was_written_is_not_complained_of) {
  open();
  data->put("k", "1");
  cache->close();
  EXPECT_THAT(log->taken(), Not(HasSubstr("the index was not written")));
}

TEST_F(Closing, closed_cache_refreshes_nothing) {
  open();
  int calls = 0;
  cache->dataset("s", {.refresh_every = 1h, .refresh = [&](RefreshContext&) {
                         ++calls;
                         return std::string("1");
                       }});
  ASSERT_TRUE(cache->warm_up());
  ASSERT_EQ(calls, 1);
  cache->close();
  world.executor->run_for(5h);
  EXPECT_EQ(calls, 1);
}

TEST_F(Closing, calls_of_a_closed_cache_say_so) {
  open();
  cache->close();
  EXPECT_THROW((void)cache->flush(), Closed);
  EXPECT_THROW((void)cache->warm_up(), Closed);
  EXPECT_THROW((void)cache->accept_store(), Closed);
  EXPECT_THROW((void)cache->dataset("other", {.keyed = true}), Closed);
}

// --- Flushing ---

TEST_F(Closing, flush_waits_for_the_files_until_its_deadline_I7_I13) {
  open();
  refuse_files();
  data->put("k", "1");
  bool flushed = true;
  EXPECT_EQ(time_of([&] { flushed = cache->flush(3s); }), 3s);
  EXPECT_FALSE(flushed);
  world.disk.set_fault({});
  EXPECT_TRUE(cache->flush());
  EXPECT_EQ(world.entry_files(), 1u);
}

TEST_F(Closing, flush_waits_for_the_store_until_its_deadline_I7_I13) {
  open();
  world.store_down();
  data->put("k", "1");
  bool flushed = true;
  EXPECT_EQ(time_of([&] { flushed = cache->flush(3s); }), 3s);
  EXPECT_FALSE(flushed);
}

TEST_F(Closing, flush_without_a_store_is_done_with_the_files) {
  open([](CacheOptions& options) { options.store = nullptr; });
  data->put("k", "1");
  EXPECT_TRUE(cache->flush());
  EXPECT_EQ(world.entry_files(), 1u);
  EXPECT_FALSE(cache->accept_store());
}

TEST_F(Closing, flush_whose_sync_fails_says_so_I13) {
  open();
  data->put("k", "1");
  world.disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "sync_all" ? EIO : 0;
  });
  EXPECT_FALSE(cache->flush());
  world.disk.set_fault({});
  EXPECT_TRUE(cache->flush());
}

// --- Files that the disk refuses ---

TEST_F(Closing, disk_that_refuses_files_is_tried_at_growing_pauses_and_at_once_when_it_works) {
  open();
  ASSERT_TRUE(cache->flush());
  std::vector<SteadyTime> tries;
  world.disk.set_fault([&](const std::string& operation, const std::string& path) {
    if (path.find("/journal/") != std::string::npos || !operation.starts_with("write")) return 0;
    if (tries.empty() || tries.back() != world.clock->steady_now()) {
      tries.push_back(world.clock->steady_now());
    }
    return ENOSPC;
  });
  for (int i = 0; i < 60; ++i) {
    data->put("k" + std::to_string(i), "1");
    world.executor->run_for(1s);
  }
  EXPECT_GE(tries.size(), 18u);
  EXPECT_LE(tries.size(), 30u) << "further writes bring none forward";
  EXPECT_LE(tries.at(1) - tries.at(0), 200ms);
  EXPECT_GE(cache->stats().files_failed_writes, 60u);
  EXPECT_EQ(cache->stats().files_waiting, 60u);
  world.disk.set_fault({});
  world.executor->run_for(4s);
  EXPECT_EQ(world.entry_files(), 60u);
  EXPECT_EQ(cache->stats().files_waiting, 0u);
  data->put("after", "1");
  world.executor->run_for(50ms);
  EXPECT_EQ(world.entry_files(), 61u);
}

// --- The store's clock ---

// By which this machine's writes are stamped, once it is known.
TEST_F(Closing, stores_clock_counts_where_it_differs_by_more_than_a_call_explains) {
  const auto stamped_ahead_by = [&](std::chrono::milliseconds offset) {
    const auto store_clock = std::make_shared<ManualClock>();
    store_clock->advance(world.clock->wall_now() - store_clock->wall_now() + offset);
    world.wipe();
    open(
        [&](CacheOptions& options) { options.store = std::make_shared<MemoryStore>(store_clock); });
    EXPECT_TRUE(cache->flush());
    EXPECT_FALSE(data->get("absent").has_value()) << "a call into the store";
    data->put("k", "1");
    return std::chrono::duration_cast<std::chrono::milliseconds>(*data->info("k")->last_fetch -
                                                                 world.clock->wall_now());
  };
  EXPECT_EQ(stamped_ahead_by(100ms), 0ms);
  EXPECT_EQ(stamped_ahead_by(101ms), 101ms);
  EXPECT_EQ(stamped_ahead_by(-100ms), 0ms);
  EXPECT_EQ(stamped_ahead_by(-101ms), -101ms);
}

}  // namespace
}  // namespace tiercache::testing
