// The ways in which a disk takes nothing new, and a machine that has one.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {

// How the disk refuses, and what ends it.
struct Refusal {
  const char* name;
  std::function<void(MemoryDisk&)> begin;
  std::function<void(MemoryDisk&)> end;

  friend void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.name; }
};

// Every operation that would make a name fails, also where it would free one first.
inline void refuse_names(MemoryDisk& disk, int error) {
  disk.set_fault([&disk, error](const std::string& operation, const std::string& path) {
    std::string there;
    const bool makes = operation == "make_directories" || operation == "write_file" ||
                       operation == "open" || operation == "try_lock" || operation == "rename";
    return makes && !disk.read(path, &there) ? error : 0;
  });
}

inline std::vector<Refusal> refusals() {
  const auto no_fault = [](MemoryDisk& disk) { disk.set_fault({}); };
  return {{"no_inodes", [](MemoryDisk& disk) { disk.set_inodes(disk.used_inodes()); },
           [](MemoryDisk& disk) { disk.set_inodes(0); }},
          {"read_only", [](MemoryDisk& disk) { disk.set_read_only(true); },
           [](MemoryDisk& disk) { disk.set_read_only(false); }},
          {"full", [](MemoryDisk& disk) { refuse_names(disk, ENOSPC); }, no_fault},
          {"over_quota", [](MemoryDisk& disk) { refuse_names(disk, EDQUOT); }, no_fault},
          {"no_descriptors", [](MemoryDisk& disk) { refuse_names(disk, EMFILE); }, no_fault}};
}

// With a cache of one dataset, "d".
class RefusingMachine {
 protected:
  void open(const std::function<void(CacheOptions&)>& adjust = {}) {
    cache_ = world_.open(adjust);
    data_.emplace(
        cache_->dataset("d", {.keyed = true, .fresh_for = 24h, .hydrate = Hydrate::none()}));
  }
  void close() {
    cache_->close();
    data_.reset();
    cache_.reset();
  }
  void end(const Refusal& refusal) {
    refusal.end(world_.disk);
    if (cache_) world_.kill(cache_);
  }
  // All works by itself once the disk takes something again.
  void recover(const Refusal& refusal) {
    refusal.end(world_.disk);
    ASSERT_TRUE(world_.run_until([&] {
      const Health health = cache_->health();
      return health.journal.working && health.files.working;
    })) << cache_->health().journal.why
        << cache_->health().files.why;
  }

  World world_;
  std::unique_ptr<Cache> cache_;
  std::optional<Dataset<JsonText>> data_;
};

}  // namespace tiercache::testing
