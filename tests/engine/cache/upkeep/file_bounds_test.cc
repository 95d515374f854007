// How much the entry files may hold, to the entry and to the byte.
#include "cache/upkeep/file_bounds.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class FileBoundsTest : public ::testing::Test {
 protected:
  // `count` documents of ten bytes each.
  void have(int count) {
    const Index before;
    for (int n = 0; n < count; ++n) {
      index.put({"d", std::to_string(n)}, {.kind = EntryKind::document,
                                           .version = version(1),
                                           .checksum = {},
                                           .size = 10,
                                           .clocks = {}});
    }
  }
  Index index;
};

TEST_F(FileBoundsTest, no_bound_is_set_by_default_and_none_is_passed) {
  Ground ground;
  have(100);
  const FileBounds bounds(ground.runtime, index);
  EXPECT_FALSE(bounds.are_set());
  EXPECT_FALSE(bounds.are_exceeded());
  EXPECT_EQ(bounds.excess().documents, 0u);
  EXPECT_EQ(bounds.excess().bytes, 0u);
}

TEST_F(FileBoundsTest, either_bound_alone_counts_and_only_beside_a_store) {
  for (const bool bytes : {true, false}) {
    const auto bounded = [&](CacheOptions& options) {
      (bytes ? options.files.max_bytes : options.files.max_entries) = 1;
    };
    Ground ground(bounded);
    EXPECT_TRUE(FileBounds(ground.runtime, index).are_set());
    Ground without([&](CacheOptions& options) {
      bounded(options);
      options.store = nullptr;
    });
    EXPECT_FALSE(FileBounds(without.runtime, index).are_set()) << "nothing else has what goes";
    Ground off([&](CacheOptions& options) {
      bounded(options);
      options.flags.store_enabled = false;
    });
    EXPECT_FALSE(FileBounds(off.runtime, index).are_set());
  }
}

TEST_F(FileBoundsTest, bound_of_entries_is_passed_by_one_more_and_room_is_a_twentieth_below) {
  Ground ground([](CacheOptions& options) { options.files.max_entries = 40; });
  const FileBounds bounds(ground.runtime, index);
  have(38);
  EXPECT_EQ(bounds.excess().documents, 0u);
  have(39);
  EXPECT_EQ(bounds.excess().documents, 1u);
  have(40);
  EXPECT_FALSE(bounds.are_exceeded());
  have(41);
  EXPECT_TRUE(bounds.are_exceeded());
  EXPECT_EQ(bounds.excess().documents, 3u);
  EXPECT_EQ(bounds.excess().bytes, 0u);
}

TEST_F(FileBoundsTest, bound_of_bytes_is_passed_by_one_more_and_room_is_a_twentieth_below) {
  have(41);
  for (const std::uint64_t bound : {409, 410}) {
    Ground ground([&](CacheOptions& options) { options.files.max_bytes = bound; });
    EXPECT_EQ(FileBounds(ground.runtime, index).are_exceeded(), bound == 409);
  }
  Ground ground([](CacheOptions& options) { options.files.max_bytes = 400; });
  EXPECT_EQ(FileBounds(ground.runtime, index).excess().bytes, 30u);
  EXPECT_EQ(FileBounds(ground.runtime, index).excess().documents, 0u);
}

TEST_F(FileBoundsTest, tombstones_do_not_count) {
  Ground ground([](CacheOptions& options) { options.files.max_entries = 40; });
  have(40);
  index.put({"d", "gone"}, {.kind = EntryKind::tombstone,
                            .version = version(1),
                            .checksum = {},
                            .size = 0,
                            .clocks = {}});
  EXPECT_FALSE(FileBounds(ground.runtime, index).are_exceeded());
}

}  // namespace
}  // namespace tiercache::detail
