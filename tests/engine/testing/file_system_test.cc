// What every `FileSystem` must do, run against the machine's own in a temporary directory and
// against the disk in memory: tests on the one say something of the other only as long as both
// behave alike.
#include "tiercache/file_system.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "tiercache/testing/memory_file_system.h"

namespace tiercache {
namespace {

// A file system and a directory in it that is the test's own.
class Place {
 public:
  virtual ~Place() = default;
  virtual FileSystem& file_system() = 0;
  virtual std::string directory() = 0;
};

class PosixPlace final : public Place {
 public:
  PosixPlace() {
    std::string name = ::testing::TempDir() + "tiercache-XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~PosixPlace() override { file_system_->remove_tree(directory_); }
  FileSystem& file_system() override { return *file_system_; }
  std::string directory() override { return directory_; }

 private:
  std::shared_ptr<FileSystem> file_system_ = posix_file_system();
  std::string directory_;
};

class MemoryPlace final : public Place {
 public:
  MemoryPlace() { file_system_->make_directories("/place"); }
  FileSystem& file_system() override { return *file_system_; }
  std::string directory() override { return "/place"; }

 private:
  testing::MemoryDisk disk_;
  std::shared_ptr<FileSystem> file_system_ = disk_.boot();
};

struct PlaceKind {
  const char* name;
  std::unique_ptr<Place> (*make)();
};

class FileSystemContract : public ::testing::TestWithParam<PlaceKind> {
 protected:
  std::string path(const std::string& name) { return place_->directory() + "/" + name; }
  void write(const std::string& name, std::string_view bytes) {
    const IoStatus status = fs_.write_file(path(name), bytes);
    ASSERT_TRUE(status.ok()) << status.what;
  }
  std::string read(const std::string& name) {
    std::string out;
    const IoStatus status = fs_.read_file(path(name), 1 << 20, &out);
    return status.ok() ? out : "error " + std::to_string(status.error);
  }
  std::unique_ptr<File> open(const std::string& name, OpenMode mode) {
    std::unique_ptr<File> file;
    const IoStatus status = fs_.open(path(name), mode, &file);
    EXPECT_TRUE(status.ok()) << status.what;
    return file;
  }
  std::vector<std::string> names(const std::string& name = "") {
    std::vector<DirectoryItem> items;
    EXPECT_TRUE(fs_.list(path(name), &items).ok());
    std::vector<std::string> out;
    for (const DirectoryItem& item : items) out.push_back(item.name + (item.directory ? "/" : ""));
    return out;
  }

