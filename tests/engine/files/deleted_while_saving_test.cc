// An index in the midst of being saved while its directory is deleted, and another process makes
// its own in that place: it gets the same slot, and with it the same names of half-written files.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>

#include "engine/files/entries.h"

namespace tiercache {
namespace {

constexpr char kTheirs[] = "half-written by another process";

// More than is written of it at a time.
void fill(Index& index, std::uint64_t version) {
  IndexItem item;
  item.version = {version, 1};
  item.print = version;
  for (int i = 0; i < 3'000; ++i)
    index.put({"d", std::string(1'000, 'k') + std::to_string(i)}, item);
}

class DeletedWhileSaving : public ::testing::Test {
 protected:
  DeletedWhileSaving() {
    fill(mine->index(), 1);
    EXPECT_TRUE(mine->sync().ok());
  }

  // Before the saving does this to its half-written file.
  void replace_before(const std::string& operation) {
    disk.on_operation([this, operation](std::uint64_t, const std::string& what) {
      const std::string path = what.substr(what.find(' ') + 1);
      if (!is_temp(path)) return;
      temp = path;
      if (what.starts_with(operation)) replace();
    });
  }
  // After the first part.
  void replace_between_parts() {
    replace_before("none");
    bool more = false;
    ASSERT_TRUE(mine->save_index(&more).ok());
    ASSERT_TRUE(more);
    replace();
  }
  void replace() {
    disk.on_operation({});
    disk.boot()->remove_tree(kDirectory);
    theirs.emplace(disk);
    EXPECT_EQ((*theirs)->slot(), mine->slot());
    EXPECT_TRUE(theirs->file_system->write_file(temp, kTheirs).ok());
  }
  IoStatus save_to_the_end() {
    IoStatus status;
    for (bool more = true; more && status.ok();) status = mine->save_index(&more);
    return status;
  }
  void expect_theirs_untouched() {
    ASSERT_TRUE(theirs);
    std::string bytes;
    EXPECT_TRUE(disk.read(temp, &bytes)) << "somebody else's half-written file was taken away";
    EXPECT_EQ(bytes, kTheirs);
    EXPECT_FALSE(disk.read(kSaved, &bytes)) << "what is saved there would not be of their files";
  }

  testing::MemoryDisk disk;
  Tier mine{disk};
  std::optional<Tier> theirs;
  std::string temp;
};

TEST_F(DeletedWhileSaving, saving_is_given_up_before_the_first_part) {
  replace_before("write_at");
  EXPECT_TRUE(save_to_the_end().absent());
  expect_theirs_untouched();
}

TEST_F(DeletedWhileSaving, saving_is_given_up_before_a_part_is_synced) {
  replace_before("sync_data");
  EXPECT_TRUE(save_to_the_end().absent());
  expect_theirs_untouched();
}

TEST_F(DeletedWhileSaving, saving_is_given_up_between_parts) {
  replace_between_parts();
  EXPECT_TRUE(save_to_the_end().absent());
  expect_theirs_untouched();
}

TEST_F(DeletedWhileSaving, failing_disk_leaves_others_files_alone_too) {
  replace_between_parts();
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "write_at" ? ENOSPC : 0;
  });
  EXPECT_EQ(save_to_the_end().error, ENOSPC);
  expect_theirs_untouched();
}

TEST_F(DeletedWhileSaving, leaving_the_directory_gives_it_up) {
  replace_between_parts();
  mine->leave();
  expect_theirs_untouched();
  bool more = true;
  EXPECT_TRUE(mine->save_index(&more).ok());
  EXPECT_FALSE(more);
}

TEST_F(DeletedWhileSaving, close_gives_it_up) {
  replace_between_parts();
  EXPECT_TRUE(mine->close().absent());
  expect_theirs_untouched();
}

TEST_F(DeletedWhileSaving, next_saving_is_of_the_directory_made_anew) {
  replace_between_parts();
  ASSERT_TRUE(mine->reopen().ok());
  EXPECT_NE(mine->slot(), (*theirs)->slot());
  expect_theirs_untouched();
  fill(mine->index(), 2);
  ASSERT_TRUE(mine->sync().ok());
  EXPECT_TRUE(save_to_the_end().ok());
  std::string bytes;
  Index saved;
  ASSERT_TRUE(disk.read(kSaved, &bytes));
  EXPECT_TRUE(saved.decode(bytes));
  EXPECT_EQ(contents(saved), contents(mine->index()));
}

}  // namespace
}  // namespace tiercache
