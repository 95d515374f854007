// What machines write down of their calls, for a checker that compares them afterwards.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

#include "tiercache/version.h"

namespace tiercache::testing {

enum class Op : std::uint8_t {
  put,
  count,       // a put with `if_version`
  erase,       // of the key, or of all keys that match a pattern
  invalidate,  // no content of its own
  refresh,     // the source answers; nobody is told what becomes of it
  none,        // not a write
};

enum class Told : std::uint8_t {
  nothing,         // the call is under way, or its process was killed meanwhile
  journaled,       // on disk here, on its way to the store
  stored,          // the store has confirmed it
  superseded,      // something else won
  not_applied,     // it is nowhere and never will be: a conflict, or NotDurable (not_applied)
  in_doubt,        // no answer in time, closed meanwhile, NotDurable (unknown)
  served,          // of a read: a document that may not be looked at further
  wrong_bytes,     // of a read: a document that nobody wrote under this key
  wrong_metadata,  // of a read: that of write `base_number` with the document of `number`
  broken,          // an answer that is never right; the log of the process says what
};

struct Call {
  Op op = Op::none;
  Told told = Told::nothing;
  std::uint8_t machine = 0;
  std::uint8_t key = 0;
  std::uint32_t writer = 0;       // of the version
  std::uint64_t time = 0;         // of the version
  std::uint64_t number = 0;       // of the document, or of the erase or invalidation
  std::uint64_t base_number = 0;  // of the document that it was made from
  std::uint64_t base_time = 0;
  std::uint32_t base_writer = 0;
  std::uint32_t reserved = 0;

  Version version() const { return {.time = time, .writer = writer}; }
  Version base() const { return {.time = base_time, .writer = base_writer}; }
  void set_version(Version version) {
    time = version.time;
    writer = version.writer;
  }
  void set_base(Version version) {
    base_time = version.time;
    base_writer = version.writer;
  }
};

// Appends to a file, which survives the process at any instant. Thread-safe.
class CallLog {
 public:
  explicit CallLog(const std::filesystem::path& path)
      : file_(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) {
    if (file_ < 0) throw std::system_error(errno, std::generic_category(), path.string());
  }
  ~CallLog() { ::close(file_); }
  CallLog(const CallLog&) = delete;
  CallLog& operator=(const CallLog&) = delete;

  void add(const Call& call) {
    if (::write(file_, &call, sizeof call) != static_cast<ssize_t>(sizeof call)) {
      throw std::system_error(errno, std::generic_category(), "the record of calls");
    }
  }

 private:
  const int file_;
};

inline std::vector<Call> read_calls(const std::filesystem::path& path) {
  std::vector<Call> calls(std::filesystem::file_size(path) / sizeof(Call));
  std::ifstream in(path, std::ios::binary);
  in.read(reinterpret_cast<char*>(calls.data()),
          static_cast<std::streamsize>(calls.size() * sizeof(Call)));
  return calls;
}

}  // namespace tiercache::testing
