// The machine's file system: POSIX for bytes, syncs, locks and the exchange of names,
// Boost.Filesystem for trees, listings and space.
#include <sys/mman.h>
#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <boost/filesystem.hpp>
#include <map>
#include <utility>

#include "base/mutex.h"
#include "system/posix_calls.h"
#include "system/posix_lock.h"
#include "tiercache/file_system.h"

namespace tiercache {
namespace {

namespace fs = boost::filesystem;

IoStatus outcome(const boost::system::error_code& error, std::string_view operation,
                 const std::string& path) {
  return error ? failure(error.value(), operation, path) : IoStatus{};
}

// Reads until there are `size` bytes or the file ends. Returns -1 and sets errno on failure.
ssize_t read_fully(int fd, char* to, std::size_t size, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = uninterrupted(
        [&] { return ::pread(fd, to + done, size - done, static_cast<off_t>(offset + done)); });
    if (n < 0) return -1;
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

// Writes everything. Returns 0 or an errno value.
int write_fully(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = uninterrupted(
        [&] { return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (n < 0) return errno;
    if (n == 0) return EIO;
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return 0;
}

// Returns an errno value if an open file is not a regular one, else 0. A directory or a pipe that
// somebody has put in the place of our file must neither be read nor block.
int refusal_of(const struct stat& info) {
  if (S_ISDIR(info.st_mode)) return EISDIR;
  return S_ISREG(info.st_mode) ? 0 : EINVAL;
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  IoStatus read_at(std::uint64_t offset, std::size_t size, std::string* out) override {
    out->resize(size);
    const ssize_t n = read_fully(fd_.get(), out->data(), size, offset);
    if (n < 0) {
      IoStatus status = last_failure("read", path_);
      out->clear();
      return status;
    }
    out->resize(static_cast<std::size_t>(n));
    return {};
  }

  IoStatus write_at(std::uint64_t offset, std::string_view bytes) override {
    const int error = write_fully(fd_.get(), bytes, offset);
    return error == 0 ? IoStatus{} : failure(error, "write", path_);
  }

  IoStatus size(std::uint64_t* out) override {
    struct stat info {};
    if (::fstat(fd_.get(), &info) != 0) return last_failure("fstat", path_);
    *out = static_cast<std::uint64_t>(info.st_size);
    return {};
  }

  IoStatus truncate(std::uint64_t size) override {
    const int result =
        uninterrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); });
    return result == 0 ? IoStatus{} : last_failure("truncate", path_);
  }

  // Not repeated on EINTR: fdatasync does not return that on Linux, and a sync that failed for any
  // other reason must never be tried again on the same file.
  IoStatus sync_data() override {
    return ::fdatasync(fd_.get()) == 0 ? IoStatus{} : last_failure("fdatasync", path_);
  }

 private:
  Descriptor fd_;
  const std::string path_;
};

std::int64_t nanoseconds(const struct timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileInfo info_of(const struct stat& found) {
  const bool directory = S_ISDIR(found.st_mode);
  // Multiplying by an odd number keeps the files of a device apart.
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
  return {.size = directory ? 0 : static_cast<std::uint64_t>(found.st_size),
          .directory = directory,
          .identity = found.st_ino * kOdd ^ found.st_dev,
          .inode = found.st_ino,
          .modified_ns = nanoseconds(found.st_mtim),
          .changed_ns = nanoseconds(found.st_ctim)};
}

// The file systems behind a network or a user-space server, by the magic numbers that statfs
// returns.
constexpr std::array<std::uint32_t, 17> kRemoteTypes = {
    0x00006969,  // NFS
    0x0000517B,  // SMB
    0xFF534D42,  // CIFS
    0xFE534D42,  // SMB2
    0x65735546,  // FUSE: sshfs, s3fs, gluster, virtiofs
    0x5346414F,  // OpenAFS
    0x6B414653,  // kAFS
    0x01021997,  // 9P
    0x00C36400,  // Ceph
    0x73757245,  // Coda
    0x0000564C,  // NCP
    0x0BD00BD0,  // Lustre
    0x47504653,  // GPFS
    0x19830326,  // BeeGFS
    0xAAD7AAEA,  // PanFS
    0x20030528,  // OrangeFS
    0x786F4256,  // VirtualBox shared folders
};

class PosixFileSystem final : public FileSystem {
 public:
  IoStatus absolute(const std::string& path, std::string* out) override {
    *out = path;
    if (path.empty() || path.starts_with('/')) return {};
    boost::system::error_code error;
    const fs::path here = fs::current_path(error);
    if (!error) *out = (here / path).string();
    return outcome(error, "ask the working directory for", path);
  }

  IoStatus open(const std::string& path, OpenMode mode, std::unique_ptr<File>* out) override {
    Descriptor fd = Descriptor::open(path, flags_of(mode));
    if (!fd) return last_failure("open", path);
    if (mode != OpenMode::create) {
      struct stat info {};
      if (::fstat(fd.get(), &info) != 0) return last_failure("fstat", path);
      if (const int error = refusal_of(info)) return failure(error, "open", path);
    }
    *out = std::make_unique<PosixFile>(std::move(fd), path);
    return {};
  }

  // Asks for one byte more than the file has, so that a short answer proves the end of the file
  // without another call. The string only grows by what it lacks, so a reused one is not filled
  // with zeros first.
  IoStatus read_file(const std::string& path, std::size_t max_bytes, std::string* out) override {
    Descriptor fd = Descriptor::open(path, O_RDONLY | O_NONBLOCK);
    if (!fd) return last_failure("open", path);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return last_failure("fstat", path);
    if (const int error = refusal_of(info)) return failure(error, "read", path);
    if (static_cast<std::uint64_t>(info.st_size) > max_bytes) return failure(EFBIG, "read", path);
    std::size_t done = 0;
    for (std::size_t wanted = static_cast<std::size_t>(info.st_size) + 1;;) {
      if (out->size() < wanted) out->resize(wanted);
      const ssize_t n = read_fully(fd.get(), out->data() + done, wanted - done, done);
      if (n < 0) return last_failure("read", path);
      done += static_cast<std::size_t>(n);
      if (done < wanted) break;
      if (done > max_bytes) return failure(EFBIG, "read", path);
      wanted = done + std::min(done, max_bytes - done) + 1;
    }
    out->resize(done);
    return {};
  }

  // Room for the whole file is allocated first: touching a mapped page that the disk has no room
  // for would kill the process.
  IoStatus map_counters(const std::string& path, std::size_t count,
                        std::shared_ptr<std::uint32_t>* out) override {
    Descriptor fd = Descriptor::open(path, O_RDWR | O_CREAT | O_NONBLOCK);
    if (!fd) return last_failure("open", path);
    if (const int error = keep_private(fd.get())) return failure(error, "open", path);
    const std::size_t size = count * sizeof(std::uint32_t);
    const auto reserve = [&] { return ::posix_fallocate(fd.get(), 0, static_cast<off_t>(size)); };
    int error = reserve();
    while (error == EINTR) error = reserve();
    if (error != 0) return failure(error, "allocate", path);
    void* mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (mapped == MAP_FAILED) return last_failure("map", path);
    *out = std::shared_ptr<std::uint32_t>(static_cast<std::uint32_t*>(mapped),
                                          [size](void* counters) { ::munmap(counters, size); });
    return {};
  }

  IoStatus write_file(const std::string& path, std::string_view bytes) override {
    Descriptor fd = Descriptor::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK);
    if (!fd) return last_failure("open", path);
    if (const int error = keep_private(fd.get())) return failure(error, "write", path);
    if (const int error = write_fully(fd.get(), bytes, 0)) return failure(error, "write", path);
    const int error = fd.close();
    return error == 0 ? IoStatus{} : failure(error, "close", path);
  }

  IoStatus rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return last_failure("rename to \"" + to + "\" of", from);
  }

