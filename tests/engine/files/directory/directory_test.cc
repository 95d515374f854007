#include "files/directory/directory.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/files/entries.h"
#include "tiercache/error.h"

namespace tiercache {
namespace {

class OpenDirectory : public ::testing::Test {
 protected:
  bool open(const std::string& project = kProject) {
    return open_directory(*fs_, {kDirectory, project});
  }
  // What the refusal says; fails when there is none.
  std::string refusal(const DirectoryOptions& options) {
    try {
      open_directory(*fs_, options);
    } catch (const BadDirectory& bad) {
      return bad.what();
    }
    ADD_FAILURE() << "was not refused";
    return {};
  }
  std::string refusal() { return refusal({kDirectory, kProject}); }
  std::string marker() {
    std::string out;
    return disk_.read("/cache/tiercache.json", &out) ? out : "<none>";
  }
  using Paths = std::vector<std::string>;
  // What that operation is called with from now on.
  std::shared_ptr<Paths> watch(const std::string& operation) {
    auto seen = std::make_shared<Paths>();
    disk_.set_fault([=](const std::string& name, const std::string& path) {
      if (name == operation) seen->push_back(path);
      return 0;
    });
    return seen;
  }
  void fail(const std::string& operation, int error) {
    disk_.set_fault(
        [=](const std::string& name, const std::string&) { return name == operation ? error : 0; });
  }

  testing::MemoryDisk disk_;
  std::shared_ptr<FileSystem> fs_ = disk_.boot();
};

void expect_says(const std::string& what, const std::string& part) {
  EXPECT_NE(what.find(part), std::string::npos) << what;
}

TEST_F(OpenDirectory, missing_directory_is_made_and_marked) {
  EXPECT_TRUE(open());
  EXPECT_EQ(marker(), "{\"tiercache_directory\":1,\"project\":\"project\"}\n");
  EXPECT_EQ(disk_.files().size(), 1u);
}

TEST_F(OpenDirectory, empty_directory_is_taken_and_the_second_open_finds_it) {
  fs_->make_directories(kDirectory);
  EXPECT_TRUE(open());
  EXPECT_FALSE(open());
  EXPECT_EQ(disk_.files().size(), 1u);
}

TEST_F(OpenDirectory, opened_directory_survives_power_loss_with_its_parents) {
  ASSERT_TRUE(open_directory(*fs_, {"/var/lib/app/cache", kProject}));
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    std::string marker;
    EXPECT_TRUE(disk_.after_power_loss(seed)->read("/var/lib/app/cache/tiercache.json", &marker));
    EXPECT_FALSE(
        open_directory(*disk_.after_power_loss(seed)->boot(), {"/var/lib/app/cache", kProject}));
  }
}

TEST_F(OpenDirectory, power_loss_at_any_moment_leaves_a_directory_that_opens) {
  std::vector<std::unique_ptr<testing::MemoryDisk>> states;
  disk_.on_operation([&](std::uint64_t, const std::string&) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) states.push_back(disk_.after_power_loss(seed));
  });
  open();
  ASSERT_GT(states.size(), 200u);
  for (const auto& state : states) {
    EXPECT_NO_THROW(open_directory(*state->boot(), {kDirectory, kProject}));
    EXPECT_EQ(state->files(), std::vector<std::string>{"/cache/tiercache.json"});
  }
}

TEST_F(OpenDirectory, failure_at_any_moment_throws_or_opens_and_the_next_open_works) {
  for (std::uint64_t failing = 1; failing < 40; ++failing) {
    testing::MemoryDisk disk;
    std::uint64_t calls = 0;
    disk.set_fault(
        [&](const std::string&, const std::string&) { return ++calls == failing ? EIO : 0; });
    try {
      open_directory(*disk.boot(), {kDirectory, kProject});
    } catch (const BadDirectory& bad) {
      expect_says(bad.what(), "/cache");
    }
    disk.set_fault({});
    EXPECT_NO_THROW(open_directory(*disk.boot(), {kDirectory, kProject})) << failing;
  }
}

TEST_F(OpenDirectory, file_in_its_place_is_refused) {
  disk_.write(kDirectory, "x");
  expect_says(refusal(), "\"/cache\" is a file");
  disk_.write("/f", "x");
  expect_says(refusal({"/f/sub/cache", kProject}), "\"/f\" is a file");
}

