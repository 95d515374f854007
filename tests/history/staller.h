// Makes processes and their disk stand still for a while, one after another.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "lib/stalling_disk.h"
#include "oracle/dice.h"

namespace tiercache::testing {

// What stands still is thrown: one of the processes (SIGSTOP), the disk (nothing but reads comes
// through), or its syncs alone, as they do beside somebody who writes a lot.
class Staller {
 public:
  Staller(std::vector<pid_t> processes, std::shared_ptr<DiskGates> gates, std::uint64_t seed)
      : processes_(std::move(processes)), gates_(std::move(gates)), dice_(seed) {}

  // A stall after a moment of work. Returns once it is over.
  void stall(std::chrono::milliseconds length);

 private:
  const std::vector<pid_t> processes_;
  const std::shared_ptr<DiskGates> gates_;
  Dice dice_;
  std::uint64_t stalls_ = 0;
};

}  // namespace tiercache::testing
