// What processes write down of each call, for a checker that compares them afterwards.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tiercache/version.h"

namespace tiercache::testing {

// One call, with the times around it by the machine's monotonic clock, which all processes share.
struct Call {
  enum class Kind : std::uint8_t {
    read,          // served write `number` of version `version`
    read_nothing,  // served nothing
    put,           // acknowledged as `version`
    erase,         // acknowledged as `version`
    increment,     // acknowledged as `version`, from the count `number` stands on
    conflict,      // an increment was refused: another one came first
    wrong,         // a read served bytes that nobody wrote
    refused,       // a write ended at its deadline, not applied
    in_doubt,      // a write ended at its deadline; it may appear later
    failed,        // a write threw anything else
  };
  Kind kind = Kind::read;
  Kind wanted = Kind::read;  // what a write that threw was to be
  std::uint8_t process = 0;
  std::uint8_t thread = 0;
  std::uint8_t key = 0;
  std::uint32_t writer = 0;  // of the version
  std::uint64_t time = 0;    // of the version
  std::uint64_t number = 0;  // of the document (oracle/document.h)
  std::int64_t began = 0;    // ns
  std::int64_t ended = 0;    // ns

  Version version() const { return {.time = time, .writer = writer}; }
  void set_version(Version version) {
    time = version.time;
    writer = version.writer;
  }
};

// Appends to the file of one thread.
class CallLog {
 public:
  explicit CallLog(const std::filesystem::path& path) : out_(path, std::ios::binary) {}

  void add(const Call& call) { out_.write(reinterpret_cast<const char*>(&call), sizeof call); }

 private:
  std::ofstream out_;
};

inline std::vector<Call> read_calls(const std::filesystem::path& path) {
  std::vector<Call> calls(std::filesystem::file_size(path) / sizeof(Call));
  std::ifstream in(path, std::ios::binary);
  in.read(reinterpret_cast<char*>(calls.data()),
          static_cast<std::streamsize>(calls.size() * sizeof(Call)));
  return calls;
}

// When the heartbeats of a process were over (ns).
inline void write_beats(const std::filesystem::path& path, const std::vector<std::int64_t>& beats) {
  std::ofstream out(path);
  for (const std::int64_t beat : beats) out << beat << '\n';
}

inline std::vector<std::int64_t> read_beats(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istream_iterator<std::int64_t>(in), std::istream_iterator<std::int64_t>()};
}

}  // namespace tiercache::testing
