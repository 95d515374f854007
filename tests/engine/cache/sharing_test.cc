// Starts beside and after other processes, clocks that were set back, files that cannot be read:
// what the kill -9 test and the search over power-loss states found.
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

using Locks = std::vector<std::unique_ptr<FileLock>>;

// The turns of all keys, as another process would hold them.
Locks take_all_turns(World& world) {
  const auto other = world.disk.boot();
  Locks locks;
  for (int i = 0; i < 64; ++i) {
    static constexpr char kDigits[] = "0123456789abcdef";
    const std::string name = {kDigits[i >> 4], kDigits[i & 15]};
    std::unique_ptr<FileLock> lock;
    EXPECT_TRUE(other->try_lock("/cache/locks/" + name, &lock).ok());
    locks.push_back(std::move(lock));
  }
  return locks;
}

void let_go_later(const CacheOptions& options, std::shared_ptr<Locks> locks) {
  options.ports.executor->schedule(options.ports.clock->steady_now() + 100ms, Lane::compute,
                                   [locks] { locks->clear(); });
}

TEST(Sharing, open_waits_for_a_process_that_is_adopting_the_last_life_I1) {
  World world;
  world.store_down();
  auto cache = world.open();
  cache->dataset("d", hydrated_stale()).put("k", "1");
  world.kill(cache);
  auto adopting = std::make_shared<Locks>(1);
  ASSERT_TRUE(world.disk.boot()->try_lock("/cache/journal/adopting", &adopting->front()).ok());
  cache = world.open([&](CacheOptions& options) { let_go_later(options, adopting); });
  EXPECT_EQ(*cache->dataset("d", hydrated_stale()).get("k"), "1");
}

TEST(Sharing, open_waits_for_turns_that_another_process_holds_I1) {
  World world;
  world.store_down();
  auto cache = world.open();
  cache->dataset("d", hydrated_stale()).put("k", "1");
  world.kill(cache);
  auto turns = std::make_shared<Locks>(take_all_turns(world));
  cache = world.open([&](CacheOptions& options) { let_go_later(options, turns); });
  EXPECT_EQ(*cache->dataset("d", hydrated_stale()).get("k"), "1");
}

TEST(Sharing, adopting_ends_only_once_the_files_are_written_I1) {
  World world;
  world.store_down();
  auto cache = world.open();
  cache->dataset("d", hydrated_stale()).put("k", "1");
  world.kill(cache);
  auto turns = std::make_shared<Locks>(take_all_turns(world));
  bool others_may_adopt = true;
  cache = world.open([&](CacheOptions& options) {
    options.ports.executor->schedule(
        options.ports.clock->steady_now() + 100ms, Lane::compute, [&, turns] {
          std::unique_ptr<FileLock> lock;
          others_may_adopt = world.disk.boot()->try_lock("/cache/journal/adopting", &lock).ok();
          turns->clear();
        });
  });
  EXPECT_FALSE(others_may_adopt);
}

TEST(Sharing, what_is_adopted_and_cannot_be_filed_is_served_from_memory_I1) {
  World world;
  world.store_down();
  auto living = world.open();
  auto data = living->dataset("d", hydrated_stale());
  const auto living_executor = std::exchange(world.executor, nullptr);
  auto dying = world.open();
  dying->dataset("d", hydrated_stale()).put("k", "1");
  world.kill(dying);
  const Locks turns = take_all_turns(world);
  living_executor->run_for(10s);
  EXPECT_EQ(*data.get("k"), "1");
  living_executor->shutdown(world.clock->steady_now());
}

TEST(Sharing, matching_erase_hides_what_another_journal_still_holds_I4) {
  World world;
  world.store_down();
  auto dying = world.open();
  dying->dataset("d", hydrated_stale()).put("k", "1");
  world.kill(dying);
  auto adopter = world.open();
  const auto adopters_executor = std::exchange(world.executor, nullptr);
  auto eraser = world.open();
  world.store_up();
  eraser->dataset("d", hydrated_stale()).erase_matching("*");
  ASSERT_TRUE(eraser->flush());
  eraser->close();
  eraser.reset();
  world.store_down();
  world.disk.power_loss(1);
  adopters_executor->shutdown(world.clock->steady_now());
  adopter.reset();
  auto cache = world.open();
  EXPECT_FALSE(cache->dataset("d", hydrated_stale()).get("k").has_value());
}