TEST_F(OpenDirectory, foreign_files_are_refused_and_not_touched) {
  disk_.write("/cache/holiday.jpg", "x");
  const std::uint64_t operations = disk_.operations();
  const std::string what = refusal();
  expect_says(what, "holiday.jpg");
  expect_says(what, "name an empty or new directory");
  EXPECT_EQ(disk_.files(), std::vector<std::string>{"/cache/holiday.jpg"});
  EXPECT_LE(disk_.operations(), operations + 1) << "only the parent's sync is allowed";
}

TEST_F(OpenDirectory, new_volume_counts_as_empty) {
  fs_->make_directories("/cache/lost+found");
  EXPECT_TRUE(open());
}

TEST_F(OpenDirectory, leftovers_of_an_interrupted_open_count_as_nothing) {
  disk_.write("/cache/tiercache.json.new0", "{\"tierc");
  disk_.write("/cache/tiercache.json.probe", "");
  EXPECT_TRUE(open());
  EXPECT_EQ(disk_.files(), std::vector<std::string>{"/cache/tiercache.json"});
}

TEST_F(OpenDirectory, another_project_is_refused) {
  open("theirs");
  const std::string before = marker();
  const std::string what = refusal();
  expect_says(what, "belongs to project \"theirs\"");
  expect_says(what, "for project \"project\"");
  EXPECT_EQ(marker(), before);
}

TEST_F(OpenDirectory, project_names_are_told_apart_whatever_they_hold) {
  for (const std::string& name : {std::string("a\"b"), std::string("a\\"), std::string("a\nb"),
                                  std::string(), std::string("a\0", 2), std::string("}")}) {
    testing::MemoryDisk disk;
    EXPECT_TRUE(open_directory(*disk.boot(), {kDirectory, name}));
    EXPECT_FALSE(open_directory(*disk.boot(), {kDirectory, name}));
    EXPECT_THROW(open_directory(*disk.boot(), {kDirectory, name + "x"}), BadDirectory);
  }
}

TEST_F(OpenDirectory, newer_format_is_refused) {
  disk_.write("/cache/tiercache.json",
              "{\"tiercache_directory\":2,\"project\":\"project\",\"x\":1}");
  expect_says(refusal(), "directory format 2, this library reads 1");
}

TEST_F(OpenDirectory, marker_formatted_by_hand_is_read) {
  disk_.write("/cache/tiercache.json",
              "{\n  \"tiercache_directory\": 1,\n  \"project\": \"project\"\n}\n");
  EXPECT_FALSE(open());
}

TEST_F(OpenDirectory, damaged_marker_is_refused_and_kept) {
  for (const char* text :
       {"", "{}", "{\"tiercache-directory\":1,\"project\":\"project\"}",
        "{\"tiercache_directory\":,\"project\":\"project\"}",
        "{\"tiercache_directory\":1,\"project\":\"project\"",
        "{\"tiercache_directory\":", "{\"tiercache_directory\":x}", "{\"tiercache_directory\":1}",
        "{\"tiercache_directory\":1,\"project\":", "not json"}) {
    disk_.write("/cache/tiercache.json", text);
    expect_says(refusal(), "is not a marker of tiercache");
    EXPECT_EQ(marker(), text);
  }
}

TEST_F(OpenDirectory, remote_directory_is_refused_unless_allowed) {
  disk_.set_remote(true);
  expect_says(refusal(), "network or user-space file system");
  EXPECT_EQ(disk_.operations(), 0u) << "nothing was made";
  EXPECT_TRUE(
      open_directory(*fs_, {.path = kDirectory, .project = kProject, .allow_remote = true}));
}

TEST_F(OpenDirectory, empty_path_is_refused) {
  expect_says(refusal({"", kProject}), "no path was given");
}

TEST_F(OpenDirectory, no_permission_is_refused_saying_where) {
  fail("info", EACCES);
  expect_says(refusal(), "Permission denied");
  fail("make_directories", EACCES);
  expect_says(refusal(), "Permission denied");
  fs_->make_directories(kDirectory);
  fail("list", EACCES);
  expect_says(refusal(), "Permission denied");
  fail("open", EACCES);
  expect_says(refusal(), "let this user write to it");
}

