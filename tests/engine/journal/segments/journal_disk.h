// Where the tests of the journal have it on a disk in memory.
#pragma once

#include <string>
#include <vector>

#include "tiercache/testing/memory_file_system.h"

namespace tiercache::testing {

inline constexpr char kDirectory[] = "/cache/journal";
// The cache's directory is there before its journal.
inline constexpr char kMarker[] = "/cache/tiercache.json";

// Paths of segment files on the disk.
inline std::vector<std::string> segment_files(const MemoryDisk& disk) {
  std::vector<std::string> found;
  for (const std::string& path : disk.files()) {
    if (path.ends_with(".seg")) found.push_back(path);
  }
  return found;
}

inline std::vector<std::string> quarantined_files(const MemoryDisk& disk) {
  std::vector<std::string> found;
  for (const std::string& path : disk.files()) {
    if (path.find("/quarantine/") != std::string::npos) found.push_back(path);
  }
  return found;
}

}  // namespace tiercache::testing
