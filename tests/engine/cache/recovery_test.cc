// What seeds of tests/simulation and tests/powerloss once found: promises that only a certain order
// of faults broke.
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

// `meanwhile` happens between the start of the fetch and its answer.
DatasetOptions<JsonText> refreshed(RefreshAnswer<std::string> answer,
                                   std::function<void()> meanwhile) {
  return {.keyed = true,
          .fresh_for = 24h,
          .hydrate = Hydrate::none(),
          .refresh = [answer = std::move(answer), meanwhile = std::move(meanwhile)](
                         RefreshContext&) -> RefreshAnswer<std::string> {
            meanwhile();
            return answer;
          }};
}

TEST(Recovery, source_that_knew_nothing_does_not_hide_a_later_put_I5) {
  World world;
  auto cache = world.open([](CacheOptions& options) { options.memory.max_bytes = 24'000; });
  std::optional<Dataset<JsonText>> data;
  data.emplace(cache->dataset("d", refreshed(NotFound{}, [&] {
                                data->put("k", "\"put\"");
                                const std::string filling = '"' + std::string(400, 'x') + '"';
                                for (int i = 0; i < 200; ++i)
                                  data->put("filling:" + std::to_string(i), filling);
                                EXPECT_TRUE(cache->flush());
                                EXPECT_FALSE(data->peek("k").has_value())
                                    << "the test wants it out of memory";
                              })));
  (void)data->get("k");
  const auto snapshot = data->get("k");
  ASSERT_TRUE(snapshot.has_value()) << snapshot.passage().to_string();
  EXPECT_EQ(*snapshot, "\"put\"");
}

TEST(Recovery, source_that_knows_nothing_does_not_keep_a_tombstone_from_its_file_I4) {
  World world;
  auto cache = world.open();
  const auto options = refreshed(NotFound{}, [] {});
  auto data = cache->dataset("d", options);
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "read_at" || operation == "read_file" || operation == "info" ? 0 : EIO;
  });
  ASSERT_FALSE(data.erase("k").journaled);
  EXPECT_FALSE(data.get("k").has_value());
  world.disk.set_fault({});
  cache->close();
  world.store_down();
  cache = world.open();
  data = cache->dataset("d", options);
  EXPECT_FALSE(data.get("k", {.reach = Reach::local}).has_value());
}

// A sync that fails has dropped what it should have written; the next one says nothing of it.
void fail_next_sync_all(World& world) {
  auto left = std::make_shared<int>(1);
  world.disk.set_fault([left](const std::string& operation, const std::string&) {
    return operation == "sync_all" && (*left)-- > 0 ? EIO : 0;
  });
}

constexpr std::uint64_t kSeeds = 40;

std::string after_power_loss(World& world, std::uint64_t seed) {
  World later;
  later.store_down();
  CacheOptions options;
  auto disk = world.disk.after_power_loss(seed);
  auto cache = later.open([&](CacheOptions& given) { given.ports.file_system = disk->boot(); });
  const auto snapshot = cache->dataset("d", keyed()).get("k", {.reach = Reach::local});
  disk->kill();
  later.executor->shutdown(later.clock->steady_now());
  return snapshot.has_value() ? *snapshot : "nothing";
}

TEST(Recovery, entry_whose_sync_failed_before_a_kill_lasts_once_the_store_has_it_I1) {
  World world;
  world.store_down();
  auto cache = world.open();
  cache->dataset("d", keyed()).put("k", "1");
  fail_next_sync_all(world);
  world.executor->run_for(100ms);  // the file is written
  cache->close(0ms);               // and its sync fails
  world.store_up();
  cache = world.open();
  (void)cache->dataset("d", keyed());
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(1min);  // the journal lets go of it
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    EXPECT_EQ(after_power_loss(world, seed), "1") << seed;
  }
}

