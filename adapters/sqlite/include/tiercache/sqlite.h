// SQLite as the store: one file that any number of processes of one machine share.
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

// How much a `saved` promises.
enum class Synchronous : std::uint8_t {
  full,    // it survives power loss
  normal,  // it survives the death of the process; a power loss may undo the last commits
};

// Which file, and how it is used.
//
// | field              | meaning                             | default       | zero        |
// |--------------------|-------------------------------------|---------------|-------------|
// | path               | file; its directory must exist      | required      |             |
// | synchronous        | what a `saved` promises             | full          |             |
// | readers            | connections beside the writer       | 2             | not allowed |
// | max_document_bytes | larger are refused, at most 512 MiB | 64 MiB        | not allowed |
// | max_bytes          | the file grows no larger            | 0             | no bound    |
// | allow_remote       | take NFS, SMB, FUSE                 | false         |             |
// | clock              | for deadlines and `store_time`      | the machine's |             |
struct Options {
  std::string path;
  Synchronous synchronous = Synchronous::full;
  int readers = 2;
  std::size_t max_document_bytes = std::size_t{64} << 20;
  std::uint64_t max_bytes = 0;
  bool allow_remote = false;
  std::shared_ptr<Clock> clock = system_clock();
};

// A store in that file. `open` does no I/O: the first call that needs the file opens it, and makes
// it (mode 0600) if it is missing. A relative path starts at the current working directory of
// `open`. As long as the file cannot be opened the store answers `unavailable` and says why; it
// recovers by itself. Throws BadConfiguration for options that can never work. The format is
// docs/formats/sqlite-store.md.
//
// Do not carry the store across fork(), and do not open the same file in a child of a process that
// has it open, because SQLite would take the parent's locks for its own there. The child must start
// a program (exec) first.
std::shared_ptr<Store> open(Options options);
std::shared_ptr<Store> open(std::string_view path);

}  // namespace tiercache::sqlite
