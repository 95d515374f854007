// Opens a cache on what a crash left, and compares what it serves with what was acknowledged.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "powerloss/workload.h"
#include "tiercache/testing/memory_file_system.h"

namespace tiercache::testing {

// The store's rows at some instant.
using Rows = std::map<EntryId, EntryPtr>;

// A disk as a crash at some instant left it, and what was promised by then.
struct CrashState {
  std::unique_ptr<MemoryDisk> disk;
  std::shared_ptr<const Histories> histories;
  std::shared_ptr<const Rows> rows;
  WallTime now;
  std::string origin;  // for a person who replays
  bool sound = true;   // the disk has refused nothing so far
  int crashes = 1;     // this many in a row
};

// Told of every further crash that the recovery is put through.
using FurtherCrash = std::function<void(CrashState)>;

// Everything is decided by `seed`. The disk of `state` is used up.
std::optional<Violation> check_recovery(CrashState state, std::uint64_t seed,
                                        const FurtherCrash& further);

}  // namespace tiercache::testing
