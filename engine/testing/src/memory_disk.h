// What stands behind one `MemoryDisk` and all its boots.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "disk_model.h"
#include "tiercache/file_system.h"
#include "tiercache/testing/memory_file_system.h"

namespace tiercache::testing {

using Guard = std::lock_guard<std::mutex>;
using Hook = std::function<void(std::uint64_t, const std::string&)>;

// Everything behind one disk. The mutex is not held while a test's hook or fault runs.
struct Disk {
  std::mutex mutex;
  DiskModel model;
  std::uint64_t operations = 0;
  Hook hook;
  MemoryDisk::Fault fault;
  std::uint64_t capacity = 0;
  // By how much the clock goes on with each operation.
  std::chrono::nanoseconds pace = std::chrono::milliseconds(50);
  std::uint64_t inodes = 0;
  bool read_only = false;
  bool remote = false;
  std::uint64_t last_boot = 0;
  std::set<std::uint64_t> living;
  std::uint64_t last_lock = 0;
  struct Holder {
    std::uint64_t lock = 0;
    std::uint64_t boot = 0;
  };
  std::map<const Node*, Holder> locks;
  std::map<std::string, std::shared_ptr<std::uint32_t>> counters;  // by path
  // Boots that have yet to be told that another one's sync of everything failed, and with what.
  std::map<std::uint64_t, int> untold_failures;

  void end_boot(std::uint64_t boot) {
    living.erase(boot);
    untold_failures.erase(boot);
    std::erase_if(locks, [&](const auto& item) { return item.second.boot == boot; });
  }

  // Syncs everything, or fails. Linux tells each process once of what was not written back, whoever
  // tried: so what another one left in doubt is told to this one, although its own sync works.
  int sync_all(std::uint64_t boot, int failure) {
    if (failure != 0) {
      model.fail_sync_all();
      for (const std::uint64_t other : living) {
        if (other != boot) untold_failures[other] = failure;
      }
      return failure;
    }
    model.sync_all();
    const auto untold = untold_failures.extract(boot);
    return untold ? untold.mapped() : 0;
  }

  // Writes as much as the capacity allows.
  int write(const NodePtr& file, std::uint64_t offset, std::string_view bytes) {
    const std::uint64_t room = capacity == 0 ? UINT64_MAX : capacity - std::min(capacity, used());
    const std::uint64_t size = file->content.size();
    const std::uint64_t end = room > UINT64_MAX - size ? UINT64_MAX : size + room;
    const std::uint64_t fits = end > offset ? end - offset : 0;
    const bool all = bytes.size() <= fits;
    model.write(file, offset, all ? bytes : bytes.substr(0, static_cast<std::size_t>(fits)));
    return all ? 0 : ENOSPC;
  }
  int truncate(const NodePtr& file, std::uint64_t size) {
    const std::uint64_t old_size = file->content.size();
    if (capacity != 0 && size > old_size && used() + (size - old_size) > capacity) return ENOSPC;
    model.truncate(file, size);
    return 0;
  }
  std::uint64_t used() const { return model.used_bytes(); }
  bool takes_another_name() const { return inodes == 0 || model.inodes() < inodes; }
};

using DiskPtr = std::shared_ptr<Disk>;

// The file system of one boot, which must be among the living.
std::shared_ptr<FileSystem> make_memory_file_system(DiskPtr disk, std::uint64_t boot);
// Which boot a file system made by this belongs to.
std::uint64_t boot_of(const FileSystem& file_system);

}  // namespace tiercache::testing
