// Children of a process with an open cache: they take nothing of it along, and leave it alone.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/scratch.h"
#include "tiercache/error.h"
#include "tiercache/sqlite.h"
#include "tiercache/tiercache.h"

namespace tiercache::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class ForkedChild : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef TIERCACHE_SANITIZED
    GTEST_SKIP()
        << "a sanitizer's allocator may be locked by another thread when the child is made";
#endif
  }
  CacheOptions options() const {
    CacheOptions options;
    options.project = "test";
    options.directory = root_ / "cache";
    options.store = sqlite::open((root_ / "store.db").string());
    return options;
  }
  static DatasetOptions<JsonText> keyed() {
    return {.keyed = true, .fresh_for = 24h};
  }
  // What `act` returns, or exits with, in a child; -1 where it ends otherwise.
  static int in_child(const std::function<int()>& act) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(act());
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  const ScratchDirectory scratch_{"test"};
  const fs::path root_ = scratch_.path();
};

bool throws_error(const std::function<void()>& call) {
  try {
    call();
  } catch (const Closed&) {
    return false;
  } catch (const Error&) {
    return true;
  }
  return false;
}

TEST_F(ForkedChild, every_call_of_the_parents_cache_is_an_error_there) {
  Cache cache(options());
  auto data = cache.dataset("d", keyed());
  data.put("k", "1");
  const auto calls = std::vector<std::function<void()>>{
      [&] { data.put("k", "2"); },
      [&] { data.get("k"); },
      [&] { data.get("k", {.reach = Reach::memory}); },
      [&] { data.peek("k"); },
      [&] { data.get_or_load("k", [](RefreshContext&) { return std::string("2"); }); },
      [&] { data.erase("k"); },
      [&] { data.get_async("k", {}, [](const auto&) {}); },
      [&] { data.put_async("k", "2", {}, [](PutReceipt, const std::exception_ptr&) {}); },
      [&] { cache.dataset("other", keyed()); },
      [&] { cache.flush(); },
      [&] { cache.stats(); },
      [&] { cache.health(); },
      [&] { cache.close(); },
      [&] { cache.outbox().list(); },
      [&] { cache.scrub(); },
  };
  for (std::size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(in_child([&] { return throws_error(calls[i]) ? 0 : 1; }), 0) << i;
  }
  EXPECT_EQ(*data.get("k"), "1");
  EXPECT_TRUE(data.put("k", "3").journaled);
  EXPECT_TRUE(cache.flush());
  EXPECT_EQ(cache.close().left_in_outbox, 0u);
}

// Of a process whose cache lives as long as it does: a child's exit destroys the child's copy of
// it. 0 when the parent noticed nothing.
int outlive_a_child(Cache& cache, const Dataset<JsonText>& data) {
  // Whoever closes an empty journal deletes its folder.
  for (int tries = 0; cache.stats().journal_live_records > 0; ++tries) {
    if (!cache.flush() || tries == 1'000) return 1;
  }
  const pid_t child = ::fork();
  if (child == 0) std::exit(77);
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return 2;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 77) return 3;
  return data.put("after", "2").journaled ? 0 : 4;
}

// Many children: where a task is under way at the fork, the child's copy of it keeps the cache.
int serve_with_children_that_exit(const CacheOptions& options) {
  static Cache cache(options);
  static auto data = cache.dataset("d", {.keyed = true, .fresh_for = 24h});
  data.put("before", "1");
  for (int i = 0; i < 40; ++i) {
    if (const int fault = outlive_a_child(cache, data)) return fault;
  }
  if (*data.get("before") != "1" || *data.get("after") != "2") return 5;
  if (!cache.flush()) return 6;
  const Stats stats = cache.stats();
  if (stats.files_lost + stats.journal_lost > 0) return 7;
  if (!cache.health().all_working()) return 8;
  return cache.close().left_in_outbox == 0 ? 0 : 9;
}

TEST_F(ForkedChild, exit_of_children_leaves_the_parents_cache_as_it_is_I1) {
  EXPECT_EQ(in_child([&] { return serve_with_children_that_exit(options()); }), 0);
  Cache again(options());
  auto data = again.dataset("d", keyed());
  EXPECT_EQ(*data.get("before"), "1");
  EXPECT_EQ(*data.get("after"), "2");
}

TEST_F(ForkedChild, opens_a_cache_of_its_own_on_the_same_directory) {
  Cache cache(options());
  auto data = cache.dataset("d", keyed());
  data.put("parents", "1");
  ASSERT_TRUE(cache.flush());
  EXPECT_EQ(in_child([&] {
              CacheOptions without_store = options();  // SQLite's file must not be opened twice
              without_store.store = nullptr;
              Cache own(std::move(without_store));
              auto there = own.dataset("d", keyed());
              const auto seen = there.get("parents");
              if (!seen || *seen != "1") return 1;
              return there.put("childs", "2").journaled && own.flush() ? 0 : 2;
            }),
            0);
  EXPECT_EQ(*data.get("childs"), "2");
}

// A service that forked a worker is killed; the worker, which never touches the cache, lives on.
TEST_F(ForkedChild, dead_parents_writes_are_served_and_sent_while_the_child_lives_I1) {
  std::array<int, 2> hold{};
  std::array<int, 2> started{};
  ASSERT_EQ(::pipe(hold.data()), 0);
  ASSERT_EQ(::pipe(started.data()), 0);
  char byte = 'x';
  const pid_t service = ::fork();
  if (service == 0) {
    CacheOptions without_store = options();
    without_store.store = nullptr;
    auto* cache = new Cache(std::move(without_store));
    cache->dataset("d", keyed()).put("k", "[7]");
    if (::fork() == 0) {
      ::close(hold[1]);
      if (::write(started[1], &byte, 1) != 1 || ::read(hold[0], &byte, 1) != 0) ::_exit(1);
      ::_exit(0);
    }
    if (::read(started[0], &byte, 1) != 1) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(service, &status, 0), service);
  ASSERT_TRUE(WIFSIGNALED(status));
  {
    Cache cache(options());
    const auto served = cache.dataset("d", keyed()).get("k", {.reach = Reach::local});
    EXPECT_TRUE(served && *served == "[7]") << served.passage().to_string();
  }
  for (const int end : {hold[0], hold[1], started[0], started[1]}) ::close(end);
}

TEST_F(ForkedChild, programs_that_are_started_inherit_no_descriptor) {
  Cache cache(options());
  cache.dataset("d", keyed()).put("k", "1");
  ASSERT_TRUE(cache.flush());
  int ours = 0;
  for (const auto& item : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const fs::path target = fs::read_symlink(item.path(), gone);
    if (!target.string().starts_with(root_.string())) continue;
    ++ours;
    const int fd = std::atoi(item.path().filename().c_str());
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0) << target;
  }
  EXPECT_GE(ours, 3);
}

}  // namespace
}  // namespace tiercache::testing
