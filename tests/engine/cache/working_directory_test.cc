// Processes that change their working directory after they opened a cache, as daemon(3) does.
#include "lib/working_directory.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "lib/scratch.h"
#include "tiercache/error.h"
#include "tiercache/sqlite.h"
#include "tiercache/tiercache.h"

namespace tiercache::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class ChangedWorkingDirectory : public ::testing::Test {
 protected:
  ChangedWorkingDirectory() {
    fs::create_directories(root_ / "app");
    fs::create_directories(root_ / "elsewhere");
  }

  static DatasetOptions<JsonText> keyed() { return {.keyed = true, .fresh_for = 24h}; }
  static CacheOptions in(const fs::path& directory) {
    CacheOptions options;
    options.project = "test";
    options.directory = directory;
    options.files = {.write_behind = 1ms, .sync_every = 10ms};
    return options;
  }
  bool nothing_elsewhere() const { return fs::is_empty(root_ / "elsewhere"); }

  const ScratchDirectory scratch_{"test"};
  const fs::path root_ = scratch_.path();
};

TEST_F(ChangedWorkingDirectory, cache_stays_where_it_was_opened_I1) {
  const WorkingDirectory here(root_ / "app");
  {
    Cache cache(in("data/cache"));
    auto data = cache.dataset("d", keyed());
    data.put("before", "1");
    here.go(root_ / "elsewhere");
    EXPECT_TRUE(data.put("after", "2").journaled);
    EXPECT_TRUE(cache.flush());
    EXPECT_EQ(cache.stats().files_lost, 0u);
    EXPECT_TRUE(cache.close().files_complete);
  }
  EXPECT_TRUE(nothing_elsewhere());
  here.go(root_ / "app");
  Cache again(in("data/cache"));
  auto data = again.dataset("d", keyed());
  EXPECT_EQ(*data.get("before"), "1");
  EXPECT_EQ(*data.get("after"), "2");
}

TEST_F(ChangedWorkingDirectory, store_file_stays_where_it_was_named_I1) {
  const WorkingDirectory here(root_ / "app");
  CacheOptions options = in(root_ / "cache");
  options.store = sqlite::open("store.db");
  here.go(root_ / "elsewhere");  // before the first connection
  {
    Cache cache(std::move(options));
    auto data = cache.dataset("d", keyed());
    EXPECT_TRUE(data.put("k", "1", {.durability = Durability::store}).stored);
  }
  EXPECT_TRUE(nothing_elsewhere());
  EXPECT_TRUE(fs::exists(root_ / "app/store.db"));
}

// The directory above a link's target, not the one in which the link is.
TEST_F(ChangedWorkingDirectory, dots_behind_a_link_lead_where_they_led) {
  fs::create_directories(root_ / "disk/service");
  fs::create_directory_symlink(root_ / "disk/service", root_ / "app/link");
  const WorkingDirectory here(root_ / "app");
  Cache cache(in("link/../cache"));
  EXPECT_TRUE(cache.dataset("d", keyed()).put("k", "1").journaled);
  EXPECT_TRUE(fs::exists(root_ / "disk/cache/tiercache.json"));
  EXPECT_FALSE(fs::exists(root_ / "app/cache"));
}

TEST_F(ChangedWorkingDirectory, relative_directory_without_a_working_directory_is_refused) {
  fs::create_directories(root_ / "gone");
  const WorkingDirectory here(root_ / "gone");
  fs::remove(root_ / "gone");
  try {
    Cache cache(in("cache"));
    ADD_FAILURE() << "was opened";
  } catch (const BadDirectory& error) {
    EXPECT_NE(std::string(error.what()).find("Give an absolute path"), std::string::npos)
        << error.what();
  }
  EXPECT_THROW(sqlite::open("store.db"), BadConfiguration);
}

}  // namespace
}  // namespace tiercache::testing
