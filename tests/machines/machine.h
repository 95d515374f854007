// One life of a machine: a process with a directory of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "machines/checker.h"

namespace tiercache::testing {

// Shared by all processes: how far each machine is, whatever becomes of its process.
struct Progress {
  std::atomic<std::uint64_t> calls{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

struct Life {
  std::filesystem::path root;  // of the directories and records
  std::string url;             // of the store
  std::uint64_t machine = 0;
  std::uint64_t number = 0;  // counts the machine's lives
  std::uint64_t calls = 0;   // of all its lives
  std::uint64_t seed = 0;
  std::chrono::milliseconds skew{0};  // of its time of day
  Progress* progress = nullptr;
  int ready = -1;  // a byte is written there when all calls are made and sent
  int quiet = -1;  // ends when all machines are ready
};

// Makes the machine's calls, unless all are made, until SIGTERM; then comes to rest beside the
// others and writes down what it holds. Returns the process's exit status.
int live(const Life& life);
inline constexpr int kAtRest = 0;
inline constexpr int kAskedToEnd = 3;

// Before any machine lives: gives each key that is erased a row, so that an erase finds one.
int found(const Life& life);

std::filesystem::path record_of(const std::filesystem::path& root, std::uint64_t machine);
// What the machine's last life held of each key.
std::filesystem::path holding_of(const std::filesystem::path& root, std::uint64_t machine);
std::vector<Standing> read_holding(const std::filesystem::path& path);

}  // namespace tiercache::testing