  std::unique_ptr<Place> place_ = GetParam().make();
  FileSystem& fs_ = place_->file_system();
};

using Strings = std::vector<std::string>;

TEST_P(FileSystemContract, write_file_then_read_file_gives_the_bytes) {
  for (const std::size_t size : {0u, 1u, 4095u, 4096u, 4097u, 100'000u}) {
    std::string bytes(size, 'x');
    if (size > 0) bytes.back() = '\0';
    write("f", bytes);
    EXPECT_EQ(read("f"), bytes);
  }
}

TEST_P(FileSystemContract, mapped_counters_are_shared_by_all_who_map_the_file) {
  std::shared_ptr<std::uint32_t> one, other;
  ASSERT_TRUE(fs_.map_counters(path("c"), 1000, &one).ok());
  ASSERT_TRUE(fs_.map_counters(path("c"), 1000, &other).ok());
  EXPECT_EQ(std::atomic_ref(other.get()[999]).load(), 0u);
  std::atomic_ref(one.get()[999]).fetch_add(3);
  EXPECT_EQ(std::atomic_ref(other.get()[999]).load(), 3u);
  one.reset();
  EXPECT_EQ(std::atomic_ref(other.get()[999]).load(), 3u);
}

TEST_P(FileSystemContract, mapped_counters_outlive_their_file) {
  std::shared_ptr<std::uint32_t> counters;
  ASSERT_TRUE(fs_.map_counters(path("c"), 10, &counters).ok());
  ASSERT_TRUE(fs_.remove_tree(place_->directory()).ok());
  std::atomic_ref(counters.get()[9]).store(7);
  EXPECT_EQ(std::atomic_ref(counters.get()[9]).load(), 7u);
}

TEST_P(FileSystemContract, write_file_over_a_longer_file_leaves_nothing_of_it) {
  write("f", std::string(10'000, 'a'));
  write("f", "short");
  EXPECT_EQ(read("f"), "short");
}

TEST_P(FileSystemContract, read_file_into_a_used_string_gives_exactly_the_file) {
  write("f", "abc");
  std::string out(100'000, 'z');
  ASSERT_TRUE(fs_.read_file(path("f"), 3, &out).ok());
  EXPECT_EQ(out, "abc");
}

TEST_P(FileSystemContract, read_file_of_a_larger_file_says_EFBIG) {
  write("f", "abcd");
  std::string out;
  EXPECT_EQ(fs_.read_file(path("f"), 3, &out).error, EFBIG);
  EXPECT_TRUE(fs_.read_file(path("f"), 4, &out).ok());
  EXPECT_TRUE(fs_.read_file(path("f"), SIZE_MAX, &out).ok());
}

TEST_P(FileSystemContract, missing_things_are_ENOENT_and_name_the_path) {
  std::string out;
  std::unique_ptr<File> file;
  FileInfo info;
  std::vector<DirectoryItem> items;
  std::unique_ptr<FileLock> lock;
  const std::string gone = path("gone");
  for (const IoStatus& status :
       {fs_.read_file(gone, 10, &out), fs_.open(gone, OpenMode::read, &file),
        fs_.open(gone, OpenMode::read_write, &file), fs_.remove_file(gone), fs_.info(gone, &info),
        fs_.list(gone, &items), fs_.sync_file(gone), fs_.sync_directory(gone), fs_.sync_all(gone),
        fs_.rename(gone, path("other")), fs_.exchange(gone, path("other")),
        fs_.write_file(gone + "/f", "x"), fs_.open(gone + "/f", OpenMode::create, &file),
        fs_.try_lock(gone + "/f", &lock)}) {
    EXPECT_TRUE(status.absent()) << status.what;
    EXPECT_NE(status.what.find(gone), std::string::npos) << status.what;
  }
}

TEST_P(FileSystemContract, a_directory_is_no_file) {
  ASSERT_TRUE(fs_.make_directories(path("d")).ok());
  std::string out;
  std::unique_ptr<File> file;
  std::unique_ptr<FileLock> lock;
  EXPECT_EQ(fs_.read_file(path("d"), 10, &out).error, EISDIR);
  EXPECT_EQ(fs_.open(path("d"), OpenMode::read, &file).error, EISDIR);
  EXPECT_EQ(fs_.open(path("d"), OpenMode::read_write, &file).error, EISDIR);
  EXPECT_EQ(fs_.write_file(path("d"), "x").error, EISDIR);
  EXPECT_EQ(fs_.remove_file(path("d")).error, EISDIR);
  EXPECT_EQ(fs_.try_lock(path("d"), &lock).error, EISDIR);
}

TEST_P(FileSystemContract, a_file_is_no_directory) {
  write("f", "x");
  std::string out;
  std::vector<DirectoryItem> items;
  EXPECT_EQ(fs_.list(path("f"), &items).error, ENOTDIR);
  EXPECT_EQ(fs_.sync_directory(path("f")).error, ENOTDIR);
  EXPECT_EQ(fs_.read_file(path("f/g"), 10, &out).error, ENOTDIR);
  EXPECT_EQ(fs_.make_directories(path("f")).error, ENOTDIR);
  EXPECT_EQ(fs_.make_directories(path("f/g")).error, ENOTDIR);
}

TEST_P(FileSystemContract, names_too_long_are_refused) {
  const std::string longest(255, 'n');
  write(longest, "x");
  EXPECT_EQ(read(longest), "x");
  EXPECT_EQ(fs_.write_file(path(longest + "n"), "x").error, ENAMETOOLONG);
  EXPECT_EQ(fs_.make_directories(path(longest + "n")).error, ENAMETOOLONG);
}

TEST_P(FileSystemContract, create_needs_a_free_name) {
  std::unique_ptr<File> file = open("f", OpenMode::create);
  ASSERT_TRUE(file->write_at(0, "one").ok());
  EXPECT_EQ(fs_.open(path("f"), OpenMode::create, &file).error, EEXIST);
  EXPECT_EQ(read("f"), "one");
}

TEST_P(FileSystemContract, file_reads_and_writes_at_offsets) {
  std::unique_ptr<File> file = open("f", OpenMode::create);
  ASSERT_TRUE(file->write_at(5000, "end").ok());
  ASSERT_TRUE(file->write_at(0, "start").ok());
  std::string out;
  ASSERT_TRUE(file->read_at(3, 4, &out).ok());
  EXPECT_EQ(out, std::string("rt\0\0", 4));
  ASSERT_TRUE(file->read_at(4999, 100, &out).ok());
  EXPECT_EQ(out, std::string("\0end", 4));
  ASSERT_TRUE(file->read_at(5003, 100, &out).ok());
  EXPECT_EQ(out, "");
  ASSERT_TRUE(file->read_at(1'000'000, 100, &out).ok());
  EXPECT_EQ(out, "");
  std::uint64_t size = 0;
  ASSERT_TRUE(file->size(&size).ok());
  EXPECT_EQ(size, 5003u);
  EXPECT_TRUE(file->sync_data().ok());
}

TEST_P(FileSystemContract, truncated_bytes_read_as_zeros_when_the_file_grows_again) {
  std::unique_ptr<File> file = open("f", OpenMode::create);
  ASSERT_TRUE(file->write_at(0, std::string(9000, 'x')).ok());
  ASSERT_TRUE(file->truncate(4000).ok());
  ASSERT_TRUE(file->truncate(9000).ok());
  EXPECT_EQ(read("f"), std::string(4000, 'x') + std::string(5000, '\0'));
}

TEST_P(FileSystemContract, file_opened_for_reading_refuses_writes) {
  write("f", "abc");
  std::unique_ptr<File> file = open("f", OpenMode::read);
  EXPECT_EQ(file->write_at(0, "x").error, EBADF);
  EXPECT_EQ(file->truncate(0).error, EINVAL);
  EXPECT_EQ(read("f"), "abc");
}

TEST_P(FileSystemContract, open_file_stays_readable_after_its_name_went) {
  write("f", "old");
  std::unique_ptr<File> file = open("f", OpenMode::read_write);
  write("g", "new");
  ASSERT_TRUE(fs_.rename(path("g"), path("f")).ok());
  std::string out;
  ASSERT_TRUE(file->read_at(0, 10, &out).ok());
  EXPECT_EQ(out, "old");
  EXPECT_EQ(read("f"), "new");
  EXPECT_EQ(names(), Strings{"f"});
}

TEST_P(FileSystemContract, rename_keeps_files_and_directories_apart) {
  write("f", "x");
  ASSERT_TRUE(fs_.make_directories(path("d/sub")).ok());
  ASSERT_TRUE(fs_.make_directories(path("e")).ok());
  EXPECT_EQ(fs_.rename(path("f"), path("d")).error, EISDIR);
  EXPECT_EQ(fs_.rename(path("e"), path("f")).error, ENOTDIR);
  EXPECT_EQ(fs_.rename(path("e"), path("d")).error, ENOTEMPTY);
  EXPECT_EQ(fs_.rename(path("d"), path("d/sub/d")).error, EINVAL);
  EXPECT_TRUE(fs_.rename(path("f"), path("f")).ok());
  EXPECT_TRUE(fs_.rename(path("d"), path("e")).ok());
  EXPECT_EQ(names(), (Strings{"e/", "f"}));
  EXPECT_EQ(names("e"), Strings{"sub/"});
}

TEST_P(FileSystemContract, exchange_swaps_two_names) {
  ASSERT_TRUE(fs_.make_directories(path("d")).ok());
  write("a", "A");
  write("d/b", "B");
  const IoStatus status = fs_.exchange(path("a"), path("d/b"));
  if (status.error == EINVAL || status.error == ENOTSUP) GTEST_SKIP() << status.what;
  ASSERT_TRUE(status.ok()) << status.what;
  EXPECT_EQ(read("a"), "B");
  EXPECT_EQ(read("d/b"), "A");
  EXPECT_TRUE(fs_.exchange(path("a"), path("gone")).absent());
  EXPECT_EQ(read("a"), "B");
}

TEST_P(FileSystemContract, make_directories_makes_parents_and_accepts_what_is_there) {
  EXPECT_TRUE(fs_.make_directories(path("a/b/c")).ok());
  EXPECT_TRUE(fs_.make_directories(path("a/b/c")).ok());
  EXPECT_TRUE(fs_.make_directories(path("a/d/")).ok());
  EXPECT_TRUE(fs_.make_directories(path("x/y/")).ok());
  EXPECT_TRUE(fs_.make_directories("").absent());
  EXPECT_EQ(names("a"), (Strings{"b/", "d/"}));
  EXPECT_EQ(names("x"), Strings{"y/"});
}

TEST_P(FileSystemContract, list_is_sorted_by_byte) {
  for (const char* name : {"b", "a", "\xc3\xa4", "B", "10", "9", "a.b"}) write(name, "");
  ASSERT_TRUE(fs_.make_directories(path("aa")).ok());
  EXPECT_EQ(names(), (Strings{"10", "9", "B", "a", "a.b", "aa/", "b", "\xc3\xa4"}));
}

TEST_P(FileSystemContract, remove_tree_takes_all_and_accepts_nothing_there) {
  ASSERT_TRUE(fs_.make_directories(path("a/b/c")).ok());
  write("a/f", "x");
  write("a/b/c/g", "x");
  write("single", "x");
  EXPECT_TRUE(fs_.remove_tree(path("a")).ok());
  EXPECT_TRUE(fs_.remove_tree(path("a")).ok());
  EXPECT_TRUE(fs_.remove_tree(path("single")).ok());
  EXPECT_EQ(names(), Strings{});
}

TEST_P(FileSystemContract, info_tells_size_and_kind) {
  write("f", "12345");
  FileInfo info;
  ASSERT_TRUE(fs_.info(path("f"), &info).ok());
  EXPECT_EQ(info.size, 5u);
  EXPECT_FALSE(info.directory);
  ASSERT_TRUE(fs_.info(place_->directory(), &info).ok());
  EXPECT_EQ(info.size, 0u);
  EXPECT_TRUE(info.directory);
}

TEST_P(FileSystemContract, syncs_of_what_is_there_succeed) {
  write("f", "x");
  EXPECT_TRUE(fs_.sync_file(path("f")).ok());
  EXPECT_TRUE(fs_.sync_directory(place_->directory()).ok());
  EXPECT_TRUE(fs_.sync_all(place_->directory()).ok());
  EXPECT_TRUE(fs_.sync_all(path("f")).ok());
}

TEST_P(FileSystemContract, lock_has_one_holder_until_it_is_destroyed) {
  std::unique_ptr<FileLock> first;
  std::unique_ptr<FileLock> second;
  ASSERT_TRUE(fs_.try_lock(path("lock"), &first).ok());
  EXPECT_EQ(fs_.try_lock(path("lock"), &second).error, EAGAIN);
  EXPECT_EQ(second, nullptr);
  std::unique_ptr<FileLock> other;
  EXPECT_TRUE(fs_.try_lock(path("other"), &other).ok());
  first.reset();
  EXPECT_TRUE(fs_.try_lock(path("lock"), &second).ok());
  EXPECT_EQ(names(), (Strings{"lock", "other"}));
}

TEST_P(FileSystemContract, lock_on_a_removed_file_does_not_hold_its_successor) {
  std::unique_ptr<FileLock> first;
  std::unique_ptr<FileLock> second;
  ASSERT_TRUE(fs_.try_lock(path("lock"), &first).ok());
  ASSERT_TRUE(fs_.remove_file(path("lock")).ok());
  EXPECT_TRUE(fs_.try_lock(path("lock"), &second).ok());
  first.reset();
  EXPECT_EQ(fs_.try_lock(path("lock"), &first).error, EAGAIN);
}

TEST_P(FileSystemContract, lock_taken_again_into_the_same_holder_is_busy_and_keeps_it) {
  std::unique_ptr<FileLock> lock;
  ASSERT_TRUE(fs_.try_lock(path("a"), &lock).ok());
  EXPECT_EQ(fs_.try_lock(path("a"), &lock).error, EAGAIN);
  ASSERT_TRUE(fs_.try_lock(path("b"), &lock).ok());
  std::unique_ptr<FileLock> again;
  EXPECT_TRUE(fs_.try_lock(path("a"), &again).ok());
}

TEST_P(FileSystemContract, disk_is_local_and_has_room) {
  bool remote = true;
  ASSERT_TRUE(fs_.is_remote(place_->directory(), &remote).ok());
  EXPECT_FALSE(remote);
  std::uint64_t free = 0;
  ASSERT_TRUE(fs_.free_bytes(place_->directory(), &free).ok());
  EXPECT_GT(free, 0u);
  EXPECT_FALSE(fs_.free_bytes(path("gone"), &free).ok());
  EXPECT_FALSE(fs_.is_remote(path("gone"), &remote).ok());
}

INSTANTIATE_TEST_SUITE_P(Each, FileSystemContract,
                         ::testing::Values(PlaceKind{"posix",
                                                     []() -> std::unique_ptr<Place> {
                                                       return std::make_unique<PosixPlace>();
                                                     }},
                                           PlaceKind{"memory",
                                                     []() -> std::unique_ptr<Place> {
                                                       return std::make_unique<MemoryPlace>();
                                                     }}),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace tiercache
