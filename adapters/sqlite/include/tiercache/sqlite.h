// SQLite as the store: one file that any number of processes of one machine share. Its format is
// described in docs/formats/sqlite-store.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tiercache/clock.h"
#include "tiercache/store.h"

namespace tiercache::sqlite {

// What the store promises of a write that is `saved`.
enum class Synchronous : std::uint8_t {
  full,    // it survives power loss
  normal,  // it survives the death of the process; a power loss may undo the last commits
};

// Which file is used, and how.
//
// | field              | meaning                                    | default       | zero        |
// |--------------------|--------------------------------------------|---------------|-------------|
// | path               | the file; its directory must exist         | required      | not allowed |
// | synchronous        | what is promised of a `saved` write        | full          |             |
// | readers            | how many connections read at once; 1 to 64 | 2             | not allowed |
// | max_document_bytes | larger ones are refused; at most 512 MiB   | 64 MiB        | not allowed |
// | max_bytes          | how large the file may grow                | 0             | no bound    |
// | allow_remote       | accept NFS, SMB, FUSE                      | false         |             |
// | clock              | the clock of deadlines and `store_time`    | the machine's | not allowed |
struct Options {
  std::string path;
  Synchronous synchronous = Synchronous::full;
  int readers = 2;
  std::size_t max_document_bytes = std::size_t{64} << 20;
  std::uint64_t max_bytes = 0;
  bool allow_remote = false;
  std::shared_ptr<Clock> clock = system_clock();
};

// Returns a store in that file. Does no I/O: the first call that needs the file opens it, and makes
// it (mode 0600) if it is missing. A relative path is relative to the working directory at this
// call. While the file cannot be opened the store answers `unavailable` and says why; it recovers
// by itself. Throws `BadConfiguration` for options that can never work. Thread-safe.
//
// Do not carry the store across fork(), and do not open the same file in a child of a process that
// has it open, because there SQLite would take the parent's locks for its own. The child must start
// a program (exec) first.
std::shared_ptr<Store> open(Options options);
// The same with all other options at their defaults.
std::shared_ptr<Store> open(std::string_view path);

}  // namespace tiercache::sqlite
