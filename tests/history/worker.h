// One process of a history.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>

namespace tiercache::testing {

struct WorkerStart {
  std::filesystem::path root;  // of directory, store and logs
  std::uint64_t process = 0;
  std::uint64_t operations = 0;
  std::uint64_t seed = 0;
  std::chrono::milliseconds skew{0};  // of its time of day
};

// Makes its calls and writes them down; returns the process's exit status.
int work(const WorkerStart& start);

// Paths that all agree on.
std::filesystem::path log_of(const std::filesystem::path& root, std::uint64_t process, int thread);
std::filesystem::path directory_of(const std::filesystem::path& root);
std::filesystem::path store_of(const std::filesystem::path& root);

}  // namespace tiercache::testing
