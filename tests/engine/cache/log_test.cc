// What an operator reads in the log while something is away: the exact lines, by the clock.
#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "engine/cache/timed_log.h"
#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

class CacheLog : public ::testing::Test {
 protected:
  void open(bool with_store = true) {
    cache_ = world_.open([&](CacheOptions& options) {
      options.logger = TimedLog::logger(log_);
      if (!with_store) options.store = nullptr;
    });
  }
  DatasetOptions<JsonText> scheduled(const std::string& error) {
    return {.refresh_every = 10s,
            .stale_for = 24h,
            .refresh = [this, error](RefreshContext&) -> RefreshAnswer<std::string> {
              if (away_) throw std::runtime_error(error);
              return "1";
            }};
  }
  std::size_t lines_with(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
  }

  // The guide shows these very lines; only what the store says is a nicer one there.
  static bool stands_in_the_guide(std::string lines) {
    const std::string said = "fault asked for by the test";
    for (auto at = lines.find(said); at != std::string::npos; at = lines.find(said)) {
      lines.replace(at, said.size(), "connection refused");
    }
    std::ifstream in(TIERCACHE_SOURCE_DIR "/docs/guide.md");
    const std::string guide{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    return guide.find("```text\n" + lines + "```") != std::string::npos;
  }

  World world_;
  std::shared_ptr<TimedLog> log_ = std::make_shared<TimedLog>(world_.clock);
  std::unique_ptr<Cache> cache_;
  bool away_ = false;
};

TEST_F(CacheLog, outage_of_two_sources_for_ten_minutes_is_told_of_each) {
  open(false);
  auto prices = cache_->dataset("prices", scheduled("HTTP 503"));
  auto quotas = cache_->dataset("quotas", scheduled("connection refused"));
  world_.executor->run_for(20s);
  log_->taken();
  away_ = true;
  world_.executor->run_for(10min);
  away_ = false;
  world_.executor->run_for(10min);
  const std::string text = log_->taken();
  EXPECT_EQ(
      text,
      "  29.7 s warning the source of dataset prices fails: HTTP 503; next try in 384 ms; cached "
      "documents are served until they expire\n"
      "  29.8 s warning the source of dataset quotas fails: connection refused; next try in 809 "
      "ms; cached documents are served until they expire\n"
      " 125.5 s warning the source of dataset prices has failed for 95 s, 9 times: HTTP 503; next "
      "try in 3 min\n"
      " 202.0 s warning the source of dataset quotas has failed for 2 min, 9 times: connection "
      "refused; next try in 2 min\n"
      " 322.0 s warning the source of dataset quotas has failed for 4 min, 10 times: connection "
      "refused; next try in 97 s\n"
      " 356.3 s warning the source of dataset prices has failed for 5 min, 10 times: HTTP 503; "
      "next try in 3 min\n"
      " 696.6 s info the source of dataset quotas works again after 11 min and 12 failures\n"
      " 877.3 s info the source of dataset prices works again after 14 min and 12 failures\n");
  EXPECT_TRUE(stands_in_the_guide(text));
}

TEST_F(CacheLog, outage_of_the_store_for_ten_minutes_is_told_from_beginning_to_end) {
  open();
  auto data = cache_->dataset("d", {.keyed = true});
  world_.executor->run_for(20s);
  log_->taken();
  world_.store_down();
  data.put("k", "1");
  world_.executor->run_for(10min);
  world_.store_up();
  world_.executor->run_for(10min);
  const std::string text = log_->taken();
  EXPECT_EQ(text,
            "  20.0 s warning the store fails: fault asked for by the test; next try in 60 ms; "
            "reads go on from memory and files, writes wait in the journal\n"
            "  80.4 s warning the store has failed for 60 s, 11 times: fault asked for by the "
            "test; next try in 32 s\n"
            " 201.0 s warning the store has failed for 3 min, 15 times: fault asked for by the "
            "test; next try in 2 min\n"
            " 441.0 s warning the store has failed for 7 min, 23 times: fault asked for by the "
            "test; next try in 3 min\n"
            " 621.0 s info the store works again after 10 min and 28 failures\n");
  EXPECT_TRUE(stands_in_the_guide(text));
}

TEST_F(CacheLog, each_dataset_that_is_not_hydrated_is_told_of) {
  world_.store_down();
  open();
  auto one = cache_->dataset("one", {.keyed = true});
  auto two = cache_->dataset("two", {.keyed = true});
  world_.executor->run_for(10ms);
  const std::string text = log_->taken();
  EXPECT_EQ(lines_with(text, "warning the store fails: "), 1u) << text;
  EXPECT_EQ(lines_with(text, "warning dataset one is not hydrated from the store yet: "), 1u)
      << text;
  EXPECT_EQ(lines_with(text, "warning dataset two is not hydrated from the store yet: "), 1u)
      << text;
}

// Keys are in the names of files, and documents in them.
TEST_F(CacheLog, one_datasets_noise_hides_no_other_and_tells_no_keys_I11) {
  open(false);
  const DatasetOptions<JsonText> options{.keyed = true, .hydrate = Hydrate::none()};
  for (int i = 0; i < 20; ++i) {
    cache_->dataset("noisy", options).put("secret" + std::to_string(i), R"("hidden")");
  }
  cache_->dataset("quiet", options).put("secret", R"("hidden")");
  cache_->close();
  for (const std::string& path : world_.disk.files()) {
    std::string bytes;
    if (path.find("/data/") == std::string::npos || !world_.disk.read(path, &bytes)) continue;
    bytes[bytes.size() - 5] ^= 1;
    world_.disk.write(path, bytes);
  }
  log_->taken();
  open(false);
  auto noisy = cache_->dataset("noisy", options);
  auto quiet = cache_->dataset("quiet", options);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(noisy.get("secret" + std::to_string(i)));
  EXPECT_FALSE(quiet.get("secret"));
  const std::string text = log_->taken();
  EXPECT_EQ(lines_with(text, "dataset noisy: an entry file is corrupt"), 1u) << text;
  EXPECT_EQ(lines_with(text, "dataset quiet: an entry file is corrupt"), 1u) << text;
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  EXPECT_EQ(text.find("hidden"), std::string::npos) << text;
}

TEST_F(CacheLog, disk_that_refuses_names_no_key_and_reading_does_not_make_writing_work_I11_I13) {
  open(false);
  auto data = cache_->dataset("d", {.keyed = true, .fresh_for = 24h});
  data.put("old", "1");
  ASSERT_TRUE(cache_->flush());
  log_->taken();
  world_.disk.set_fault([](const std::string& operation, const std::string& path) {
    const bool writes = !operation.starts_with("read") && path.find("/data/") != std::string::npos;
    return writes ? ENOSPC : 0;
  });
  data.put("secret", "1");
  world_.executor->run_for(10s);
  world_.clock->advance(6min);
  EXPECT_EQ(data.get("old").tier(), Tier::files) << "memory.ttl has passed";
  EXPECT_FALSE(cache_->health().files.working);
  const std::string text = log_->taken();
  EXPECT_EQ(lines_with(text, "warning writing entry files fails: "), 1u) << text;
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  EXPECT_EQ(cache_->health().files.why.find("secret"), std::string::npos);
  world_.disk.set_fault({});
  world_.executor->run_for(10s);
  EXPECT_TRUE(cache_->health().files.working);
  EXPECT_EQ(lines_with(log_->taken(), "info writing entry files works again after "), 1u);
}

TEST_F(CacheLog, gap_in_the_change_feed_is_told_once) {
  open();
  cache_->dataset("d", {.keyed = true});
  world_.executor->run_for(5s);
  log_->taken();
  world_.store->lose_change_cursors();
  world_.executor->run_for(5s);
  EXPECT_EQ(lines_with(log_->taken(), "comparing every key"), 1u);
}

}  // namespace
}  // namespace tiercache::testing
