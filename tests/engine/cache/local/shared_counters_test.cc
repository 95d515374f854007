// The memory that all processes on a directory share.
#include "cache/local/shared_counters.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

constexpr char kPath[] = "/cache/generations";

class SharedCountersTest : public ::testing::Test {
 protected:
  // The disk in memory keeps the counters themselves beside its files.
  SharedCountersTest() { ground.disk->write(kPath, ""); }

  Ground ground;
  SharedCounters counters{ground.runtime};
};

TEST_F(SharedCountersTest, processes_on_one_directory_see_each_others_counts_I10) {
  Ground other{Ground::Beside{ground}};
  SharedCounters others(other.runtime);
  EXPECT_FALSE(counters.are_shared()) << "not mapped yet";
  const auto mine = counters.map();
  const auto theirs = others.map();
  ASSERT_TRUE(mine && theirs);
  mine.get()[7] = 42;
  EXPECT_EQ(theirs.get()[7], 42u);
  EXPECT_TRUE(counters.are_shared() && counters.stand());
}

TEST_F(SharedCountersTest, file_that_was_deleted_or_replaced_does_not_stand) {
  ASSERT_TRUE(counters.map());
  ground.disk->remove(kPath);
  EXPECT_FALSE(counters.stand());
  EXPECT_TRUE(counters.are_shared());
  ground.disk->write(kPath, "");
  SharedCounters others(ground.runtime);
  ASSERT_TRUE(others.map());
  EXPECT_FALSE(counters.stand()) << "another one is in its place";
  EXPECT_TRUE(others.stand());
  ASSERT_TRUE(counters.map());
  EXPECT_TRUE(counters.stand());
}

TEST_F(SharedCountersTest, remote_disk_shares_none_and_each_process_is_alone) {
  ground.disk->set_remote(true);
  EXPECT_EQ(counters.map(), nullptr);
  EXPECT_FALSE(counters.are_shared());
  EXPECT_TRUE(counters.stand()) << "there is nothing that could be gone";
}

TEST_F(SharedCountersTest, disk_that_refuses_shares_none_until_it_is_mapped_again) {
  ground.disk->set_read_only(true);
  EXPECT_EQ(counters.map(), nullptr);
  EXPECT_FALSE(counters.are_shared());
  ground.disk->set_read_only(false);
  EXPECT_NE(counters.map(), nullptr);
  EXPECT_TRUE(counters.are_shared());
}

}  // namespace
}  // namespace tiercache::detail
