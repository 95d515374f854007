// One process of a history.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "tiercache/file_system.h"

namespace tiercache::testing {

struct WorkerStart {
  std::filesystem::path root;  // of directory, store and logs
  std::uint64_t process = 0;
  std::uint64_t operations = 0;
  std::uint64_t seed = 0;
  std::chrono::milliseconds skew{0};  // of its time of day
  std::shared_ptr<FileSystem> disk = posix_file_system();
};

// Makes its calls and writes them down; returns the process's exit status.
int work(const WorkerStart& start);

// Paths that all agree on.
std::filesystem::path log_of(const std::filesystem::path& root, std::uint64_t process, int thread);
std::filesystem::path beats_of(const std::filesystem::path& root, std::uint64_t process);
std::filesystem::path directory_of(const std::filesystem::path& root);
std::filesystem::path store_of(const std::filesystem::path& root);

}  // namespace tiercache::testing