TEST_F(OpenDirectory, error_that_names_its_own_remedy_gets_that_one) {
  const auto advice = [&](int error) {
    fail("open", error);
    const std::string said = refusal();
    return said.substr(said.find("To go on, "));
  };
  EXPECT_EQ(advice(EMFILE), "To go on, let this process open more files (ulimit -n).");
  EXPECT_EQ(advice(ENFILE), "To go on, let this machine open more files (fs.file-max).");
  EXPECT_EQ(advice(ENOSPC),
            "To go on, make room on its disk, and see to it that it has inodes left.");
  EXPECT_EQ(advice(EDQUOT), "To go on, make room within this user's quota.");
  EXPECT_EQ(advice(EROFS), "To go on, mount its file system for writing.");
  EXPECT_EQ(advice(EIO), "To go on, check its disk, which failed.");
  EXPECT_EQ(advice(EACCES), "To go on, let this user write to it.");
}

TEST_F(OpenDirectory, directory_of_ours_that_is_not_this_users_to_write_is_refused) {
  open();
  fail("write_file", EACCES);
  expect_says(refusal(), "let this user write to it");
}

TEST_F(OpenDirectory, disk_that_takes_nothing_new_refuses_a_new_directory_but_not_one_of_ours) {
  open();
  for (const int error : {ENOSPC, EDQUOT, EROFS, EMFILE, ENFILE}) {
    fail("write_file", error);
    EXPECT_FALSE(open()) << error;
  }
  testing::MemoryDisk full;
  full.set_capacity(1);
  try {
    open_directory(*full.boot(), {kDirectory, kProject});
    ADD_FAILURE() << "was not refused";
  } catch (const BadDirectory& bad) {
    expect_says(bad.what(), "No space left");
  }
  EXPECT_TRUE(full.files().empty());
}

TEST_F(OpenDirectory, parent_that_cannot_be_opened_is_no_reason_when_the_directory_is_there) {
  fs_->make_directories("/closed/cache");
  disk_.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "sync_directory" && path == "/closed" ? EACCES : 0;
  });
  EXPECT_TRUE(open_directory(*fs_, {"/closed/cache", kProject}));
}

TEST_F(OpenDirectory, path_forms_mean_the_same_directory) {
  EXPECT_TRUE(open_directory(*fs_, {"/cache/", kProject}));
  EXPECT_FALSE(open_directory(*fs_, {"/cache", kProject}));
  EXPECT_TRUE(open_directory(*fs_, {"relative", kProject}));
  EXPECT_TRUE(open_directory(*fs_, {"deep/relative/", kProject}));
}

TEST_F(OpenDirectory, new_directory_syncs_each_name_that_was_made_and_none_above) {
  fs_->make_directories("/var");
  const auto synced = watch("sync_directory");
  ASSERT_TRUE(open_directory(*fs_, {"/var/lib/app/cache", kProject}));
  EXPECT_EQ(*synced, (Paths{"/var/lib", "/var", "/var/lib/app", "/var/lib/app/cache"}));
}

TEST_F(OpenDirectory, directory_that_is_there_syncs_its_own_name_alone) {
  fs_->make_directories("/var/lib/app");
  const auto synced = watch("sync_directory");
  ASSERT_TRUE(open_directory(*fs_, {"/var/lib/app", kProject}));
  EXPECT_EQ(*synced, (Paths{"/var/lib", "/var/lib/app"}));
}

TEST_F(OpenDirectory, root_is_its_own_parent_and_that_of_a_bare_name_is_where_we_are) {
  const auto synced = watch("sync_directory");
  ASSERT_TRUE(open_directory(*fs_, {"/", kProject}));
  EXPECT_EQ(*synced, (Paths{"/", "/"}));
  synced->clear();
  ASSERT_TRUE(open_directory(*fs_, {"bare", kProject}));
  EXPECT_EQ(*synced, (Paths{".", "bare"}));
}

TEST_F(OpenDirectory, name_that_cannot_be_synced_is_refused) {
  open();  // now only the directory's own name is left to be synced
  fail("sync_directory", EIO);
  expect_says(refusal(), "check its disk");
}

TEST_F(OpenDirectory, directory_that_may_not_be_looked_at_is_refused_whatever_is_above_it) {
  fs_->make_directories("/above/closed");
  disk_.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "info" && path == "/above/closed" ? EACCES : 0;
  });
  expect_says(refusal({"/above/closed", kProject}), "Permission denied");
}

TEST_F(OpenDirectory, disk_on_which_even_the_root_is_missing_is_refused) {
  fail("info", ENOENT);
  expect_says(refusal(), "No such file");
}

TEST_F(OpenDirectory, marker_that_vanishes_whenever_it_is_written_is_refused_in_the_end) {
  int written = 0;
  disk_.set_fault([&](const std::string& operation, const std::string&) {
    if (operation == "rename") ++written;
    return operation == "rename" ? ENOENT : 0;
  });
  expect_says(refusal(), "vanishes whenever it is written");
  EXPECT_EQ(written, 16);
}

