// The port through which the cache touches its directory. The real one is POSIX; the tests' one
// records every operation and enumerates what a power loss could leave.
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
  std::string what;  // which operation failed on which path, for a person to read; empty on success

  // The operation worked.
  bool ok() const { return error == 0; }
  // No such name; a file in the place of a directory above it counts as that.
  bool absent() const { return error == ENOENT || error == ENOTDIR; }
};

// An open file. Not thread-safe, except that `sync_data` may run beside `write_at`. Closes on
// destruction.
class File {
 public:
  virtual ~File() = default;
  // Reads up to `size` bytes at `offset` into `*out`; fewer at the end of the file.
  virtual IoStatus read_at(std::uint64_t offset, std::size_t size, std::string* out) = 0;
  // Writes all of `bytes` or fails.
  virtual IoStatus write_at(std::uint64_t offset, std::string_view bytes) = 0;
  // The file's length in bytes.
  virtual IoStatus size(std::uint64_t* out) = 0;
  // Makes the file this long: what is beyond goes, what is missing is zeros.
  virtual IoStatus truncate(std::uint64_t size) = 0;
  // fdatasync: the file's bytes and size survive power loss once this succeeds.
  virtual IoStatus sync_data() = 0;
};

// Held until destroyed; the system drops it when the process dies (an open-file-description lock).
// A forked child has no part in it.
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
  bool directory = false;  // it is a directory
  // The same as long as the name leads to the same file, and another one for every other file that
  // is open or locked meanwhile, on whichever file system: one may be mounted over the directory.
  // For use within a process's life alone. 0: the file system cannot tell.
  std::uint64_t identity = 0;
  // These tell a file from what it was before without reading it, by another process or before a
  // restart: so the inode is without the number of the device, which a restart may change, and
  // which is part of the identity. As far as they go, since clocks have ticks and can be set, and
  // inodes are used again. Times are nanoseconds since the epoch by the file system's clock. Zeros
  // where a file system cannot say.
  std::uint64_t inode = 0;
  std::int64_t modified_ns = 0;  // of the bytes
  std::int64_t changed_ns = 0;   // of the bytes, the names or the owner; no program can set it
};

// One name in a directory, as `list` gives it.
struct DirectoryItem {
  std::string name;        // without the directory's path
  bool directory = false;  // it is a directory
};

// One file of a directory, as `list_files` gives it.
struct ListedFile {
  std::string name;  // without the directory's path
  FileInfo info;     // as `info` has it
};

// The operations on names. Thread-safe; no function throws. Paths are absolute or relative to the
// process; names are taken byte for byte.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // The path with the process's working directory before it where it is relative: it leads to the
  // same file after a chdir. Nothing is resolved, so that ".." behind a link goes on meaning what
  // it meant. A file system without a working directory leaves every path as it is.
  virtual IoStatus absolute(const std::string& path, std::string* out) {
    *out = path;
    return {};
  }

  // Opens a file. ENOENT where it must exist and does not, EEXIST where it must not and does.
  virtual IoStatus open(const std::string& path, OpenMode mode, std::unique_ptr<File>* out) = 0;
  // The whole file in one go; EFBIG when it is larger than `max_bytes`. `*out` keeps its capacity.
  virtual IoStatus read_file(const std::string& path, std::size_t max_bytes, std::string* out) = 0;
  // Creates or truncates and writes all of it, mode 0600; no sync.
  virtual IoStatus write_file(const std::string& path, std::string_view bytes) = 0;
  // Moves `from` over `to`, atomically for readers.
  virtual IoStatus rename(const std::string& from, const std::string& to) = 0;
  // Swaps the two names atomically; ENOTSUP or EINVAL where the file system cannot, ENOENT when
  // either is missing.
  virtual IoStatus exchange(const std::string& a, const std::string& b) = 0;
  // Takes the name of a file away; ENOENT when there is none.
  virtual IoStatus remove_file(const std::string& path) = 0;
  // The directory and all in it. Absent is success.
  virtual IoStatus remove_tree(const std::string& path) = 0;
  // The directory and its missing parents, mode 0700. Existing is success.
  virtual IoStatus make_directories(const std::string& path) = 0;
  // Names in the directory, sorted.
  virtual IoStatus list(const std::string& path, std::vector<DirectoryItem>* out) = 0;
  // What is known of the file or directory of this name; ENOENT when there is none.
  virtual IoStatus info(const std::string& path, FileInfo* out) = 0;
  // The files in the directory, without the directories in it, as `info` has them. In no order.
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
  // The first `bytes` of these files will be read soon, so that a disk may bring them in together.
  // A hint.
  virtual void will_read(std::span<const std::string> /*paths*/, std::size_t /*bytes*/) {}
  // fsync of the file by path.
  virtual IoStatus sync_file(const std::string& path) = 0;
  // fsync of a directory: the names in it survive power loss.
  virtual IoStatus sync_directory(const std::string& path) = 0;
  // syncfs of the file system that holds `path`. ENOTSUP where that would promise more than it
  // does, as on FUSE, which answers and does nothing: files have to be synced one by one there.
  virtual IoStatus sync_all(const std::string& path) = 0;
  // Takes an exclusive lock on the file (created when missing) without waiting; EAGAIN when another
  // holder has it, in this process or another. On a disk mounted for reading it may be shared by
  // others who lock it there, and a missing file is EROFS.
  virtual IoStatus try_lock(const std::string& path, std::unique_ptr<FileLock>* out) = 0;
  // Maps `count` counters that all processes share which name the same file; made of zeros when
  // missing. To be used by atomic operations alone; what they hold after a crash is of no account.
  // ENOTSUP where the file system cannot.
  virtual IoStatus map_counters(const std::string& path, std::size_t /*count*/,
                                std::shared_ptr<std::uint32_t>* /*out*/) {
    return {ENOTSUP, "share counters in \"" + path + "\": not supported"};
  }
  // Bytes free for an ordinary user.
  virtual IoStatus free_bytes(const std::string& path, std::uint64_t* out) = 0;
  // True for NFS, SMB, FUSE and the like, on which locks and syncs cannot be trusted.
  virtual IoStatus is_remote(const std::string& path, bool* out) = 0;
};

// The machine's own.
std::shared_ptr<FileSystem> posix_file_system();

}  // namespace tiercache
