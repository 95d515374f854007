#include "base/parent_path.h"

#include <gtest/gtest.h>

namespace tiercache {
namespace {

TEST(ParentPath, path_of_several_names_gives_all_but_the_last) {
  EXPECT_EQ(parent_of("/a/b/c"), "/a/b");
  EXPECT_EQ(parent_of("a/b"), "a");
}

TEST(ParentPath, slashes_at_the_end_do_not_count) {
  EXPECT_EQ(parent_of("/a/b/"), "/a");
  EXPECT_EQ(parent_of("a//"), ".");
}

TEST(ParentPath, name_at_the_top_gives_the_root_and_a_bare_one_the_working_directory) {
  EXPECT_EQ(parent_of("/a"), "/");
  EXPECT_EQ(parent_of("/"), "/");
  EXPECT_EQ(parent_of("a"), ".");
}

}  // namespace
}  // namespace tiercache
