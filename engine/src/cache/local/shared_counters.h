// The memory that all processes on the directory share, by a file that they map: the counters of
// `Generations`, with which each tells the others that it changed a file, and behind them those of
// `WriteOrder`. If it cannot be shared, each process is alone and sees others' writes within
// `memory.ttl`.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "cache/runtime/runtime.h"

namespace tiercache::detail {

// Thread-safe.
class SharedCounters {
 public:
  explicit SharedCounters(Runtime& runtime);

  // Maps the file, and makes it if it is missing. Null if it cannot be shared, as on a remote disk;
  // if the disk refuses it, the log says why.
  std::shared_ptr<std::uint32_t> map();
  // True if the file is mapped, as other processes may have it too.
  bool are_shared() const { return identity_ != 0; }
  // False if the file was deleted or replaced since it was mapped. True if nothing is shared.
  bool stand() const;

 private:
  Runtime& runtime_;
  const std::string path_;
  std::atomic<std::uint64_t> identity_{0};  // of the mapped file
};

}  // namespace tiercache::detail