  IoStatus exchange(const std::string& a, const std::string& b) override {
    if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) return {};
    if (errno == ENOSYS) errno = ENOTSUP;
    return last_failure("exchange with \"" + b + "\" of", a);
  }

  IoStatus remove_file(const std::string& path) override {
    return ::unlink(path.c_str()) == 0 ? IoStatus{} : last_failure("remove", path);
  }

  IoStatus remove_tree(const std::string& path) override {
    boost::system::error_code error;
    fs::remove_all(path, error);
    return outcome(error, "remove tree", path);
  }

  IoStatus make_directories(const std::string& path) override {
    if (::mkdir(path.c_str(), kDirectoryMode) == 0) return {};
    if (errno == ENOENT) return make_with_parents(path);
    return errno == EEXIST ? must_be_directory(path) : last_failure("make directory", path);
  }

  IoStatus list(const std::string& path, std::vector<DirectoryItem>* out) override {
    out->clear();
    boost::system::error_code error;
    fs::directory_iterator item(path, error);
    for (; !error && item != fs::directory_iterator(); item.increment(error)) {
      // Links are not followed, because what they point to is not in this directory (I12).
      boost::system::error_code gone;
      const bool directory = item->symlink_status(gone).type() == fs::directory_file;
      if (!gone) out->push_back({item->path().filename().string(), directory});
    }
    std::sort(out->begin(), out->end(),
              [](const DirectoryItem& a, const DirectoryItem& b) { return a.name < b.name; });
    return outcome(error, "list", path);
  }

