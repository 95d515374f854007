// SQLite as the store: one file, shared by any number of processes of one machine.
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
  full,    // survives power loss
  normal,  // survives the death of the process; the last commits before a power loss may be gone
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

// A store in that file. Does no I/O: the file is opened, and made when missing (mode 0600), by the
// first call that needs it; a relative path starts at the working directory of now. While that
// fails the store answers `unavailable` and says why; it recovers by itself. Throws
// BadConfiguration for options that can never work. The format is docs/formats/sqlite-store.md.
//
// Do not carry it across fork(), nor open the same file in a child of a process that has it open:
// SQLite takes the parent's locks for its own there. The child starts a program (exec) first.
std::shared_ptr<Store> open(Options options);
std::shared_ptr<Store> open(std::string_view path);

}  // namespace tiercache::sqlite
