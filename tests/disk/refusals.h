// Whole caches on a disk that refuses calls, one by one or for a while.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tiercache::testing {

struct Refusal {
  int error = 0;
  std::uint64_t call = 0;   // of the file system port, from 1; 0: none
  std::uint64_t calls = 1;  // from then on
  bool store = true;
  bool deleted = false;  // instead of an error the directory is gone
  std::uint64_t seed = 1;

  std::string describe() const;
};

struct DiskFigures {
  std::uint64_t states = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t stored_alone = 0;
  std::uint64_t refused = 0;
};

// Every call of a run, with each error, alone and for a while, with a store and without.
std::vector<Refusal> every_refusal(std::uint64_t seed);
// The directory deleted at every call of a run.
std::vector<Refusal> every_deletion(std::uint64_t seed);
// Nullopt, or the promise that broke.
std::optional<std::string> check(const Refusal& refusal, DiskFigures& figures);

}  // namespace tiercache::testing
