#include "journal/segments/own_folder.h"

#include <cerrno>
#include <optional>

#include "engine/journal/segments/segments_fixture.h"

namespace tiercache::testing {
namespace {

using OwnFolderTest = JournalSegmentsTest;

TEST_F(OwnFolderTest, a_name_that_was_used_gets_a_number) {
  open();
  OwnFolder another(*files, kDirectory, "life");
  ASSERT_TRUE(another.open().ok());
  EXPECT_EQ(own_folder.get()->path, std::string(kDirectory) + "/life");
  EXPECT_EQ(another.get()->path, std::string(kDirectory) + "/life-1");
}

TEST_F(OwnFolderTest, a_full_disk_leaves_it_away_until_it_comes_back) {
  fail("make_directories", ENOSPC);
  ASSERT_TRUE(own_folder.open().ok());
  EXPECT_FALSE(own_folder.is_there());
  EXPECT_EQ(own_folder.away().error, ENOSPC);
  EXPECT_EQ(own_folder.refusal().error, ENOSPC);
  EXPECT_TRUE(own_folder.get()->deleted);

  EXPECT_TRUE(own_folder.come_back().ok());
  EXPECT_TRUE(own_folder.is_there());
  EXPECT_TRUE(own_folder.refusal().ok());
  EXPECT_FALSE(own_folder.get()->deleted);
}

TEST_F(OwnFolderTest, nothing_is_written_until_a_restoring_is_whole) {
  open();
  ASSERT_TRUE(own_folder.begin_restoring());
  EXPECT_EQ(own_folder.refusal().error, ENOENT);
  own_folder.end_restoring(false);
  EXPECT_TRUE(own_folder.is_restoring());
  own_folder.end_restoring(true);
  EXPECT_TRUE(own_folder.refusal().ok());
}

TEST_F(OwnFolderTest, a_closed_one_has_no_folder_and_takes_no_other) {
  open();
  own_folder.close();
  EXPECT_EQ(own_folder.get(), nullptr);
  EXPECT_FALSE(own_folder.is_there());
  EXPECT_FALSE(own_folder.begin_restoring());
  EXPECT_EQ(own_folder.replace().error, EBADF);
  EXPECT_EQ(own_folder.get(), nullptr);
}

}  // namespace
}  // namespace tiercache::testing
