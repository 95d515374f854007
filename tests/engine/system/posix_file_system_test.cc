// What only the real file system can show; its contract is in
// tests/engine/testing/file_system_test.cc.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tiercache/file_system.h"

namespace tiercache {
namespace {

class PosixFileSystem : public ::testing::Test {
 protected:
  PosixFileSystem() {
    std::string name = ::testing::TempDir() + "tiercache-XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~PosixFileSystem() override { fs_->remove_tree(directory_); }

  std::string path(const std::string& name) { return directory_ + "/" + name; }
  mode_t mode(const std::string& name) {
    struct stat info {};
    EXPECT_EQ(::stat(path(name).c_str(), &info), 0);
    return info.st_mode & 07777;
  }

  std::shared_ptr<FileSystem> fs_ = posix_file_system();
  std::string directory_;
};

TEST_F(PosixFileSystem, everything_made_is_private_under_any_umask_I11) {
  const mode_t before = ::umask(0);
  ASSERT_TRUE(fs_->make_directories(path("a/b")).ok());
  ASSERT_TRUE(fs_->write_file(path("a/f"), "x").ok());
  std::unique_ptr<File> file;
  ASSERT_TRUE(fs_->open(path("a/g"), OpenMode::create, &file).ok());
  std::unique_ptr<FileLock> lock;
  ASSERT_TRUE(fs_->try_lock(path("a/l"), &lock).ok());
  ::umask(before);
  EXPECT_EQ(mode("a"), 0700u);
  EXPECT_EQ(mode("a/b"), 0700u);
  EXPECT_EQ(mode("a/f"), 0600u);
  EXPECT_EQ(mode("a/g"), 0600u);
  EXPECT_EQ(mode("a/l"), 0600u);
}

TEST_F(PosixFileSystem, write_file_over_a_readable_file_makes_it_private_I11) {
  ASSERT_TRUE(fs_->write_file(path("f"), "x").ok());
  ASSERT_EQ(::chmod(path("f").c_str(), 0644), 0);
  ASSERT_TRUE(fs_->write_file(path("f"), "y").ok());
  EXPECT_EQ(mode("f"), 0600u);
}

TEST_F(PosixFileSystem, lock_excludes_another_process_and_goes_with_it) {
  std::unique_ptr<FileLock> lock;
  int ready[2];
  int finish[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(finish), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  char byte = 0;
  if (child == 0) {
    std::unique_ptr<FileLock> held;
    byte = fs_->try_lock(path("lock"), &held).ok() ? 1 : 0;
    if (::write(ready[1], &byte, 1) != 1 || ::read(finish[0], &byte, 1) != 1) ::_exit(2);
    ::_exit(0);
  }
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 1);
  EXPECT_EQ(fs_->try_lock(path("lock"), &lock).error, EAGAIN);
  ASSERT_EQ(::write(finish[1], &byte, 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(fs_->try_lock(path("lock"), &lock).ok());
  for (const int fd : {ready[0], ready[1], finish[0], finish[1]}) ::close(fd);
}

TEST_F(PosixFileSystem, identity_is_of_the_file_and_not_of_its_name) {
  const auto identity = [&](const std::string& name) {
    FileInfo info;
    EXPECT_TRUE(fs_->info(path(name), &info).ok());
    return info.identity;
  };
  std::unique_ptr<File> open;
  ASSERT_TRUE(fs_->open(path("a"), OpenMode::create, &open).ok());
  ASSERT_TRUE(fs_->write_file(path("b"), "b").ok());
  const std::uint64_t a = identity("a");
  EXPECT_NE(a, 0u);
  EXPECT_NE(a, identity("b"));
  ASSERT_TRUE(fs_->write_file(path("a"), "longer").ok());
  EXPECT_EQ(identity("a"), a);
  ASSERT_TRUE(fs_->remove_file(path("a")).ok());
  ASSERT_TRUE(fs_->write_file(path("a"), "longer").ok());
  EXPECT_NE(identity("a"), a);
  ASSERT_TRUE(fs_->rename(path("b"), path("a")).ok());
  FileInfo info;
  EXPECT_TRUE(fs_->info(path("a/x"), &info).absent()) << "a file is no directory";
}

TEST_F(PosixFileSystem, lock_has_one_holder_at_a_time_between_threads) {
  std::atomic<int> holders = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int taken = 0; taken < 100;) {
        std::unique_ptr<FileLock> lock;
        if (!fs_->try_lock(path("lock"), &lock).ok()) continue;
        EXPECT_EQ(++holders, 1);
        --holders;
        ++taken;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(holders, 0);
}

TEST_F(PosixFileSystem, a_pipe_is_refused_without_waiting_for_its_other_end) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::string out;
  std::unique_ptr<File> file;
  EXPECT_FALSE(fs_->read_file(path("pipe"), 10, &out).ok());
  EXPECT_FALSE(fs_->write_file(path("pipe"), "x").ok());
  EXPECT_FALSE(fs_->open(path("pipe"), OpenMode::read, &file).ok());
}

TEST_F(PosixFileSystem, links_in_a_listing_are_no_directories_and_their_targets_stay_I12) {
  ASSERT_TRUE(fs_->make_directories(path("outside")).ok());
  ASSERT_TRUE(fs_->write_file(path("outside/f"), "x").ok());
  ASSERT_TRUE(fs_->make_directories(path("tree")).ok());
  ASSERT_EQ(::symlink(path("outside").c_str(), path("tree/link").c_str()), 0);
  std::vector<DirectoryItem> items;
  ASSERT_TRUE(fs_->list(path("tree"), &items).ok());
  ASSERT_EQ(items.size(), 1u);
  EXPECT_FALSE(items[0].directory);
  EXPECT_TRUE(fs_->remove_tree(path("tree")).ok());
  FileInfo info;
  EXPECT_TRUE(fs_->info(path("outside/f"), &info).ok());
}

TEST_F(PosixFileSystem, read_file_takes_a_file_whose_size_is_not_told) {
  std::string out;
  ASSERT_TRUE(fs_->read_file("/proc/self/status", 1 << 20, &out).ok());
  EXPECT_NE(out.find("VmPeak"), std::string::npos);
  EXPECT_EQ(fs_->read_file("/proc/self/status", 10, &out).error, EFBIG);
}

// A working directory for one test.
class WorkingDirectory {
 public:
  explicit WorkingDirectory(const std::string& path) { EXPECT_EQ(::chdir(path.c_str()), 0); }
  ~WorkingDirectory() { EXPECT_EQ(::fchdir(before_), 0); }

 private:
  const int before_ = ::open(".", O_DIRECTORY | O_CLOEXEC);
};

TEST_F(PosixFileSystem, absolute_path_leads_to_the_same_file_from_everywhere) {
  ASSERT_TRUE(fs_->make_directories(path("a/deep/er")).ok());
  ASSERT_TRUE(fs_->write_file(path("a/deep/f"), "through the link").ok());
  ASSERT_TRUE(fs_->write_file(path("f"), "beside the link").ok());
  ASSERT_EQ(::symlink(path("a/deep/er").c_str(), path("link").c_str()), 0);
  std::string plain, above, absolute;
  {
    const WorkingDirectory here(directory_);
    ASSERT_TRUE(fs_->absolute("a/deep/f", &plain).ok());
    ASSERT_TRUE(fs_->absolute("link/../f", &above).ok());
    ASSERT_TRUE(fs_->absolute(path("f"), &absolute).ok());
  }
  std::string out;
  EXPECT_TRUE(fs_->read_file(plain, 100, &out).ok());
  EXPECT_TRUE(fs_->read_file(above, 100, &out).ok());
  EXPECT_EQ(out, "through the link") << above;
  EXPECT_EQ(absolute, path("f"));
}

TEST_F(PosixFileSystem, working_directory_that_is_gone_has_no_absolute_paths) {
  ASSERT_TRUE(fs_->make_directories(path("gone")).ok());
  const WorkingDirectory here(path("gone"));
  ASSERT_TRUE(fs_->remove_tree(path("gone")).ok());
  std::string out;
  EXPECT_EQ(fs_->absolute("f", &out).error, ENOENT);
}

TEST_F(PosixFileSystem, failure_says_what_was_tried_on_what_and_why) {
  std::string out;
  const IoStatus status = fs_->read_file(path("gone"), 10, &out);
  EXPECT_EQ(status.what, "open \"" + path("gone") + "\": No such file or directory");
}

TEST_F(PosixFileSystem, absolute_form_of_no_path_is_none) {
  std::string out = "x";
  EXPECT_TRUE(fs_->absolute("", &out).ok());
  EXPECT_EQ(out, "");
}

TEST_F(PosixFileSystem, question_that_fails_leaves_the_answer_as_it_was) {
  std::uint64_t free = 7;
  EXPECT_EQ(fs_->free_bytes(path("gone"), &free).error, ENOENT);
  EXPECT_EQ(free, 7u);
  EXPECT_TRUE(fs_->free_bytes(directory_, &free).ok());
  EXPECT_NE(free, 7u);
}

// A file of which no byte can be read: nothing is mapped at the beginning of a process's memory.
TEST_F(PosixFileSystem, bytes_that_cannot_be_read_are_an_error_and_not_an_end) {
  std::unique_ptr<File> memory;
  ASSERT_TRUE(fs_->open("/proc/self/mem", OpenMode::read, &memory).ok());
  std::string out = "x";
  EXPECT_EQ(memory->read_at(0, 10, &out).error, EIO);
  EXPECT_EQ(out, "");
  EXPECT_EQ(fs_->read_file("/proc/self/mem", 10, &out).error, EIO);
}

TEST_F(PosixFileSystem, file_opened_for_reading_takes_no_changes_and_says_so) {
  ASSERT_TRUE(fs_->write_file(path("f"), "bytes").ok());
  std::unique_ptr<File> file;
  ASSERT_TRUE(fs_->open(path("f"), OpenMode::read, &file).ok());
  EXPECT_FALSE(file->write_at(0, "x").ok());
  EXPECT_FALSE(file->truncate(0).ok());
  std::uint64_t size = 0;
  ASSERT_TRUE(file->size(&size).ok());
  EXPECT_EQ(size, 5u);
}

TEST_F(PosixFileSystem, device_in_the_place_of_a_file_is_neither_written_nor_mapped) {
  EXPECT_EQ(fs_->write_file("/dev/null", "x").error, EINVAL);
  std::shared_ptr<std::uint32_t> counters;
  EXPECT_EQ(fs_->map_counters("/dev/null", 8, &counters).error, EINVAL);
  EXPECT_EQ(counters, nullptr);
}

TEST_F(PosixFileSystem, counters_that_are_mapped_twice_are_the_same_and_private_I11) {
  ASSERT_TRUE(fs_->write_file(path("c"), "").ok());
  ASSERT_EQ(::chmod(path("c").c_str(), 0666), 0);
  std::shared_ptr<std::uint32_t> one, other;
  ASSERT_TRUE(fs_->map_counters(path("c"), 8, &one).ok());
  ASSERT_TRUE(fs_->map_counters(path("c"), 8, &other).ok());
  EXPECT_EQ(one.get()[7], 0u);
  one.get()[7] = 42;
  EXPECT_EQ(other.get()[7], 42u);
  EXPECT_EQ(mode("c"), 0600u);
  FileInfo info;
  ASSERT_TRUE(fs_->info(path("c"), &info).ok());
  EXPECT_EQ(info.size, 8 * sizeof(std::uint32_t));
}

TEST_F(PosixFileSystem, listing_of_files_leaves_out_directories_and_links_to_nothing) {
  ASSERT_TRUE(fs_->make_directories(path("d/sub")).ok());
  ASSERT_TRUE(fs_->write_file(path("d/f"), "bytes").ok());
  ASSERT_EQ(::symlink(path("nothing").c_str(), path("d/to nothing").c_str()), 0);
  std::vector<ListedFile> files;
  errno = ENOENT;  // left over from another call
  ASSERT_TRUE(fs_->list_files(path("d"), &files).ok());
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].name, "f");
  EXPECT_EQ(files[0].info.size, 5u);
  EXPECT_NE(files[0].info.identity, 0u);
  EXPECT_EQ(fs_->list_files(path("gone"), &files).error, ENOENT);
  EXPECT_TRUE(files.empty());
}

TEST_F(PosixFileSystem, listing_of_files_names_what_cannot_be_looked_at_without_knowing_it) {
  ASSERT_TRUE(fs_->make_directories(path("d")).ok());
  ASSERT_EQ(::symlink(path("d/loop").c_str(), path("d/loop").c_str()), 0);
  std::vector<ListedFile> files;
  ASSERT_TRUE(fs_->list_files(path("d"), &files).ok());
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].name, "loop");
  EXPECT_EQ(files[0].info.identity, 0u);
}