// Its record may be in the page cache alone: the file it replaces must stay until the new one is
// synced.
TEST(Recovery, record_of_a_failed_write_does_not_cost_the_older_entry_I1) {
  World world;
  auto cache = world.open();
  cache->dataset("d", keyed()).put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(1min);
  world.store_down();
  world.disk.set_fault([](const std::string& operation, const std::string& path) {
    const bool journal = path.find("/journal/") != std::string::npos;
    return journal && (operation == "sync_data" || operation == "open") ? EIO : 0;
  });
  EXPECT_THROW(cache->dataset("d", keyed()).put("k", "2"), NotDurable);
  world.kill(cache);
  world.disk.set_fault({});
  std::vector<std::string> seen;
  world.disk.on_operation([&](std::uint64_t, const std::string&) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) seen.push_back(after_power_loss(world, seed));
  });
  cache = world.open();
  world.disk.on_operation({});
  ASSERT_GT(seen.size(), 40u);
  for (const std::string& text : seen) EXPECT_TRUE(text == "1" || text == "2") << text;
}

TEST(Recovery, invalidation_of_what_only_the_store_has_holds_for_its_row_I1) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", keyed());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.store->set_fault([](const std::string& operation) {
    return operation == "save" ? StoreFault::unavailable : StoreFault::none;
  });
  data.invalidate("k");
  world.kill(cache);
  world.disk.boot()->remove_tree("/cache/data");
  cache = world.open();
  data = cache->dataset("d", {.keyed = true, .fresh_for = 24h, .stale_for = 24h});
  EXPECT_EQ(data.get("k").freshness(), Freshness::stale);
  cache->warm_up(1s);
  EXPECT_EQ(data.get("k").freshness(), Freshness::stale);
}

TEST(Recovery, invalidation_stays_when_the_clock_is_set_back_far_I1) {
  for (const auto by : {30s, 90s, 600s}) {
    World world;
    auto cache = world.open();
    auto data = cache->dataset("d", {.keyed = true, .fresh_for = 24h, .stale_for = 24h});
    data.put("k", "1");
    world.clock->advance(45s);
    data.invalidate("k");
    ASSERT_TRUE(cache->flush());
    cache->close();
    world.clock->set_wall(world.clock->wall_now() - by);
    for (int minutes = 0; minutes < 15; ++minutes) {
      cache = world.open();
      data = cache->dataset("d", {.keyed = true, .fresh_for = 24h, .stale_for = 24h});
      EXPECT_EQ(data.get("k", {.reach = Reach::local}).freshness(), Freshness::stale)
          << by.count() << " s back, " << minutes << " min later";
      cache->close();
      world.clock->advance(1min);
    }
  }
}

TEST(Recovery, invalidation_outlasts_a_later_fetch_time_that_the_store_has_kept_I1) {
  World world;
  const DatasetOptions<JsonText> options{.keyed = true, .fresh_for = 24h, .stale_for = 24h};
  auto cache = world.open();
  cache->dataset("d", options).put("k", "1");
  cache->close();
  world.clock->set_wall(world.clock->wall_now() - 5min);
  cache = world.open();
  auto data = cache->dataset("d", options);
  data.put("k", "2");
  data.invalidate("k");
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.wipe();
  world.clock->advance(6min);
  cache = world.open();
  EXPECT_EQ(cache->dataset("d", options).get("k").freshness(), Freshness::stale);
}

// The index lags behind memory while the disk refuses: schedules go by the newer of them.
TEST(Recovery, schedule_on_a_disk_that_refuses_does_not_run_without_pause) {
  World world;
  int asked = 0;
  DatasetOptions<JsonText> options = keyed();
  options.refresh_every = 1min;
  options.fresh_for = 2min;
  options.refresh = [&](RefreshContext&) -> RefreshAnswer<std::string> {
    return std::to_string(++asked);
  };
  auto cache = world.open();
  auto data = cache->dataset("d", options);
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  world.disk.set_fault([](const std::string& operation, const std::string& path) {
    const bool journal = path.find("/journal/") != std::string::npos;
    return journal || operation.starts_with("read") ? 0 : EIO;
  });
  world.executor->run_for(5min);  // the executor throws where time stands still for ever
  EXPECT_GE(asked, 3);
  EXPECT_LE(asked, 10);
}