TEST(Sharing, write_after_a_matching_erase_is_newer_with_the_clock_set_back_I3) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated_stale());
  data.put("k", "1");
  const PutReceipt erased = data.erase_matching("*");
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.clock->set_wall(world.clock->wall_now() - 5min);
  cache = world.open();
  data = cache->dataset("d", hydrated_stale());
  EXPECT_GT(data.put("k", "2").version, erased.version);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*data.get("k"), "2");
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "2");
}

// The store would refuse what such a refresh brought, after readers had been served it.
TEST(Sharing, refresh_does_not_come_after_a_matching_erase_that_waits_for_turns_I5) {
  World world;
  auto cache = world.open();
  Locks turns;
  DatasetOptions<JsonText> options = hydrated_stale();
  options.refresh = [&](RefreshContext&) {
    turns = take_all_turns(world);
    cache->dataset("d").erase_matching("*");
    return "2";
  };
  auto data = cache->dataset("d", options);
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  EXPECT_FALSE(data.refresh("k").has_value());
  turns.clear();
  ASSERT_TRUE(cache->flush());
  EXPECT_FALSE(data.get("k", {.reach = Reach::local}).has_value());
  EXPECT_EQ(world.store->row("test", {"d", "k"})->kind, EntryKind::tombstone);
}

// Its save does something more before it answers.
class InterruptedStore final : public Store {
 public:
  explicit InterruptedStore(std::shared_ptr<Store> store) : store_(std::move(store)) {}
  void before_answer(std::function<void()> act) { act_ = std::move(act); }

  std::string describe() const override { return store_->describe(); }
  StoreLimits limits() const override { return store_->limits(); }
  LoadReply load(const std::string& project, std::span<const EntryId> ids,
                 SteadyTime deadline) override {
    return store_->load(project, ids, deadline);
  }
  SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                 SteadyTime deadline) override {
    SaveReply reply = store_->save(project, writes, deadline);
    if (const auto act = std::exchange(act_, nullptr)) act();
    return reply;
  }
  ScanReply scan(const std::string& project, const std::string& dataset, const std::string& cursor,
                 std::size_t limit, SteadyTime deadline) override {
    return store_->scan(project, dataset, cursor, limit, deadline);
  }
  EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                    SteadyTime deadline) override {
    return store_->erase_matching(project, erase, deadline);
  }

 private:
  const std::shared_ptr<Store> store_;
  std::function<void()> act_;
};

TEST(Sharing, winner_that_the_store_told_of_does_not_come_after_an_erase_I4) {
  World world;
  const auto store = std::make_shared<InterruptedStore>(world.store);
  world.store_down();
  auto cache = world.open([&](CacheOptions& options) { options.store = store; });
  auto data = cache->dataset("d", hydrated_stale());
  Version theirs = data.put("k", "1").version;
  ++theirs.time;
  world.store_up();
  Entry entry;
  entry.document = std::make_shared<const std::string>("2");
  entry.checksum = Checksum::of("2");
  entry.version = theirs;
  const StoreWrite write{
      .kind = StoreWrite::Kind::content, .id = {"d", "k"}, .entry = entry, .not_newer_than = {}};
  world.store->save("test", {&write, 1}, kNever);
  world.clock->advance(1s);
  bool erased = false;
  store->before_answer([&] {
    EXPECT_GT(data.erase_matching("*").version, theirs);
    erased = true;
  });
  cache->flush();
  ASSERT_TRUE(erased);
  EXPECT_FALSE(data.get("k", {.reach = Reach::memory}).has_value());
  EXPECT_FALSE(data.get("k", {.reach = Reach::local}).has_value());
}

