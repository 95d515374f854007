// What the parts of the machine's file system have in common: descriptors, and how a failed call is
// reported.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "tiercache/file_system.h"

namespace tiercache {

inline constexpr mode_t kFileMode = 0600;       // I11
inline constexpr mode_t kDirectoryMode = 0700;  // I11

inline IoStatus failure(int error, std::string_view operation, const std::string& path) {
  std::string what;
  what.append(operation).append(" \"").append(path).append("\": ");
  what += std::generic_category().message(error);
  return {error, std::move(what)};
}

inline IoStatus last_failure(std::string_view operation, const std::string& path) {
  return failure(errno, operation, path);
}

// Repeats a system call as long as signals interrupt it.
template <class Call>
auto uninterrupted(Call call) -> decltype(call()) {
  decltype(call()) result;
  do {
    result = call();
  } while (result == -1 && errno == EINTR);
  return result;
}

// Owns a descriptor. Programs that this one starts do not inherit it.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { close(); }

  static Descriptor open(const std::string& path, int flags) {
    return Descriptor(
        uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kFileMode); }));
  }
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  // EINTR is no failure here, because on Linux the descriptor is closed even then.
  int close() {
    return fd_ < 0 || ::close(std::exchange(fd_, -1)) == 0 || errno == EINTR ? 0 : errno;
  }

 private:
  int fd_;
};

inline bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace tiercache