// Opens a cache; how many headers of entry files that took, as the log tells.
int headers_read(World& world, std::unique_ptr<Cache>& cache) {
  const auto log = std::make_shared<std::ostringstream>();
  const std::shared_ptr<spdlog::logger> logger(
      new spdlog::logger("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(*log)),
      [log](const spdlog::logger* last) { delete last; });
  cache = world.open([&](CacheOptions& options) { options.logger = logger; });
  const std::string text = log->str();
  const auto end = text.find(" of their headers read");
  if (end == std::string::npos) return -1;
  return std::stoi(text.substr(text.rfind(' ', end - 1) + 1));
}

TEST(Recovery, index_saved_in_the_background_spares_the_reading_of_files_after_a_kill) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", {.keyed = true, .fresh_for = 24h, .hydrate = Hydrate::none()});
  for (int i = 0; i < 100; ++i) data.put("key:" + std::to_string(i), "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(1min);
  world.kill(cache);
  // What was written shortly before the saving is read, as it is where nothing was saved.
  const int first = headers_read(world, cache);
  EXPECT_LE(first, 100);
  world.disk.set_time(world.disk.time() + 10s, 50ms);
  // What had to be read is reason enough to save, though nothing is written.
  world.disk.remove("/cache/index.saved");
  world.kill(cache);
  EXPECT_EQ(headers_read(world, cache), 100);
  world.executor->run_for(1min);
  world.kill(cache);
  EXPECT_LT(headers_read(world, cache), 50) << "only what changed shortly before it was saved";
  data = cache->dataset("d", {.keyed = true, .fresh_for = 24h, .hydrate = Hydrate::none()});
  EXPECT_EQ(data.keys().keys.size(), 100u);
  EXPECT_EQ(*data.get("key:7", {.reach = Reach::local}), "1");
}

// Counts what is to run on the disk lane without a pause before it.
class DiskTasks final : public Executor {
 public:
  explicit DiskTasks(std::shared_ptr<Executor> executor) : executor_(std::move(executor)) {}
  void post(Lane lane, Task task) override {
    if (lane == Lane::disk) ++posted;
    executor_->post(lane, std::move(task));
  }
  TimerId schedule(SteadyTime when, Lane lane, Task task) override {
    return executor_->schedule(when, lane, std::move(task));
  }
  bool cancel(TimerId timer) override { return executor_->cancel(timer); }
  std::shared_ptr<Event> make_event() override { return executor_->make_event(); }
  int shutdown(SteadyTime deadline) override { return executor_->shutdown(deadline); }

  int posted = 0;

 private:
  const std::shared_ptr<Executor> executor_;
};

TEST(Recovery, sync_after_which_no_index_is_due_starts_no_task_for_it) {
  World world;
  std::shared_ptr<DiskTasks> tasks;
  auto cache = world.open([&](CacheOptions& options) {
    options.ports.executor = tasks = std::make_shared<DiskTasks>(world.executor);
  });
  auto data = cache->dataset("d", {.keyed = true, .fresh_for = 24h, .hydrate = Hydrate::none()});
  for (int i = 0; i < 5; ++i) {
    data.put("key", std::to_string(i));
    ASSERT_TRUE(cache->flush());
    world.executor->run_for(1min);
  }
  EXPECT_EQ(tasks->posted, 0);
  for (int i = 0; i < 100; ++i) data.put("key:" + std::to_string(i), "1");
  ASSERT_TRUE(cache->flush());
  world.executor->run_for(1min);
  EXPECT_GT(tasks->posted, 0) << "else this looks at the wrong lane";
}

}  // namespace
}  // namespace tiercache::testing
