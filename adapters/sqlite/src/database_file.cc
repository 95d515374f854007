#include "database_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "connection.h"
#include "tiercache/file_system.h"

namespace tiercache::sqlite {

namespace {

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw SqlError(SQLITE_CANTOPEN, path + ": " + why);
}

[[noreturn]] void fail_with_errno(const std::string& path, const std::string& what) {
  const int error = errno;
  fail(path, what + ": " + std::generic_category().message(error));
}

std::string directory_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

// Takes away what a file of this user allows to others. It goes by the name: closing a descriptor
// of a database's file would drop every lock that this process holds on it (POSIX), including those
// of other connections.
void make_private(const std::string& path) {
  struct stat info {};
  constexpr mode_t kOthers = S_IRWXG | S_IRWXO;
  if (::stat(path.c_str(), &info) != 0 || info.st_uid != ::geteuid()) return;
  if ((info.st_mode & kOthers) != 0) ::chmod(path.c_str(), S_IRUSR | S_IWUSR);
}

}  // namespace

void prepare_file(const Options& options) {
  const std::string& path = options.path;
  const auto files = posix_file_system();
  const std::string directory = directory_of(path);
  bool remote = false;
  if (!options.allow_remote && files->is_remote(directory, &remote).ok() && remote) {
    fail(path, "on a network file system, whose locks cannot be trusted");
  }
  if (::mknod(path.c_str(), S_IFREG | S_IRUSR | S_IWUSR, 0) == 0) {
    if (const IoStatus synced = files->sync_directory(directory); !synced.ok()) {
      fail(path, "its directory cannot be synced: " + synced.what);
    }
    return;
  }
  if (errno != EEXIST) fail_with_errno(path, "cannot be made");
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) fail_with_errno(path, "cannot be read");
  if (!S_ISREG(info.st_mode)) fail(path, "not a regular file");
  make_private(path);
}

void secure_log_files(const std::string& path) {
  make_private(path + "-wal");
  make_private(path + "-shm");
}

}  // namespace tiercache::sqlite
