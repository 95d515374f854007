// Caches on the machine's own clock, threads and disk, with SQLite as the store.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "engine/cache/world.h"
#include "lib/scratch.h"
#include "tiercache/error.h"
#include "tiercache/sqlite.h"

namespace tiercache::testing {
namespace {

namespace fs = std::filesystem;

class RealMachine : public ::testing::Test {
 protected:
  CacheOptions options() const {
    CacheOptions options;
    options.project = "test";
    options.directory = root_ / "cache";
    options.store = sqlite::open((root_ / "store.db").string());
    return options;
  }

  const ScratchDirectory scratch_{"test"};
  const fs::path root_ = scratch_.path();
};

TEST_F(RealMachine, entries_survive_restart_and_a_wiped_directory) {
  {
    Cache cache(options());
    auto data = cache.dataset("d", hydrated());
    for (int i = 0; i < 200; ++i) data.put("k" + std::to_string(i), std::to_string(i));
    EXPECT_EQ(cache.close().left_in_outbox, 0u);
  }
  {
    Cache cache(options());
    EXPECT_EQ(*cache.dataset("d", hydrated()).get("k7"), "7");
  }
  fs::remove_all(root_ / "cache");
  Cache cache(options());
  auto data = cache.dataset("d", hydrated());
  ASSERT_TRUE(cache.warm_up());
  for (int i = 0; i < 200; ++i) EXPECT_EQ(*data.get("k" + std::to_string(i)), std::to_string(i));
}

TEST_F(RealMachine, threads_read_and_write_side_by_side) {
  Cache cache(options());
  auto data = cache.dataset("d", hydrated());
  constexpr int kThreads = 4;
  constexpr int kKeys = 16;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 150; ++i) {
        const std::string key = "k" + std::to_string((i * 7 + t) % kKeys);
        if (i % 3 == 0) {
          data.put(key, "{\"key\":\"" + key + "\",\"n\":" + std::to_string(i) + "}");
        } else if (i % 31 == 0) {
          data.erase(key);
        } else if (const auto snapshot = data.get(key)) {
          wrong += snapshot->find("\"" + key + "\"") == std::string::npos ? 1 : 0;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(cache.flush());
  const Stats stats = cache.stats();
  EXPECT_GE(stats.journal_records_synced, stats.journal_syncs);
}

// Some are not even begun when the cache closes: nobody waits for a handler that never comes.
TEST_F(RealMachine,
       handlers_of_asynchronous_calls_are_called_once_each_when_the_cache_closes_at_once) {
  constexpr int kCalls = 2'000;
  std::vector<std::atomic<int>> called(2 * kCalls);
  std::atomic<int> errors{0};
  {
    Cache cache(options());
    auto data = cache.dataset("d", hydrated());
    for (int i = 0; i < kCalls; ++i) {
      data.put_async("k" + std::to_string(i), "1", {},
                     [&, i](PutReceipt, std::exception_ptr error) {
                       ++called[static_cast<std::size_t>(i)];
                       errors += error ? 1 : 0;
                     });
      data.get_async("k" + std::to_string(i), {}, [&, i](const Snapshot<JsonText>&) {
        ++called[static_cast<std::size_t>(kCalls + i)];
      });
    }
    cache.close(0ms);
  }
  for (std::size_t i = 0; i < called.size(); ++i) EXPECT_EQ(called[i], 1) << i;
}

TEST_F(RealMachine, two_caches_share_one_directory_and_store) {
  Cache first(options());
  Cache second(options());
  auto a = first.dataset("d", hydrated());
  auto b = second.dataset("d", hydrated());
  a.put("k", "1");
  ASSERT_TRUE(first.flush());
  EXPECT_EQ(*b.get("k"), "1");
  b.put("k2", "2");
  ASSERT_TRUE(second.flush());
  EXPECT_EQ(*a.get("k2"), "2");
}

// A program may keep its cache in a static object: at exit the main thread's own values are gone by
// then. What both must find: names are there again, and lead to other files than were open.
TEST_F(RealMachine, deleted_parts_of_the_directory_are_shared_anew_by_two_caches_I10) {
  Cache one(options());
  Cache two(options());
  auto ones = one.dataset("d", hydrated());
  auto twos = two.dataset("d", hydrated());
  const auto holds = [](const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 1min;
    while (!condition() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    return condition();
  };
  int number = 0;
  for (const fs::path part : {"generations", "locks", "journal", "tiercache.json", ""}) {
    SCOPED_TRACE(part);
    const fs::path gone = part.empty() ? root_ / "cache" : root_ / "cache" / part;
    fs::remove_all(gone);
    const std::string text = std::to_string(++number);
    EXPECT_TRUE(holds([&] {
      return ones.put("one", text).journaled && twos.put("two", text).journaled && one.flush() &&
             two.flush() && fs::exists(gone);
    }));
    // Memory is trusted for minutes: only a counter that both count in can tell sooner.
    EXPECT_EQ(*ones.get("two"), text);
    twos.put("two", "0");
    ASSERT_TRUE(two.flush());
    EXPECT_TRUE(holds([&] { return *ones.get("two") == "0"; }));
    const Version version = twos.put("both", text).version;
    EXPECT_NO_THROW(ones.put("both", "0", {.if_version = version}));
    EXPECT_THROW(twos.put("both", "1", {.if_version = version}), VersionConflict);
  }
}

TEST_F(RealMachine, static_cache_closes_at_exit) {
  const auto run = [this] {
    static Cache cache(options());
    auto data = cache.dataset("d", hydrated());
    for (int i = 0; i < 50; ++i) {
      data.put(std::to_string(i), '"' + std::string(9'000, 'x') + '"');
    }
    cache.flush();
    for (int i = 0; i < 50; ++i) data.put(std::to_string(i), "[1,2,3]");  // filed while it closes
    std::exit(0);
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "");
}

TEST_F(RealMachine, forked_child_gets_an_error_and_parent_goes_on) {
#ifdef TIERCACHE_SANITIZED
  GTEST_SKIP() << "a sanitizer's allocator may be locked by another thread when the child is made";
#endif
  Cache cache(options());
  auto data = cache.dataset("d", hydrated());
  data.put("k", "1");
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 1;
    try {
      data.put("k", "2");
    } catch (const Error&) {
      code = 0;
    }
    ::_exit(code);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(*data.get("k"), "1");
  EXPECT_TRUE(cache.flush());
}

TEST_F(RealMachine, files_and_directories_are_private_I11) {
  Cache cache(options());
  cache.dataset("d", hydrated()).put("k", "1");
  ASSERT_TRUE(cache.flush());
  for (const auto& item : fs::recursive_directory_iterator(root_ / "cache")) {
    const auto mode = fs::status(item).permissions() & fs::perms::mask;
    EXPECT_EQ(mode, item.is_directory() ? fs::perms::owner_all
                                        : (fs::perms::owner_read | fs::perms::owner_write))
        << item.path();
  }
}

TEST_F(RealMachine, file_is_plain_json_with_the_document_last) {
  Cache cache(options());
  cache.dataset("d", hydrated()).put("k", R"({"b": 1,  "a": [1.50]})");
  ASSERT_TRUE(cache.flush());
  const std::string command = "jq -c .data '" + (root_ / "cache/data/d").string() + "'/*/k.json";
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char line[100] = {};
  EXPECT_NE(std::fgets(line, sizeof line, pipe), nullptr);
  EXPECT_EQ(::pclose(pipe), 0);
  EXPECT_EQ(std::string(line).substr(0, 5), R"({"b":)");
}

TEST_F(RealMachine, corrupt_store_file_does_not_stop_the_cache) {
  {
    Cache cache(options());
    cache.dataset("d", hydrated()).put("k", "1");
    ASSERT_TRUE(cache.flush());
  }
  for (const char* suffix : {"", "-wal", "-shm"})
    fs::remove(root_ / (std::string("store.db") + suffix));
  fs::create_directory(root_ / "store.db");
  Cache cache(options());
  auto data = cache.dataset("d", hydrated());
  EXPECT_EQ(*data.get("k"), "1");
  data.put("k2", "2");
  EXPECT_EQ(cache.close(200ms).left_in_outbox, 1u);
}

}  // namespace
}  // namespace tiercache::testing
