// The guide's «From SQLite to Postgres»: machines that had a SQLite file each move to one Postgres.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "adapters/postgres/server.h"
#include "tiercache/sqlite.h"
#include "tiercache/tiercache.h"

namespace tiercache::postgres {
namespace {

class PostgresMoving : public ::testing::Test {
 protected:
  // B has put documents, of which A has then replaced one and erased the others.
  PostgresMoving() {
    std::string name = (std::filesystem::temp_directory_path() / "tiercache-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    for (const std::string machine : {"b", "a"}) {
      std::filesystem::create_directories(root_ / machine);
      const auto cache = open_on(machine, sqlite::open((root_ / machine / "store.db").string()));
      auto data = cache->dataset("d", {.keyed = true, .hydrate = Hydrate::all()});
      for (const char* key : {"k", "l", "user:1"}) data.put(key, '"' + machine + '"');
      if (machine == "a") {
        data.erase("k");
        data.erase_matching("user:*");
      }
      EXPECT_TRUE(cache->warm_up() && cache->flush());
    }
  }
  ~PostgresMoving() override { std::filesystem::remove_all(root_); }

  std::unique_ptr<Cache> open_on(const std::string& machine, std::shared_ptr<Store> store) const {
    CacheOptions options;
    options.project = "p";
    options.directory = root_ / machine / "cache";
    options.store = std::move(store);
    return std::make_unique<Cache>(std::move(options));
  }
  std::unique_ptr<Cache> open_moved(const std::string& machine) const {
    return open_on(machine, open({.url = database_.url(), .apply_migrations = true}));
  }
  void move(const std::string& machine) const {
    const auto cache = open_moved(machine);
    auto data = cache->dataset("d", {.keyed = true});
    const ScrubReport report = cache->scrub({.repair = true});
    EXPECT_TRUE(report.complete) << report.to_string();
    EXPECT_EQ(report.failed, 0u) << report.to_string();
    EXPECT_TRUE(cache->flush());
    EXPECT_FALSE(cache->health().store_replaced_since);
    const ScrubReport again = cache->scrub({.repair = true});
    EXPECT_EQ(again.differences(), 0u) << again.to_string();
  }
  // The change feed may have yet to tell: what it has missed a scrub would find.
  void expect_moved(const std::string& machine) const {
    const auto cache = open_moved(machine);
    auto data = cache->dataset("d", {.keyed = true});
    const auto is_so = [&] {
      return !data.get("k") && !data.get("user:1") && *data.get("l") == "\"a\"";
    };
    for (const SteadyTime deadline = patience();
         !is_so() && system_clock()->steady_now() < deadline;) {
    }
    EXPECT_TRUE(is_so()) << machine;
    EXPECT_EQ(cache->health().parked, 0u);
  }
  void expect_moved() const {
    for (const char* machine : {"a", "b", "never had a store"}) {
      std::filesystem::create_directories(root_ / machine);
      expect_moved(machine);
    }
  }

  ScratchDatabase database_;
  std::filesystem::path root_;
};

TEST_F(PostgresMoving, machine_that_erased_comes_first_I4) {
  move("a");
  move("b");
  expect_moved();
}

TEST_F(PostgresMoving, machine_that_has_the_documents_comes_first_I4) {
  move("b");
  move("a");
  expect_moved();
}

}  // namespace
}  // namespace tiercache::postgres
