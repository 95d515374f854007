// The memory that all processes on the directory share, by a file that they map: the counters of
// `Generations`, with which each tells the others that it changed a file, and behind them those of
// `WriteOrder`. Where it cannot be shared each process is alone, and sees others' writes within
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

  // Maps the file, which is made where it is missing. Null where it cannot be shared: the log is
  // told why.
  std::shared_ptr<std::uint32_t> map();
  // They are mapped, and others may be too.
  bool are_shared() const { return identity_ != 0; }
  // False when the file was deleted or replaced since it was mapped. Where nothing is shared there
  // is none.
  bool stand() const;

 private:
  Runtime& runtime_;
  const std::string path_;
  std::atomic<std::uint64_t> identity_{0};  // of the mapped file
};

}  // namespace tiercache::detail
