// Calls whose answer a handler gets: once, in time, and on the executor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "engine/cache/world.h"
#include "tiercache/error.h"

namespace tiercache::testing {
namespace {

TEST(AsynchronousCalls, put_ends_at_its_deadline_when_the_store_is_away_I7) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  world.store_down();
  std::exception_ptr failure;
  const auto began = world.clock->steady_now();
  data.put_async("k", "1", {.durability = Durability::store, .deadline = 1s},
                 [&](PutReceipt, std::exception_ptr error) { failure = error; });
  ASSERT_TRUE(world.run_until([&] { return failure != nullptr; }, 1min));
  EXPECT_THROW(std::rethrow_exception(failure), DeadlineExceeded);
  EXPECT_EQ(world.clock->steady_now() - began, 1s);
  EXPECT_EQ(*data.get("k"), "1") << "journaled all the same";
}

TEST(AsynchronousCalls, put_ends_at_its_deadline_when_the_disk_hangs_I7) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  data.put("k", "0");
  ASSERT_TRUE(cache->flush());
  world.disk.set_fault([&](const std::string& operation, const std::string&) {
    if (operation == "sync_data") world.executor->sleep_for(1h);
    return 0;
  });
  const auto began = world.clock->steady_now();
  std::exception_ptr failures[2];
  SteadyTime ended[2];
  for (int i = 0; i < 2; ++i) {
    data.put_async(key(i), "1", {.deadline = 1s}, [&, i](PutReceipt, std::exception_ptr error) {
      failures[i] = error;
      ended[i] = world.clock->steady_now();
    });
  }
  ASSERT_TRUE(world.run_until([&] { return failures[0] && failures[1]; }, 30min));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ended[i] - began, 1s);
    try {
      std::rethrow_exception(failures[i]);
    } catch (const NotDurable& error) {
      const std::string text = std::string(error.what()) + error.details();
      EXPECT_THAT(text, ::testing::HasSubstr("the deadline passed"));
    }
  }
}

TEST(AsynchronousCalls, close_answers_puts_that_wait_for_the_store) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  world.store_down();
  std::exception_ptr failure;
  data.put_async("k", "1", {.durability = Durability::store, .deadline = 1h},
                 [&](PutReceipt, std::exception_ptr error) { failure = error; });
  world.executor->run_for(1s);
  EXPECT_EQ(failure, nullptr);
  cache->close(0ms);
  ASSERT_TRUE(world.run_until([&] { return failure != nullptr; }, 1min));
  EXPECT_THROW(std::rethrow_exception(failure), Closed);
}

TEST(AsynchronousCalls, put_that_the_store_refuses_says_so) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  world.store->set_refusal([](const StoreWrite&) { return std::optional<std::string>("no room"); });
  std::exception_ptr failure;
  data.put_async("k", "1", {.durability = Durability::store},
                 [&](PutReceipt, std::exception_ptr error) { failure = error; });
  ASSERT_TRUE(world.run_until([&] { return failure != nullptr; }, 1min));
  EXPECT_THROW(std::rethrow_exception(failure), NotDurable);
}

// Its own lane is where the disk is waited for.
TEST(AsynchronousCalls, read_is_answered_at_its_deadline_though_the_disk_hangs_I7) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed_stale());
  data.put("stale", "1", {.fresh_for = 1s});
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(2s);
  world.disk.set_fault([&](const std::string& operation, const std::string&) {
    if (operation == "read_file") world.executor->sleep_for(1h);
    return 0;
  });
  std::optional<Snapshot<JsonText>> absent, stale;
  SteadyTime answered{};
  const auto began = world.clock->steady_now();
  data.get_async("absent", {.deadline = 1s}, [&](const auto& snapshot) {
    absent = snapshot;
    answered = world.clock->steady_now();
  });
  data.get_async("stale", {.deadline = 1s}, [&](const auto& snapshot) { stale = snapshot; });
  ASSERT_TRUE(world.run_until([&] { return absent && stale; }, 30min));
  EXPECT_LE(answered - began, 1s);
  EXPECT_EQ(absent->passage().files, TierAnswer::timed_out);
  EXPECT_EQ(**stale, "1");
  EXPECT_EQ(stale->tier(), Tier::memory);
}

// Nothing was erased: what the source brought came too late.
TEST(AsynchronousCalls,
     read_whose_refresh_gave_way_to_a_write_under_way_is_not_told_of_an_erase_I13) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset(
      "d", {.keyed = true, .refresh = [&](RefreshContext&) { return std::string("1"); }});
  std::optional<Snapshot<JsonText>> read;
  bool begun = false;
  world.disk.set_fault([&](const std::string& operation, const std::string&) {
    if (operation == "sync_data" && !std::exchange(begun, true)) {
      data.get_async("k", {.deadline = 1min}, [&](const auto& snapshot) { read = snapshot; });
      world.executor->sleep_for(1s);
    }
    return 0;
  });
  data.put_async("k", "2", {}, {});
  ASSERT_TRUE(world.run_until([&] { return read.has_value(); }, 10min));
  ASSERT_FALSE(read->has_value());
  EXPECT_FALSE(read->gone()) << read->passage().to_string();
  EXPECT_THAT(read->passage().source_why, ::testing::HasSubstr("a write under way"));
  world.disk.set_fault({});
}

TEST(AsynchronousCalls, calls_without_a_handler_are_made_and_told_to_nobody) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed());
  data.put_async("k", "1", {}, {});
  world.executor->run_for(1s);
  data.get_async("k", {}, {});
  data.get_async("absent", {}, {});
  world.executor->run_for(1s);
  EXPECT_EQ(*data.get("k"), "1");
}

// It would wait behind the files that are being written.
TEST(AsynchronousCalls, read_of_what_memory_has_does_not_ask_the_disks_lane) {
  int operations = 0;
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.disk.on_operation([&](std::uint64_t, const std::string&) { ++operations; });
  std::optional<Snapshot<JsonText>> answer;
  data.get_async("k", {}, [&](const auto& snapshot) { answer = snapshot; });
  EXPECT_FALSE(answer) << "the handler runs on the executor";
  ASSERT_TRUE(world.executor->step());
  ASSERT_TRUE(answer);
  EXPECT_EQ(**answer, "1");
  EXPECT_EQ(answer->tier(), Tier::memory);
  EXPECT_EQ(operations, 0);
  EXPECT_EQ(cache->stats().datasets.at(0).memory_hits, 1u);
}

// What can be served at once does not wait longer for a store that hangs than for a source.
TEST(AsynchronousCalls, soft_timeout_bounds_the_wait_for_a_store_that_hangs_too_I6) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true,
                                   .fresh_for = 1min,
                                   .stale_for = 1h,
                                   .soft_timeout = 100ms,
                                   .refresh = [&](RefreshContext&) { return std::string("1"); }});
  data.put("k", "0");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(2min);
  world.store->on_call([&](const std::string& operation) {
    if (operation == "load") world.executor->sleep_for(20s);
  });
  SteadyTime answered{};
  const auto began = world.clock->steady_now();
  Freshness freshness = Freshness::fresh;
  data.get_async("k", {.deadline = 10s}, [&](const Snapshot<JsonText>& snapshot) {
    answered = world.clock->steady_now();
    freshness = snapshot.freshness();
    EXPECT_EQ(*snapshot, "0");
  });
  ASSERT_TRUE(world.run_until([&] { return answered != SteadyTime{}; }, 1min));
  EXPECT_EQ(answered - began, 100ms);
  EXPECT_EQ(freshness, Freshness::stale);
}

}  // namespace
}  // namespace tiercache::testing
