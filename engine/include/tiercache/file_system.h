// The port through which the cache works with its directory. The real file system is POSIX; that of
// the tests (`testing::MemoryDisk`) can fail, and shows what a power loss may leave.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tiercache {

// The outcome of a file operation.
struct IoStatus {
  int error = 0;     // an errno value; 0: it worked
  std::string what;  // which operation failed on which path, for people to read; empty on success

  // Returns whether the operation worked.
  bool ok() const { return error == 0; }
  // Returns whether it failed because there is no such name, or a file where a directory should be.
  bool absent() const { return error == ENOENT || error == ENOTDIR; }
};

// An open file. Not thread-safe, except that `sync_data` may run beside `write_at`. Closes on
// destruction.
class File {
 public:
  virtual ~File() = default;
  // Reads `size` bytes at `offset` into `*out`, or fewer if the file ends before that.
  virtual IoStatus read_at(std::uint64_t offset, std::size_t size, std::string* out) = 0;
  // Writes all of `bytes` or fails.
  virtual IoStatus write_at(std::uint64_t offset, std::string_view bytes) = 0;
  // Sets `*out` to the file's length in bytes.
  virtual IoStatus size(std::uint64_t* out) = 0;
  // Makes the file this long: what is beyond is cut off, and what is missing is filled with zeros.
  virtual IoStatus truncate(std::uint64_t size) = 0;
  // fdatasync: the file's bytes and size survive power loss once this succeeds.
  virtual IoStatus sync_data() = 0;
};

// A lock on a file, held until it is destroyed. The system releases it when the process dies (it is
// an open-file-description lock), and a forked child does not hold it.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// What a file is opened for.
enum class OpenMode : std::uint8_t {
  read,        // must exist
  read_write,  // must exist
  create,      // read and write; must not exist; mode 0600
};

// What is known of a name without reading the file.
struct FileInfo {
  std::uint64_t size = 0;  // the file's length in bytes
  bool directory = false;  // whether it is a directory
  // Stays the same as long as the name leads to the same file, and differs from that of every other
  // file that is open or locked meanwhile, on any file system, since one may be mounted over the
  // directory. Means nothing to another process or after a restart. 0: the file system cannot say.
  std::uint64_t identity = 0;
  // The next three show that a file has changed without reading it, even to another process or
  // after a restart. (So the inode comes without the device's number, which is part of the identity
  // and may change with a restart.) They are no proof, because clocks have ticks and can be set,
  // and inodes are used again. Times are nanoseconds since the Unix epoch by the file system's
  // clock. Zero means that the file system cannot say.
  std::uint64_t inode = 0;
  std::int64_t modified_ns = 0;  // when the bytes last changed
  std::int64_t changed_ns = 0;   // when bytes, names or owner last changed; no program can set it
};

// One name in a directory, as `list` gives it.
struct DirectoryItem {
  std::string name;        // without the directory's path
  bool directory = false;  // whether it is a directory
};

// One file of a directory, as `list_files` gives it.
struct ListedFile {
  std::string name;  // without the directory's path
  FileInfo info;     // what `FileSystem::info` says of it
};