TEST(Sharing, invalidation_does_not_undo_an_erase_that_comes_while_it_reads_the_file_I4) {
  World world;
  auto cache = world.open([](CacheOptions& options) { options.memory.max_bytes = 0; });
  bool erase = false;
  DatasetOptions<JsonText> options = hydrated_stale();
  options.validate = [&](const std::string&) {
    if (std::exchange(erase, false)) cache->dataset("d").erase_matching("*");
    return true;
  };
  auto data = cache->dataset("d", options);
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  ASSERT_FALSE(data.peek("k").has_value());
  erase = true;
  data.invalidate("k");
  ASSERT_FALSE(erase);
  EXPECT_FALSE(data.get("k", {.reach = Reach::local}).has_value());
}

// Two caches on one directory, each with an executor that runs when the test says so.
class TwoCaches {
 public:
  explicit TwoCaches(World& world)
      : world_(world), first(world.open()), first_executor_(take_executor()), second(world.open()) {
    second_executor_ = world.executor;
  }
  ~TwoCaches() {
    first_executor_->shutdown(world_.clock->steady_now());
    second_executor_->shutdown(world_.clock->steady_now());
  }
  TwoCaches(const TwoCaches&) = delete;
  TwoCaches& operator=(const TwoCaches&) = delete;

  void run_second(std::chrono::nanoseconds span) { second_executor_->run_for(span); }

 private:
  std::shared_ptr<SeededExecutor> take_executor() {
    return std::exchange(world_.executor, nullptr);
  }
  World& world_;

 public:
  std::unique_ptr<Cache> first;

 private:
  std::shared_ptr<SeededExecutor> first_executor_;

 public:
  std::unique_ptr<Cache> second;

 private:
  std::shared_ptr<SeededExecutor> second_executor_;
};

TEST(Sharing, refresh_that_the_store_refuses_does_not_bring_back_what_another_erased_I4) {
  World world;
  TwoCaches both(world);
  auto theirs = both.second->dataset("d", hydrated_stale());
  DatasetOptions<JsonText> options = hydrated_stale();
  options.refresh = [&](RefreshContext&) {
    world.clock->advance(1s);
    theirs.put("k", "2");
    EXPECT_TRUE(both.second->flush());
    world.store_down();
    theirs.erase("k");
    both.run_second(1s);
    world.clock->advance(1s);
    return "3";
  };
  auto ours = both.first->dataset("d", options);
  ours.put("k", "1");
  ASSERT_TRUE(both.first->flush());
  ours.refresh("k");
  world.store_up();
  ASSERT_TRUE(both.first->flush());
  EXPECT_FALSE(ours.get("k", {.reach = Reach::local}).has_value());
}

TEST(Sharing, erase_that_gave_way_to_a_refresh_stands_once_that_is_refused_I4) {
  World world;
  TwoCaches both(world);
  auto theirs = both.second->dataset("d", hydrated_stale());
  DatasetOptions<JsonText> options = hydrated_stale();
  options.refresh = [&](RefreshContext&) {
    const Locks turns = take_all_turns(world);
    world.clock->advance(1s);
    theirs.put("k", "2");
    both.run_second(1s);
    EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "2");
    world.store_down();
    theirs.erase("k");
    world.clock->advance(1s);
    return "3";
  };
  auto ours = both.first->dataset("d", options);
  ours.put("k", "1");
  ASSERT_TRUE(both.first->flush());
  ours.refresh("k");
  both.first->flush();
  both.run_second(1s);
  world.store_up();
  ASSERT_TRUE(both.first->flush());
  ASSERT_TRUE(both.second->flush());
  world.clock->advance(1h);
  EXPECT_EQ(world.store->row("test", {"d", "k"})->kind, EntryKind::tombstone);
  EXPECT_FALSE(ours.get("k", {.reach = Reach::local}).has_value());
  EXPECT_FALSE(theirs.get("k", {.reach = Reach::local}).has_value());
}

// The other one cannot know of the erase, and takes the row into a file of both.
TEST(Sharing, row_that_another_process_took_meanwhile_does_not_outlast_a_matching_erase_I4) {
  World world;
  TwoCaches both(world);
  auto ours = both.first->dataset("d", hydrated_stale());
  auto theirs = both.second->dataset("d", hydrated_stale());
  world.write_elsewhere("k", "1");
  world.clock->advance(1s);
  world.store->set_fault([](const std::string& operation) {
    return operation == "erase_matching" ? StoreFault::unavailable : StoreFault::none;
  });
  ours.erase_matching("*");
  EXPECT_EQ(*theirs.get("k"), "1");
  both.run_second(100ms);
  world.store_up();
  ASSERT_TRUE(both.first->flush());
  EXPECT_FALSE(ours.get("k", {.reach = Reach::local}).has_value());
  EXPECT_FALSE(theirs.get("k", {.reach = Reach::local}).has_value());
}

