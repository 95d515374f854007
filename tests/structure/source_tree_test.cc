#include "structure/source_tree.h"

#include <gtest/gtest.h>

namespace tiercache::structure {
namespace {

TEST(SourceTree, comments_and_literals_are_no_code) {
  const std::vector<std::string> lines = {
      R"(call("a // b", 'c'); // d)",
      R"(/* e)",
      R"(f */ g(1'000); /* h */ i();)",
      R"("\"j" k)",
      "R\"x(l",
      "m)x\" n",
  };
  const std::vector<std::string> code = {
      "call(\"\", \"\"); ", "", " g(1'000);  i();", "\"\" k", "", " n",
  };
  EXPECT_EQ(without_comments_and_literals(lines), code);
}

TEST(SourceTree, findings_name_file_and_line) {
  EXPECT_EQ(to_string({{"a.cc", 3, "is wrong"}, {"b.cc", 0, "is too"}}),
            "a.cc:3: is wrong\nb.cc: is too\n");
}

TEST(SourceTree, files_are_found) {
  EXPECT_GT(read_files("engine/src", {".cc"}).size(), 10u);
  EXPECT_GT(read_all_files({"CMakeLists.txt"}).size(), 10u);
  EXPECT_TRUE(read_files("no/such/directory", {".cc"}).empty());
}

}  // namespace
}  // namespace tiercache::structure