TEST_F(PosixFileSystem, directory_under_a_working_directory_that_is_gone_cannot_be_made) {
  ASSERT_TRUE(fs_->make_directories(path("gone")).ok());
  const WorkingDirectory here(path("gone"));
  ASSERT_TRUE(fs_->remove_tree(path("gone")).ok());
  EXPECT_EQ(fs_->make_directories("a").error, ENOENT);
  EXPECT_EQ(fs_->make_directories("a/b").error, ENOENT);
}

TEST_F(PosixFileSystem, file_in_the_way_of_a_directory_is_told) {
  ASSERT_TRUE(fs_->write_file(path("f"), "x").ok());
  EXPECT_EQ(fs_->make_directories(path("f")).error, ENOTDIR);
  EXPECT_FALSE(fs_->make_directories(path("f/a/b")).ok());
  EXPECT_FALSE(fs_->sync_directory(path("f")).ok());
}

TEST_F(PosixFileSystem, error_left_over_from_an_earlier_call_fails_nothing) {
  const auto works = [](const char* what, const auto& call) {
    errno = EIO;
    const IoStatus status = call();
    EXPECT_TRUE(status.ok()) << what << ": " << status.what;
  };
  std::unique_ptr<File> file;
  std::unique_ptr<FileLock> lock;
  std::shared_ptr<std::uint32_t> counters;
  std::vector<DirectoryItem> items;
  std::uint64_t number = 0;
  works("make_directories", [&] { return fs_->make_directories(path("d/e")); });
  works("write_file", [&] { return fs_->write_file(path("f"), "bytes"); });
  works("open", [&] { return fs_->open(path("g"), OpenMode::create, &file); });
  works("write_at", [&] { return file->write_at(0, "bytes"); });
  works("truncate", [&] { return file->truncate(3); });
  works("size", [&] { return file->size(&number); });
  works("sync_data", [&] { return file->sync_data(); });
  works("exchange", [&] { return fs_->exchange(path("f"), path("g")); });
  works("rename", [&] { return fs_->rename(path("g"), path("h")); });
  works("sync_file", [&] { return fs_->sync_file(path("h")); });
  works("sync_directory", [&] { return fs_->sync_directory(path("d")); });
  works("sync_all", [&] { return fs_->sync_all(path("d")); });
  works("sync_all again", [&] { return fs_->sync_all(path("d")); });
  works("map_counters", [&] { return fs_->map_counters(path("c"), 8, &counters); });
  works("try_lock", [&] { return fs_->try_lock(path("l"), &lock); });
  works("list", [&] { return fs_->list(directory_, &items); });
  works("free_bytes", [&] { return fs_->free_bytes(directory_, &number); });
  works("remove_file", [&] { return fs_->remove_file(path("h")); });
}

