// A cache on a real FUSE file system, where there is `bindfs` and a mount is allowed.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "lib/scratch.h"
#include "tiercache/error.h"
#include "tiercache/file_system.h"
#include "tiercache/tiercache.h"

namespace tiercache::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class RealFuse : public ::testing::Test {
 protected:
  RealFuse() {
    fs::create_directory(root_ / "below");
    fs::create_directory(root_ / "mounted");
    mounted_ = run("bindfs '" + below() + "' '" + mounted() + "'");
  }
  ~RealFuse() override {
    if (mounted_ && !run("fusermount -u -z '" + mounted() + "'"))
      run("umount -l '" + mounted() + "'");
  }
  void SetUp() override {
    if (!mounted_) GTEST_SKIP() << "no bindfs here, or it may not mount";
  }

  static bool run(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
  }
  std::string below() const { return (root_ / "below").string(); }
  std::string mounted() const { return (root_ / "mounted").string(); }
  CacheOptions options() const {
    CacheOptions options;
    options.project = "test";
    options.directory = root_ / "mounted" / "cache";
    options.files.allow_remote = true;
    return options;
  }

  const ScratchDirectory scratch_{"test"};
  const fs::path root_ = scratch_.path();
  bool mounted_ = false;
};

DatasetOptions<JsonText> keyed() {
  return {.keyed = true, .fresh_for = 24h};
}

TEST_F(RealFuse, one_sync_for_all_is_not_taken_for_one) {
  const auto files = posix_file_system();
  EXPECT_EQ(files->sync_all(mounted()).error, ENOTSUP);
  ASSERT_TRUE(files->write_file(mounted() + "/f", "x").ok());
  EXPECT_TRUE(files->sync_file(mounted() + "/f").ok());
  EXPECT_TRUE(files->sync_directory(mounted()).ok());
  EXPECT_TRUE(files->sync_all(below()).ok());
}

TEST_F(RealFuse, cache_there_works_when_it_is_allowed_and_is_refused_otherwise_I1) {
  CacheOptions not_allowed = options();
  not_allowed.files.allow_remote = false;
  EXPECT_THROW(Cache{std::move(not_allowed)}, BadDirectory);
  {
    Cache cache(options());
    auto data = cache.dataset("d", keyed());
    for (int i = 0; i < 100; ++i) data.put(std::to_string(i), std::to_string(i));
    EXPECT_TRUE(cache.flush());
    EXPECT_EQ(cache.stats().journal_live_records, 0u) << "the files count as synced";
    EXPECT_TRUE(cache.health().all_working()) << cache.health().files.why;
  }
  Cache again(options());
  auto data = again.dataset("d", keyed());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(*data.get(std::to_string(i)), std::to_string(i));
}

}  // namespace
}  // namespace tiercache::testing