  IoStatus info(const std::string& path, FileInfo* out) override {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) return last_failure("stat", path);
    *out = info_of(found);
    return {};
  }

  IoStatus list_files(const std::string& path, std::vector<ListedFile>* out) override {
    out->clear();
    boost::system::error_code error;
    fs::directory_iterator item(path, error);
    for (; !error && item != fs::directory_iterator(); item.increment(error)) {
      struct stat found {};
      const bool known = ::stat(item->path().c_str(), &found) == 0;
      if (!known && errno == ENOENT) continue;
      if (known && S_ISDIR(found.st_mode)) continue;
      out->push_back({item->path().filename().string(), known ? info_of(found) : FileInfo{}});
    }
    return outcome(error, "list", path);
  }

  // The system then reads in the background, many files at once.
  void will_read(std::span<const std::string> paths, std::size_t bytes) override {
    for (const std::string& path : paths) {
      const Descriptor fd = Descriptor::open(path, O_RDONLY | O_NONBLOCK);
      if (fd) ::posix_fadvise(fd.get(), 0, static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
    }
  }

  IoStatus sync_file(const std::string& path) override { return sync(path, O_NONBLOCK); }
  IoStatus sync_directory(const std::string& path) override { return sync(path, O_DIRECTORY); }

  // A descriptor is told of the write-back errors that happened while it was open. So one per file
  // system is kept open; otherwise an error between two calls could be lost because another process
  // was told of it first.
  IoStatus sync_all(const std::string& path) override {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) return last_failure("stat", path);
    bool remote = false;
    if (IoStatus status = is_remote(path, &remote); !status.ok()) return status;
    if (remote) return failure(ENOTSUP, "syncfs", path);
    int fd = -1;
    {
      Lock lock(mutex_);
      auto known = file_systems_.find(found.st_dev);
      if (known == file_systems_.end()) {
        Descriptor opened = Descriptor::open(path, O_RDONLY | O_NONBLOCK);
        if (!opened) return last_failure("open", path);
        known = file_systems_.emplace(found.st_dev, std::move(opened)).first;
      }
      fd = known->second.get();
    }
    return ::syncfs(fd) == 0 ? IoStatus{} : last_failure("syncfs", path);
  }

  IoStatus try_lock(const std::string& path, std::unique_ptr<FileLock>* out) override {
    return try_posix_lock(path, out);
  }

  IoStatus free_bytes(const std::string& path, std::uint64_t* out) override {
    boost::system::error_code error;
    const fs::space_info space = fs::space(path, error);
    if (!error) *out = space.available;
    return outcome(error, "ask the free space of", path);
  }

  IoStatus is_remote(const std::string& path, bool* out) override {
    struct statfs found {};
    if (uninterrupted([&] { return ::statfs(path.c_str(), &found); }) != 0) {
      return last_failure("statfs", path);
    }
    const auto type = static_cast<std::uint32_t>(found.f_type);
    *out = std::find(kRemoteTypes.begin(), kRemoteTypes.end(), type) != kRemoteTypes.end();
    return {};
  }

 private:
  static int flags_of(OpenMode mode) {
    switch (mode) {
      case OpenMode::read:
        return O_RDONLY | O_NONBLOCK;
      case OpenMode::read_write:
        return O_RDWR | O_NONBLOCK;
      case OpenMode::create:
        return O_RDWR | O_CREAT | O_EXCL;
    }
    return O_RDONLY;
  }

  // Takes away the rights that a file which was there already gives to others. Some file systems
  // have no modes.
  static int keep_private(int fd) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return errno;
    if (const int refusal = refusal_of(info)) return refusal;
    if ((info.st_mode & 0777) == kFileMode || ::fchmod(fd, kFileMode) == 0) return 0;
    return errno == EPERM || errno == ENOTSUP ? 0 : errno;
  }

  static IoStatus must_be_directory(const std::string& path) {
    boost::system::error_code error;
    if (fs::is_directory(path, error)) return {};
    return failure(ENOTDIR, "make directory", path);
  }

  IoStatus make_with_parents(const std::string& path) {
    const fs::path parent = fs::path(path).parent_path();
    if (parent.empty() || parent == path) return failure(ENOENT, "make directory", path);
    IoStatus made = make_directories(parent.string());
    if (!made.ok()) return made;
    if (::mkdir(path.c_str(), kDirectoryMode) == 0) return {};
    return errno == EEXIST ? must_be_directory(path) : last_failure("make directory", path);
  }

  static IoStatus sync(const std::string& path, int flags) {
    const Descriptor fd = Descriptor::open(path, O_RDONLY | flags);
    if (!fd) return last_failure("open", path);
    return ::fsync(fd.get()) == 0 ? IoStatus{} : last_failure("fsync", path);
  }

  Mutex mutex_;
  std::map<dev_t, Descriptor> file_systems_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<FileSystem> posix_file_system() {
  return std::make_shared<PosixFileSystem>();
}

}  // namespace tiercache