TEST_F(PosixFileSystem, file_that_cannot_be_synced_is_an_error) {
  EXPECT_EQ(fs_->sync_file("/proc/self/status").error, EINVAL);
  std::unique_ptr<File> file;
  ASSERT_TRUE(fs_->open("/proc/self/status", OpenMode::read, &file).ok());
  EXPECT_EQ(file->sync_data().error, EINVAL);
  const IoStatus nowhere = fs_->sync_all(path("gone"));
  EXPECT_EQ(nowhere.error, ENOENT);
  EXPECT_TRUE(nowhere.what.starts_with("stat ")) << nowhere.what;
}

// No file may be larger for a time; what is written beyond that fails after a part.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_before_(::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_before_);
  }

 private:
  const sighandler_t handler_before_;
  rlimit before_{};
};

TEST_F(PosixFileSystem, what_is_written_in_part_is_an_error_and_not_written_over_itself) {
  const std::string bytes = std::string(4096, 'a') + std::string(4096, 'b');
  std::unique_ptr<File> file;
  std::shared_ptr<std::uint32_t> counters;
  ASSERT_TRUE(fs_->open(path("g"), OpenMode::create, &file).ok());
  {
    const FileSizeLimit limit(6000);
    EXPECT_EQ(fs_->write_file(path("f"), bytes).error, EFBIG);
    EXPECT_EQ(file->write_at(0, bytes).error, EFBIG);
    EXPECT_EQ(fs_->map_counters(path("c"), 4096, &counters).error, EFBIG);
  }
  EXPECT_EQ(counters, nullptr);
  std::string out;
  ASSERT_TRUE(fs_->read_file(path("f"), 10'000, &out).ok());
  EXPECT_EQ(out, bytes.substr(0, 6000));
}

TEST_F(PosixFileSystem, counters_in_a_directory_that_is_not_there_say_so) {
  std::shared_ptr<std::uint32_t> counters;
  EXPECT_EQ(fs_->map_counters(path("gone/c"), 8, &counters).error, ENOENT);
}

TEST_F(PosixFileSystem, nothing_stays_open_or_mapped_after_its_use) {
  const auto open_descriptors = [] {
    int count = 0;
    for (int fd = 0; fd < 1024; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
  };
  const int before = open_descriptors();
  for (int i = 0; i < 3; ++i) {
    std::string out;
    std::vector<DirectoryItem> items;
    std::unique_ptr<File> file;
    std::shared_ptr<std::uint32_t> counters;
    ASSERT_TRUE(fs_->write_file(path("f"), "bytes").ok());
    ASSERT_TRUE(fs_->read_file(path("f"), 10, &out).ok());
    ASSERT_TRUE(fs_->open(path("f"), OpenMode::read, &file).ok());
    ASSERT_TRUE(fs_->sync_file(path("f")).ok());
    ASSERT_TRUE(fs_->list(directory_, &items).ok());
    ASSERT_TRUE(fs_->map_counters(path("counters"), 8, &counters).ok());
  }
  EXPECT_EQ(open_descriptors(), before);
  std::string maps;
  ASSERT_TRUE(fs_->read_file("/proc/self/maps", 16 << 20, &maps).ok());
  EXPECT_EQ(maps.find(path("counters")), std::string::npos);
}

TEST_F(PosixFileSystem, listing_into_a_used_vector_holds_what_is_there_alone) {
  ASSERT_TRUE(fs_->write_file(path("f"), "x").ok());
  std::vector<DirectoryItem> items;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(fs_->list(directory_, &items).ok());
    EXPECT_EQ(items.size(), 1u);
  }
}

}  // namespace
}  // namespace tiercache
