// What corrupt rows of the store hold is kept aside, once.
#include "cache/local/corrupt_rows.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class CorruptRowsPartTest : public ::testing::Test {
 protected:
  void keep(const std::string& text, const EntryId& id = kId) {
    room.corrupt_rows.keep_aside(id, std::make_shared<const std::string>(text));
    ground.run_ready();
  }
  std::vector<std::string> kept() const {
    std::vector<std::string> kept;
    for (const std::string& path : ground.disk->files()) {
      if (path.find("/quarantine/") == std::string::npos) continue;
      ground.disk->read(path, &kept.emplace_back());
    }
    return kept;
  }

  Ground ground;
  LocalRoom room{ground};
};

TEST_F(CorruptRowsPartTest, row_is_kept_with_its_key_and_byte_for_byte_I9) {
  keep("to\nrn\0", {"d", "k \"1\""});
  ASSERT_EQ(kept().size(), 1u);
  EXPECT_EQ(kept().front(), "tiercache-row 1 \"d\" \"k \\\"1\\\"\"\nto\nrn");
}

TEST_F(CorruptRowsPartTest, row_that_is_met_again_is_kept_once_and_another_text_or_key_anew) {
  int writes = 0;
  ground.disk->on_operation([&](std::uint64_t, const std::string& what) {
    if (what.starts_with("write_file") && what.find("/quarantine/") != std::string::npos) ++writes;
  });
  for (int i = 0; i < 3; ++i) keep("torn");
  EXPECT_EQ(writes, 1);
  keep("torn otherwise");
  keep("torn", {"d", "other"});
  EXPECT_EQ(kept().size(), 3u);
}

TEST_F(CorruptRowsPartTest, row_that_the_disk_would_not_take_is_kept_when_it_is_met_again_I9) {
  ground.refuse(ENOSPC, {"write_file", "open"}, "/quarantine");
  keep("torn");
  ground.disk_works();
  EXPECT_TRUE(kept().empty());
  keep("torn");
  EXPECT_EQ(kept().size(), 1u);
}

TEST_F(CorruptRowsPartTest, nothing_is_written_into_a_directory_that_is_not_ours_any_more) {
  room.tiers.files().leave();
  keep("torn");
  EXPECT_TRUE(kept().empty());
}

}  // namespace
}  // namespace tiercache::detail