TEST(Sharing, store_serves_nothing_older_than_a_file_that_cannot_be_read_I3_I4) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated_stale());
  data.put("erased", "1");
  data.put("replaced", "1");
  ASSERT_TRUE(cache->flush());
  world.store_down();
  data.erase("erased");
  data.put("replaced", "2");
  cache->close(1s);
  cache = world.open();
  data = cache->dataset("d", {.keyed = true, .fresh_for = 24h, .hydrate = Hydrate::none()});
  world.disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "read_file" && path.find("/data/") != std::string::npos ? EIO : 0;
  });
  world.store->set_fault([](const std::string& operation) {
    return operation == "load" ? StoreFault::none : StoreFault::unavailable;
  });
  EXPECT_FALSE(data.get("erased").has_value());
  EXPECT_FALSE(data.get("replaced").has_value());
  world.disk.set_fault({});
  EXPECT_EQ(*data.get("replaced"), "2");
}

TEST(Sharing, entry_of_a_clock_that_was_ahead_is_stale_once_invalidated_I1) {
  World world;
  auto cache = world.open();
  cache->dataset("d", hydrated_stale()).put("k", "1");
  cache->close();
  world.clock->set_wall(world.clock->wall_now() - 30s);
  cache = world.open();
  auto data = cache->dataset("d", hydrated_stale());
  data.invalidate("k");
  EXPECT_EQ(data.get("k", {.reach = Reach::local}).freshness(), Freshness::stale);
}

TEST(Sharing, clock_set_back_does_not_make_refreshes_run_without_pause) {
  World world;
  int asked = 0;
  const auto with_source = [&] {
    DatasetOptions<JsonText> options = hydrated_stale();
    options.refresh_every = 1min;
    options.refresh = [&](RefreshContext&) -> RefreshAnswer<std::string> {
      ++asked;
      return NotModified{};
    };
    return options;
  };
  auto cache = world.open();
  cache->dataset("d", with_source()).put("k", "1");
  cache->close();
  world.clock->set_wall(world.clock->wall_now() - 5min);
  cache = world.open();
  auto data = cache->dataset("d", with_source());
  world.executor->run_for(4min);  // the executor throws where time stands still for ever
  EXPECT_GE(asked, 2);
  EXPECT_LE(asked, 8);
}

// Refreshes of a clock that is set back while the cache is open: as often as before, and of use.
void refreshes_go_on(bool with_store, bool not_modified) {
  World world;
  int asked = 0;
  DatasetOptions<JsonText> options = hydrated_stale();
  options.refresh_every = 1min;
  options.refresh = [&](RefreshContext&) -> RefreshAnswer<std::string> {
    ++asked;
    if (not_modified) return NotModified{};
    return std::string("1");
  };
  auto cache = world.open([&](CacheOptions& o) {
    if (!with_store) o.store = nullptr;
  });
  auto data = cache->dataset("d", options);
  data.put("k", "1");
  world.executor->run_for(3min);
  world.clock->set_wall(world.clock->wall_now() - 1h);
  asked = 0;
  world.executor->run_for(10min);
  EXPECT_GE(asked, 5);
  EXPECT_LE(asked, 16);
  data.refresh("k");
  EXPECT_EQ(data.get("k").freshness(), Freshness::fresh);
  asked = 0;
  for (int i = 0; i < 30; ++i) {
    (void)data.get("k");
    world.executor->run_for(1s);
  }
  EXPECT_LE(asked, 2);
}

TEST(Sharing, clock_set_back_while_open_leaves_refreshes_as_they_were) {
  for (const bool with_store : {false, true}) {
    for (const bool not_modified : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "store " << with_store << " 304 " << not_modified);
      refreshes_go_on(with_store, not_modified);
    }
  }
}

}  // namespace
}  // namespace tiercache::testing