// The operations on names. Implementations must be thread-safe, and no function may throw. Paths
// are absolute, or relative to the process's working directory; names are taken byte for byte.
// Outputs (`*out`) mean something only if the operation worked.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Makes a relative path absolute by putting the process's working directory before it, so that it
  // leads to the same file after a chdir. Nothing is resolved, because ".." behind a link must go
  // on meaning what it meant. A file system without a working directory leaves every path as it is.
  virtual IoStatus absolute(const std::string& path, std::string* out) {
    *out = path;
    return {};
  }

  // Opens a file. Fails with ENOENT if it must exist and does not, and with EEXIST if it must not
  // exist and does.
  virtual IoStatus open(const std::string& path, OpenMode mode, std::unique_ptr<File>* out) = 0;
  // Reads the whole file. Fails with EFBIG if it is larger than `max_bytes`. `*out` keeps its
  // capacity.
  virtual IoStatus read_file(const std::string& path, std::size_t max_bytes, std::string* out) = 0;
  // Writes the whole file, which is created with mode 0600 or truncated. Does not sync.
  virtual IoStatus write_file(const std::string& path, std::string_view bytes) = 0;
  // Moves `from` to `to`, replacing what is there, in one step for readers.
  virtual IoStatus rename(const std::string& from, const std::string& to) = 0;
  // Swaps the two names in one step. Fails with ENOTSUP or EINVAL if the file system cannot do
  // that, and with ENOENT if either name is missing.
  virtual IoStatus exchange(const std::string& a, const std::string& b) = 0;
  // Removes the name of a file. Fails with ENOENT if there is none.
  virtual IoStatus remove_file(const std::string& path) = 0;
  // Removes the directory and everything in it. Succeeds if there is none.
  virtual IoStatus remove_tree(const std::string& path) = 0;
  // Makes the directory and its missing parents, with mode 0700. Succeeds if it exists.
  virtual IoStatus make_directories(const std::string& path) = 0;
  // Lists the names in the directory, sorted. Fails with ENOENT if there is no such directory.
  virtual IoStatus list(const std::string& path, std::vector<DirectoryItem>* out) = 0;
  // Tells what is known of the file or directory of this name. Fails with ENOENT if there is none.
  virtual IoStatus info(const std::string& path, FileInfo* out) = 0;
  // Lists the files in the directory, but not the directories in it, with what `info` says of them,
  // in no particular order.
  virtual IoStatus list_files(const std::string& path, std::vector<ListedFile>* out) {
    std::vector<DirectoryItem> items;
    IoStatus status = list(path, &items);
    out->clear();
    for (DirectoryItem& item : items) {
      ListedFile file{std::move(item.name), {}};
      if (item.directory || info(path + "/" + file.name, &file.info).absent()) continue;
      out->push_back(std::move(file));
    }
    return status;
  }
  // Hints that the first `bytes` of these files will be read soon, so that a disk may read them
  // together.
  virtual void will_read(std::span<const std::string> /*paths*/, std::size_t /*bytes*/) {}
  // fsync: the file's bytes survive power loss once this succeeds.
  virtual IoStatus sync_file(const std::string& path) = 0;
  // fsync of a directory: the names in it survive power loss once this succeeds.
  virtual IoStatus sync_directory(const std::string& path) = 0;
  // syncfs: everything on the file system that holds `path` survives power loss once this succeeds.
  // Fails with ENOTSUP if the file system would only claim that, as FUSE does: there files have to
  // be synced one by one.
  virtual IoStatus sync_all(const std::string& path) = 0;
  // Takes an exclusive lock on the file, which is created if it is missing, without waiting. Fails
  // with EAGAIN if somebody else holds it, in this process or another. On a disk that is mounted
  // read-only, others who lock it there may share the lock, and a missing file is EROFS.
  virtual IoStatus try_lock(const std::string& path, std::unique_ptr<FileLock>* out) = 0;
  // Maps `count` counters that are shared by all processes that map the same file; it is created
  // with zeros if it is missing. They may be used by atomic operations only, and their values after
  // a crash do not matter. Fails with ENOTSUP if the file system cannot do that.
  virtual IoStatus map_counters(const std::string& path, std::size_t /*count*/,
                                std::shared_ptr<std::uint32_t>* /*out*/) {
    return {ENOTSUP, "share counters in \"" + path + "\": not supported"};
  }
  // Sets `*out` to the number of bytes that an ordinary user can still write there.
  virtual IoStatus free_bytes(const std::string& path, std::uint64_t* out) = 0;
  // Sets `*out` to true for NFS, SMB, FUSE and the like, whose locks and syncs cannot be trusted.
  virtual IoStatus is_remote(const std::string& path, bool* out) = 0;
};

// Returns the machine's own file system.
std::shared_ptr<FileSystem> posix_file_system();

}  // namespace tiercache