TEST_F(OpenDirectory, temporary_name_that_another_took_away_is_tried_again) {
  int written = 0;
  disk_.set_fault([&](const std::string& operation, const std::string&) {
    return operation == "rename" && ++written == 1 ? ENOENT : 0;
  });
  EXPECT_TRUE(open());
  EXPECT_EQ(written, 2);
}

TEST_F(OpenDirectory, temporary_names_are_tried_up_to_a_bound_and_others_files_are_kept) {
  for (int taken = 0; taken < 16; ++taken) {
    disk_.write("/cache/tiercache.json.new" + std::to_string(taken), "another's");
  }
  expect_says(refusal(), "File exists");
  EXPECT_EQ(disk_.files().size(), 16u);
  disk_.remove("/cache/tiercache.json.new15");
  EXPECT_TRUE(open());
  EXPECT_EQ(disk_.files(), std::vector<std::string>{"/cache/tiercache.json"});
}

TEST_F(OpenDirectory, marker_that_could_not_be_written_leaves_nothing_behind) {
  for (const char* failing : {"write_at", "sync_data", "rename"}) {
    fail(failing, EIO);
    expect_says(refusal(), "check its disk");
    EXPECT_TRUE(disk_.files().empty()) << failing;
  }
}

TEST_F(OpenDirectory, what_of_ours_outlived_the_marker_is_taken_only_where_the_directory_was_ours) {
  const DirectoryOptions was_ours{.path = kDirectory, .project = kProject, .was_ours = true};
  disk_.write("/cache/journal/1", "x");
  disk_.write("/cache/data/d/k.json", "x");
  expect_says(refusal(), "files that are not tiercache's");
  disk_.write("/cache/holiday.jpg", "x");
  expect_says(refusal(was_ours), "holiday.jpg");
  disk_.remove("/cache/holiday.jpg");
  EXPECT_TRUE(open_directory(*fs_, was_ours));
}

TEST_F(OpenDirectory, marker_is_json_whatever_the_project_is_called) {
  ASSERT_TRUE(open("a\n b\x1f\"\\"));
  EXPECT_EQ(marker(), "{\"tiercache_directory\":1,\"project\":\"a\\u000a b\\u001f\\\"\\\\\"}\n");
}

TEST_F(OpenDirectory, space_within_a_project_name_counts_and_around_it_does_not) {
  ASSERT_TRUE(open("my\" app"));
  EXPECT_FALSE(open("my\" app"));
  expect_says(refusal({kDirectory, "my\"app"}), "belongs to project");
  disk_.write("/cache/tiercache.json",
              "\t{\r\n\t\"tiercache_directory\" :\t1,\r\n\t\"project\": \"my app\"\r\n}\r\n");
  EXPECT_FALSE(open("my app"));
}

TEST_F(OpenDirectory, marker_is_there_until_it_is_gone_for_certain) {
  EXPECT_FALSE(has_marker(*fs_, kDirectory));
  open();
  EXPECT_TRUE(has_marker(*fs_, kDirectory));
  fail("info", EIO);
  EXPECT_TRUE(has_marker(*fs_, kDirectory)) << "a disk that does not answer says nothing";
  fail("info", 0);
  disk_.remove("/cache/tiercache.json");
  EXPECT_FALSE(has_marker(*fs_, kDirectory));
}

TEST(OpenDirectoryPosix, real_directory_is_private_and_found_again_I11) {
  std::string name = ::testing::TempDir() + "tiercache-XXXXXX";
  const std::string place = mkdtemp(name.data());
  const std::shared_ptr<FileSystem> fs = posix_file_system();
  const DirectoryOptions options{place + "/a/b", kProject, true};
  const mode_t before = ::umask(0);
  EXPECT_TRUE(open_directory(*fs, options));
  ::umask(before);
  EXPECT_FALSE(open_directory(*fs, options));
  struct stat info {};
  ASSERT_EQ(::stat((place + "/a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
  ASSERT_EQ(::stat((place + "/a/b/tiercache.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_THROW(open_directory(*fs, {place + "/a/b", "other", true}), BadDirectory);
  EXPECT_THROW(open_directory(*fs, {place, kProject, true}), BadDirectory);
  fs->remove_tree(place);
}

}  // namespace
}  // namespace tiercache
