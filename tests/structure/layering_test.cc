#include "structure/layering.h"

#include <gtest/gtest.h>

namespace tiercache::structure {
namespace {

const Owners kOwners = {
    {"tiercache/store.h", "public"},
    {"tiercache/testing/manual_clock.h", "testing"},
    {"tiercache/sqlite.h", "adapter:sqlite"},
    {"tiercache/postgres.h", "adapter:postgres"},
    {"adapters/sqlite/src/statement.h", "adapter:sqlite"},
    {"base/mutex.h", "room:base"},
    {"json/document.h", "room:json"},
    {"files/index.h", "room:files"},
    {"memory/memory_tier.h", "room:memory"},
    {"refresh/scheduler.h", "room:refresh"},
    {"cache/core.h", "room:cache"},
};

bool allowed(const std::string& path, const std::string& header) {
  return check_includes({path, {"#include " + header}}, kOwners).empty();
}

TEST(Layering, edges_of_the_design_are_allowed) {
  EXPECT_TRUE(allowed("engine/include/tiercache/cache.h", "\"tiercache/store.h\""));
  EXPECT_TRUE(allowed("engine/include/tiercache/cache.h", "<vector>"));
  EXPECT_TRUE(allowed("engine/include/tiercache/json.h", "<nlohmann/json.hpp>"));
  EXPECT_TRUE(allowed("engine/include/tiercache/options.h", "<spdlog/fwd.h>"));
  EXPECT_TRUE(allowed("engine/src/files/index.cc", "\"json/document.h\""));
  EXPECT_TRUE(allowed("engine/src/files/index.cc", "\"files/index.h\""));
  EXPECT_TRUE(allowed("engine/src/refresh/scheduler.cc", "\"base/mutex.h\""));
  EXPECT_TRUE(allowed("engine/src/cache/core.cc", "\"refresh/scheduler.h\""));
  EXPECT_TRUE(allowed("engine/src/system/posix.cc", "<sys/stat.h>"));
  EXPECT_TRUE(
      allowed("engine/testing/src/manual_clock.cc", "\"tiercache/testing/manual_clock.h\""));
  EXPECT_TRUE(allowed("adapters/sqlite/src/store.cc", "<sqlite3.h>"));
  EXPECT_TRUE(allowed("adapters/sqlite/src/store.cc", "\"statement.h\""));
  EXPECT_TRUE(allowed("adapters/sqlite/src/store.cc", "\"tiercache/sqlite.h\""));
}

TEST(Layering, every_other_edge_is_refused) {
  EXPECT_FALSE(allowed("engine/include/tiercache/cache.h", "\"base/mutex.h\""));
  EXPECT_FALSE(allowed("engine/include/tiercache/cache.h", "<nlohmann/json.hpp>"));
  EXPECT_FALSE(allowed("engine/include/tiercache/cache.h", "<spdlog/fwd.h>"));
  EXPECT_FALSE(allowed("engine/include/tiercache/options.h", "<spdlog/spdlog.h>"));
  EXPECT_FALSE(allowed("engine/include/tiercache/await.h", "<boost/asio/post.hpp>"));
  EXPECT_FALSE(allowed("engine/include/tiercache/cache.h", "\"tiercache/testing/manual_clock.h\""));
  EXPECT_FALSE(allowed("engine/src/base/log.cc", "\"json/document.h\""));
  EXPECT_FALSE(allowed("engine/src/memory/tier.cc", "\"json/document.h\""));
  EXPECT_FALSE(allowed("engine/src/refresh/scheduler.cc", "\"files/index.h\""));
  EXPECT_FALSE(allowed("engine/src/files/index.cc", "\"cache/core.h\""));
  EXPECT_FALSE(allowed("engine/src/files/index.cc", "\"memory/memory_tier.h\""));
  EXPECT_FALSE(allowed("engine/src/files/index.cc", "<unistd.h>"));
  EXPECT_FALSE(allowed("engine/src/cache/core.cc", "\"tiercache/sqlite.h\""));
  EXPECT_FALSE(allowed("engine/src/newroom/new.cc", "\"base/mutex.h\""));
  EXPECT_FALSE(allowed("engine/testing/src/manual_clock.cc", "\"base/mutex.h\""));
  EXPECT_FALSE(allowed("adapters/sqlite/src/store.cc", "\"base/mutex.h\""));
  EXPECT_FALSE(allowed("adapters/sqlite/src/store.cc", "\"tiercache/postgres.h\""));
}

TEST(Layering, includes_of_the_tree_follow_the_design) {
  const Owners owners = read_owners();
  std::vector<Finding> findings;
  std::size_t files = 0;
  for (const char* directory : {"engine", "adapters"}) {
    for (const SourceFile& file : read_files(directory, {".h", ".cc"})) {
      if (part_of(file.path).empty()) {
        findings.push_back({file.path, 0, "is in no part of the tree that has rules"});
      }
      const auto some = check_includes(file, owners);
      findings.insert(findings.end(), some.begin(), some.end());
      ++files;
    }
  }
  EXPECT_GT(files, 50u);
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

}  // namespace
}  // namespace tiercache::structure
