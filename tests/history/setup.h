// What the processes of a history and its checker agree on.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "tiercache/tiercache.h"

namespace tiercache::testing {

inline constexpr const char* kDataset = "documents";
inline constexpr int kThreads = 2;  // of each process
inline constexpr std::chrono::milliseconds kMemoryTtl{100};
// Beyond memory.ttl: until a write is in its file, and until a machine that is busy with more
// threads than it has processors runs the one that reads.
inline constexpr std::chrono::milliseconds kSlack{2'000};
inline constexpr std::chrono::milliseconds kPutDeadline{10'000};
// The heartbeat by which each process measures how long it or the disk stood still: a pause of
// `kStall` or more between two beats is not held against the cache.
inline constexpr std::chrono::milliseconds kBeatEvery{20};
inline constexpr std::chrono::milliseconds kStall{500};
// Of the keys whose files a process may be about to replace, holding their locks, when it is
// stopped.
inline constexpr std::size_t kLockedKeys = 3;

// Keys by what is done to them.
inline constexpr std::uint8_t kCounters = 8;    // counted up by compare-and-set
inline constexpr std::uint8_t kRegisters = 24;  // written
inline constexpr std::uint8_t kErasables = 8;   // written and erased, one by one or all at once
inline constexpr std::uint8_t kKeys = kCounters + kRegisters + kErasables;
inline bool is_counter(std::uint8_t key) {
  return key < kCounters;
}
inline bool is_erasable(std::uint8_t key) {
  return key >= kCounters + kRegisters;
}
inline std::string name_of(std::uint8_t key) {
  return (is_counter(key)    ? "count:"
          : is_erasable(key) ? "gone:"
                             : "register:") +
         std::to_string(key);
}
inline constexpr const char* kErasablesGlob = "gone:*";

// The number of a counter's document: the count, and who counted.
inline constexpr int kWhoBits = 16;
inline std::uint64_t count_of(std::uint64_t number) {
  return number >> kWhoBits;
}

inline CacheOptions cache_options(const std::string& directory, std::shared_ptr<Store> store,
                                  std::shared_ptr<Clock> clock,
                                  std::shared_ptr<FileSystem> disk = {}) {
  using std::chrono::milliseconds;
  CacheOptions options;
  options.project = "history";
  options.directory = directory;
  options.store = std::move(store);
  options.memory = {.max_bytes = 64 << 10, .ttl = kMemoryTtl};
  options.files.sync_every = milliseconds(300);
  options.journal.segment_bytes = 256 << 10;
  options.store_calls = {.call_timeout = milliseconds(5'000),
                         .retry_first = milliseconds(20),
                         .retry_cap = milliseconds(300),
                         .poll_every = milliseconds(200)};
  options.ports.clock = std::move(clock);
  options.ports.file_system = std::move(disk);
  return options;
}

inline DatasetOptions<JsonText> dataset_options() {
  return {.keyed = true, .fresh_for = ttl::kDay, .stale_for = 365 * ttl::kDay};
}

}  // namespace tiercache::testing
