// A disk in memory with a few directories, and what may be left of it after a power loss.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "tiercache/testing/memory_file_system.h"

namespace tiercache::testing {

inline constexpr std::uint64_t kSeeds = 600;
inline constexpr char kGone[] = "gone";

inline std::string content(const MemoryDisk& disk, const std::string& path) {
  std::string out;
  return disk.read(path, &out) ? out : kGone;
}

// Every content of `path` that the seeds reach.
inline std::set<std::string> reachable(const MemoryDisk& disk, const std::string& path) {
  std::set<std::string> out;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    out.insert(content(*disk.after_power_loss(seed), path));
  }
  return out;
}

inline std::string listing(const MemoryDisk& disk) {
  std::string out;
  for (const std::string& path : disk.files()) out += path + "=" + content(disk, path) + ";";
  return out;
}

inline std::set<std::string> reachable(const MemoryDisk& disk) {
  std::set<std::string> out;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    out.insert(listing(*disk.after_power_loss(seed)));
  }
  return out;
}

using States = std::set<std::string>;

class MemoryDiskTest : public ::testing::Test {
 protected:
  MemoryDiskTest() {
    fs_->make_directories("/d/a");
    fs_->make_directories("/d/b");
    fs_->sync_all("/d");
  }
  void write(const std::string& path, std::string_view bytes) {
    ASSERT_TRUE(fs_->write_file(path, bytes).ok());
  }
  void write_durably(const std::string& path, std::string_view bytes) {
    write(path, bytes);
    ASSERT_TRUE(fs_->sync_all("/d").ok());
  }
  std::unique_ptr<File> open(const std::string& path, OpenMode mode = OpenMode::read_write) {
    std::unique_ptr<File> file;
    EXPECT_TRUE(fs_->open(path, mode, &file).ok());
    return file;
  }

  MemoryDisk disk_;
  std::shared_ptr<FileSystem> fs_ = disk_.boot();
};

}  // namespace tiercache::testing
