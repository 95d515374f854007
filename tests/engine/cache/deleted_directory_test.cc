// The directory is deleted under an open cache: it serves on, says the truth, and recovers by
// itself.
#include "engine/cache/deleted_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "tiercache/error.h"

namespace tiercache::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(DeletedDirectory, cache_makes_it_anew_and_its_writes_are_durable_again_I1) {
  open();
  data_->put("before", "1");
  ASSERT_TRUE(cache_->flush());
  world_.wipe();
  recover();
  EXPECT_TRUE(data_->put("after", "2").journaled);
  EXPECT_TRUE(cache_->flush());
  EXPECT_EQ(world_.entry_files(), 2u);
  world_.store_down();
  reopen();
  EXPECT_EQ(local("before"), "1");
  EXPECT_EQ(local("after"), "2");
}

// The journal's file can be written and synced after it was deleted, and is nowhere.
TEST_F(DeletedDirectory, put_says_the_truth_until_then_I1) {
  open();
  data_->put("k", "1");
  world_.wipe();
  const PutReceipt receipt = data_->put("k", "2");
  EXPECT_FALSE(receipt.journaled);
  EXPECT_TRUE(receipt.stored);
  EXPECT_EQ(local("k"), "2");
  recover();
  EXPECT_TRUE(data_->put("k", "3").journaled);
  reopen(kWithoutStore);
  EXPECT_EQ(local("k"), "3");
  world_.wipe();
  EXPECT_THROW(data_->put("k", "4"), NotDurable);
  EXPECT_EQ(local("k"), "3");
  recover();
  EXPECT_TRUE(data_->put("k", "5").journaled);
}

TEST_F(DeletedDirectory, what_the_store_had_not_confirmed_still_reaches_it_I1) {
  open();
  world_.store_down();
  data_->put("filed", "1");
  data_->erase("erased");
  world_.executor->run_for(5s);
  data_->put("pending", "2");
  world_.wipe();
  recover();
  EXPECT_EQ(cache_->stats().journal_lost, 0u);
  EXPECT_EQ(cache_->stats().outbox_depth, 3u);
  reopen();
  EXPECT_EQ(local("filed"), "1");
  EXPECT_EQ(local("pending"), "2");
  world_.store_up();
  ASSERT_TRUE(cache_->flush());
  EXPECT_EQ(in_store("filed"), "1");
  EXPECT_EQ(in_store("pending"), "2");
  EXPECT_EQ(in_store("erased"), "tombstone");
}

TEST_F(DeletedDirectory, what_memory_no_longer_held_is_counted_and_the_rest_is_saved_I1) {
  constexpr int kKeys = 300;
  open(kLittleMemory);
  world_.store_down();
  for (int i = 0; i < kKeys; ++i) {
    data_->put(key(i), large(i));
    if (i % 20 == 0) world_.executor->run_for(1s);
  }
  world_.executor->run_for(5s);
  ASSERT_EQ(cache_->stats().outbox_depth, static_cast<std::uint64_t>(kKeys));
  world_.wipe();
  recover();
  const std::uint64_t lost = cache_->stats().journal_lost;
  EXPECT_GT(lost, 0u) << "the test wants some out of memory";
  EXPECT_LT(lost, kKeys - 20u) << "the segment written last can still be read";
  EXPECT_EQ(cache_->stats().outbox_depth, kKeys - lost);
  reopen(kLittleMemory);
  std::uint64_t here = 0;
  for (int i = 0; i < kKeys; ++i) here += local(key(i)) == large(i) ? 1 : 0;
  EXPECT_EQ(here, kKeys - lost);
  world_.store_up();
  ASSERT_TRUE(cache_->flush());
  std::uint64_t stored = 0;
  for (int i = 0; i < kKeys; ++i) stored += in_store(key(i)) == large(i) ? 1 : 0;
  EXPECT_EQ(stored, kKeys - lost);
}

