#include "base/same_file.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "tiercache/testing/memory_file_system.h"

namespace tiercache {
namespace {

class SameFile : public ::testing::Test {
 protected:
  SameFile() { disk_.write("/d/f", "x"); }

  testing::MemoryDisk disk_;
  const std::shared_ptr<FileSystem> fs_ = disk_.boot();
};

TEST_F(SameFile, name_leads_to_its_file_until_another_is_put_in_its_place) {
  const std::uint64_t identity = identity_of(*fs_, "/d/f");
  ASSERT_NE(identity, 0u);
  EXPECT_TRUE(still_leads_to(*fs_, "/d/f", identity));
  disk_.write("/d/g", "y");
  ASSERT_TRUE(fs_->rename("/d/g", "/d/f").ok());
  EXPECT_FALSE(still_leads_to(*fs_, "/d/f", identity));
}

TEST_F(SameFile, name_that_is_gone_leads_to_nothing) {
  const std::uint64_t identity = identity_of(*fs_, "/d/f");
  disk_.remove("/d/f");
  EXPECT_FALSE(still_leads_to(*fs_, "/d/f", identity));
  EXPECT_FALSE(still_leads_to(*fs_, "/d/f", 0));
  EXPECT_EQ(identity_of(*fs_, "/d/f"), 0u);
}

TEST_F(SameFile, disk_that_does_not_answer_says_nothing_of_the_name) {
  const std::uint64_t identity = identity_of(*fs_, "/d/f");
  disk_.set_fault([](const std::string&, const std::string&) { return EIO; });
  EXPECT_TRUE(still_leads_to(*fs_, "/d/f", identity));
  EXPECT_EQ(identity_of(*fs_, "/d/f"), 0u);
}

TEST_F(SameFile, file_whose_identity_was_never_known_is_taken_for_any_that_is_there) {
  EXPECT_TRUE(still_leads_to(*fs_, "/d/f", 0));
}

}  // namespace
}  // namespace tiercache