TEST_F(DeletedDirectory, what_memory_evicted_is_read_again_from_the_segment_that_was_open_I1) {
  constexpr int kKeys = 100;
  const auto little = [](CacheOptions& options) { options.memory.max_bytes = 8'000; };
  open(little);
  world_.store_down();
  for (int i = 0; i < kKeys; ++i) {
    data_->put(key(i), large(i));
    world_.executor->run_for(1s);
  }
  ASSERT_LT(cache_->stats().memory_entries, kKeys / 2u);
  world_.wipe();
  recover();
  EXPECT_EQ(cache_->stats().journal_lost, 0u);
  EXPECT_EQ(cache_->stats().journal_live_records, 100u);
  for (int i = 0; i < kKeys; ++i) EXPECT_EQ(local(key(i)), large(i)) << i;
  EXPECT_EQ(world_.entry_files(), static_cast<std::size_t>(kKeys));
}

TEST_F(DeletedDirectory, without_a_store_memory_fills_the_files_again_I1) {
  open(kWithoutStore);
  for (int i = 0; i < 20; ++i) data_->put(key(i), large(i));
  ASSERT_TRUE(cache_->flush());
  world_.executor->run_for(10s);
  world_.wipe();
  recover();
  EXPECT_EQ(cache_->stats().files_lost, 0u);
  reopen(kWithoutStore);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(local(key(i)), large(i));
}

TEST_F(DeletedDirectory, without_a_store_memory_fills_the_folder_of_files_again_I1) {
  open(kWithoutStore);
  for (int i = 0; i < 20; ++i) data_->put(key(i), large(i));
  ASSERT_TRUE(cache_->flush());
  world_.executor->run_for(10s);
  other_process()->remove_tree("/cache/data");
  EXPECT_EQ(local(key(3)), large(3));
  data_->put("later", "1");
  recover();
  EXPECT_EQ(cache_->stats().files_lost, 0u);
  reopen(kWithoutStore);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(local(key(i)), large(i));
  EXPECT_EQ(local("later"), "1");
}

TEST_F(DeletedDirectory, without_a_store_files_that_only_their_folder_had_are_counted_I13) {
  const auto little = [](CacheOptions& options) {
    kLittleMemory(options);
    kWithoutStore(options);
  };
  open(little);
  for (int i = 0; i < 200; ++i) data_->put(key(i), large(i));
  ASSERT_TRUE(cache_->flush());
  world_.executor->run_for(10s);
  other_process()->remove_tree("/cache/data");
  data_->put("later", "1");
  recover();
  const std::uint64_t lost = cache_->stats().files_lost;
  EXPECT_GT(lost, 0u);
  reopen(little);
  std::uint64_t here = 0;
  for (int i = 0; i < 200; ++i) here += local(key(i)) == large(i) ? 1 : 0;
  EXPECT_EQ(here + lost, 200u);
}

TEST_F(DeletedDirectory, without_a_store_what_only_the_files_had_is_counted) {
  const auto little = [](CacheOptions& options) {
    kLittleMemory(options);
    kWithoutStore(options);
  };
  open([&](CacheOptions& options) {
    little(options);
    options.logger = TimedLog::logger(log_);
  });
  data_->put("none", "1");
  data_->erase("none");  // its tombstone is no loss
  for (int i = 0; i < 200; ++i) data_->put(key(i), large(i));
  ASSERT_TRUE(cache_->flush());
  world_.executor->run_for(10s);
  world_.wipe();
  recover();
  const std::uint64_t lost = cache_->stats().files_lost;
  EXPECT_THAT(log_->taken(),
              HasSubstr("error the directory was deleted, and with it " + std::to_string(lost) +
                        " documents that only its files had\n"));
  world_.wipe();
  recover();
  EXPECT_EQ(cache_->stats().files_lost, lost) << "what was lost is lost once";
  EXPECT_THAT(log_->taken(), Not(HasSubstr("that only its files had")));
  reopen(little);
  std::uint64_t here = 0;
  for (int i = 0; i < 200; ++i) here += local(key(i)) == large(i) ? 1 : 0;
  EXPECT_LT(here, 200u);
  EXPECT_EQ(here + lost, 200u);
}

// The store tells anew what it has, of datasets that take it from there.
TEST_F(DeletedDirectory, what_only_its_files_had_is_taken_from_the_store_again) {
  open([](CacheOptions& options) { options.memory.max_bytes = 24'000; });
  auto options = keyed();
  options.hydrate = Hydrate::all();
  auto all = cache_->dataset("all", options);
  for (int i = 0; i < 100; ++i) all.put(key(i), large(i));
  ASSERT_TRUE(cache_->flush());
  world_.executor->run_for(10s);
  world_.wipe();
  recover();
  world_.store_down();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(*all.get(key(i), {.reach = Reach::local}), large(i)) << i;
  }
  EXPECT_EQ(cache_->stats().files_lost, 0u);
  EXPECT_EQ(world_.entry_files(), 100u);
}

TEST_F(DeletedDirectory, operator_is_told_what_was_lost_and_that_it_is_made_anew) {
  open([&](CacheOptions& options) {
    kLittleMemory(options);
    options.logger = TimedLog::logger(log_);
  });
  data_->put("k", "1");
  ASSERT_TRUE(cache_->flush());
  log_->taken();
  world_.wipe();
  recover();
  std::string told = log_->taken();
  EXPECT_THAT(told, HasSubstr("warning the directory was deleted and is made anew\n"));
  EXPECT_THAT(told, Not(HasSubstr("acknowledged")));
  world_.store_down();
  for (int i = 0; i < 300; ++i) {
    data_->put(key(i), large(i));
    if (i % 20 == 0) world_.executor->run_for(1s);
  }
  world_.executor->run_for(5s);
  world_.wipe();
  recover();
  told = log_->taken();
  EXPECT_THAT(told, HasSubstr("error the directory was deleted, and with it " +
                              std::to_string(cache_->stats().journal_lost) +
                              " acknowledged writes that the store had not confirmed\n"));
  world_.wipe();
  recover();
  EXPECT_THAT(log_->taken(), Not(HasSubstr("acknowledged"))) << "those of this time alone";
}

TEST_F(DeletedDirectory, flush_says_no_until_it_is_made_anew_I13) {
  open();
  data_->put("k", "1");
  ASSERT_TRUE(cache_->flush());
  world_.wipe();
  EXPECT_FALSE(cache_->flush(0ms));
  recover();
  EXPECT_TRUE(cache_->flush());
}

TEST_F(DeletedDirectory, one_that_cannot_be_made_is_tried_again_at_growing_pauses_and_told_of) {
  open();
  data_->put("k", "1");
  ASSERT_TRUE(cache_->flush());
  world_.executor->run_for(10s);
  std::vector<SteadyTime> tries;
  world_.disk.set_fault([&](const std::string& operation, const std::string& path) {
    if (operation != "make_directories" || path != "/cache") return 0;
    if (tries.empty() || tries.back() != world_.clock->steady_now()) {
      tries.push_back(world_.clock->steady_now());
    }
    return EROFS;
  });
  world_.wipe();
  world_.executor->run_for(1min);
  EXPECT_FALSE(cache_->health().files.working);
  EXPECT_NE(cache_->health().files.why.find("cannot be made anew"), std::string::npos);
  ASSERT_GE(tries.size(), 12u);
  EXPECT_LE(tries.at(3) - tries.at(0), 2s);
  EXPECT_LE(tries.size(), 36u);
  world_.disk.set_fault({});
  world_.executor->run_for(5s);
  EXPECT_TRUE(cache_->health().files.working) << "at the longest pause";
  EXPECT_EQ(cache_->health().files.why, "");
}

TEST_F(DeletedDirectory, parked_writes_and_matching_erases_are_kept) {
  open();
  world_.store->set_refusal([](const StoreWrite& write) -> std::optional<std::string> {
    if (write.id.key == "bad") return "no";
    return std::nullopt;
  });
  data_->put("a:1", "1");
  data_->put("bad", "2");
  ASSERT_TRUE(cache_->flush());
  world_.store_down();
  data_->erase_matching("a:*");
  world_.executor->run_for(5s);
  world_.wipe();
  recover();
  reopen();
  EXPECT_EQ(cache_->health().parked, 1u);
  EXPECT_EQ(local("bad"), "2");
  world_.store_up();
  ASSERT_TRUE(cache_->flush());
  EXPECT_EQ(in_store("a:1"), "tombstone");
  EXPECT_FALSE(data_->get("a:1").has_value());
}

TEST_F(DeletedDirectory, each_part_of_it_alone_is_made_anew) {
  for (const std::string part :
       {"/tiercache.json", "/journal", "/locks", "/tmp", "/data", "/generations"}) {
    SCOPED_TRACE(part);
    open();
    world_.store_down();
    data_->put("k", '"' + part + '"');
    world_.executor->run_for(5s);
    other_process()->remove_tree("/cache" + part);
    recover();
    EXPECT_TRUE(data_->put("later", '"' + part + '"').journaled);
    world_.executor->run_for(5s);
    EXPECT_EQ(cache_->stats().journal_lost, 0u);
    reopen();
    EXPECT_EQ(local("k"), '"' + part + '"');
    EXPECT_EQ(local("later"), '"' + part + '"');
    world_.store_up();
    ASSERT_TRUE(cache_->flush());
    world_.kill(cache_);
  }
}

// That a file is not there says nothing of its key while the directory is not there either.
TEST_F(DeletedDirectory, reads_before_it_is_made_anew_take_nothing_from_memory_I1) {
  const auto expired = [](CacheOptions& options) {
    options.store = nullptr;
    options.memory.ttl = 1ms;
  };
  open(expired);
  data_->put("k", "1");
  world_.executor->run_for(5s);
  world_.wipe();
  world_.executor->run_for(1ms);
  EXPECT_EQ(local("k"), "1");
  EXPECT_EQ(local("k"), "1");
  EXPECT_FALSE(cache_->health().files.working);
  recover();
  EXPECT_EQ(cache_->stats().files_lost, 0u);
  EXPECT_EQ(local("k"), "1");
  EXPECT_EQ(world_.entry_files(), 1u);
}

TEST_F(DeletedDirectory, open_during_which_it_is_deleted_leaves_nothing_that_the_next_refuses) {
  for (int call = 1;; ++call) {
    SCOPED_TRACE(call);
    int calls = 0;
    world_.disk.set_fault([&](const std::string&, const std::string&) {
      if (++calls == call) world_.wipe();
      return 0;
    });
    try {
      open();
    } catch (const BadDirectory&) {
    }
    const bool done = calls < call;
    world_.disk.set_fault({});
    if (cache_) world_.kill(cache_);
    ASSERT_NO_THROW(open());
    world_.kill(cache_);
    world_.wipe();
    if (done) break;
  }
}

TEST_F(DeletedDirectory, closing_cache_saves_what_it_has_I1) {
  open();
  world_.store_down();
  data_->put("k", "1");
  ASSERT_FALSE(cache_->flush(0ms));
  world_.wipe();
  cache_->close();
  cache_.reset();
  open();
  EXPECT_EQ(local("k"), "1");
  world_.store_up();
  ASSERT_TRUE(cache_->flush());
  EXPECT_EQ(in_store("k"), "1");
}

TEST_F(DeletedDirectory, disk_that_refuses_meanwhile_only_delays_it_I1) {
  for (const std::string operation :
       {"make_directories", "try_lock", "open", "write_at", "sync_data", "sync_directory", "rename",
        "sync_all", "list"}) {
    SCOPED_TRACE(operation);
    open(kLittleMemory);
    world_.store_down();
    for (int i = 0; i < 30; ++i) data_->put(key(i), '"' + operation + '"');
    world_.executor->run_for(5s);
    world_.wipe();
    world_.disk.set_fault(
        [&](const std::string& met, const std::string&) { return met == operation ? EIO : 0; });
    world_.executor->run_for(1min);
    world_.disk.set_fault({});
    recover();
    EXPECT_EQ(cache_->stats().journal_lost, 0u);
    reopen(kLittleMemory);
    for (int i = 0; i < 30; ++i) EXPECT_EQ(local(key(i)), '"' + operation + '"');
    world_.store_up();
    ASSERT_TRUE(cache_->flush());
    world_.kill(cache_);
  }
}

}  // namespace
}  // namespace tiercache::testing
