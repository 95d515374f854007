// What the machines and their checker agree on.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tiercache/tiercache.h"

namespace tiercache::testing {

inline constexpr const char* kProject = "machines";
inline constexpr const char* kDataset = "documents";
inline constexpr std::uint64_t kMostMachines = 32;
inline constexpr std::uint64_t kThreads = 3;  // of each machine
// Versions more than 10 min ahead of the store's clock are stamped anew, so clocks stay within
// that.
inline constexpr std::chrono::minutes kMostSkew{5};

// Keys by what is done to them.
//
// An exact counter is counted up by one call of a machine at a time, which waits until the store
// has settled all that this machine wrote of it before: each count is made from what the store had.
// A free one is counted up by any thread from whatever it is served, unconfirmed writes included.
inline constexpr std::uint8_t kExact = 6;
inline constexpr std::uint8_t kFree = 4;
inline constexpr std::uint8_t kRegisters = 14;  // written and refreshed
inline constexpr std::uint8_t kStales = 6;      // written and invalidated, never refreshed
inline constexpr std::uint8_t kErasables = 10;  // written, erased one by one and by pattern
inline constexpr std::uint8_t kKeys = kExact + kFree + kRegisters + kStales + kErasables;

enum class KeyKind : std::uint8_t { exact, free, reg, stale, erasable };
inline KeyKind kind_of(std::uint8_t key) {
  if (key < kExact) return KeyKind::exact;
  if (key < kExact + kFree) return KeyKind::free;
  if (key < kExact + kFree + kRegisters) return KeyKind::reg;
  return key < kKeys - kErasables ? KeyKind::stale : KeyKind::erasable;
}
inline bool is_counter(std::uint8_t key) {
  return key < kExact + kFree;
}
inline std::string name_of(std::uint8_t key) {
  static constexpr const char* kNames[] = {"exact:", "free:", "register:", "stale:", "gone:"};
  return kNames[static_cast<std::size_t>(kind_of(key))] + std::to_string(key);
}
inline constexpr const char* kErasablesGlob = "gone:*";

// The number of a document: the count, and below it what names the write among all.
inline constexpr int kWriteBits = 40;
inline std::uint64_t count_of(std::uint64_t number) {
  return number >> kWriteBits;
}

// Metadata names the same write as the document that it was put with, in JSONB's own form.
inline std::string metadata_of(std::uint64_t number) {
  return "{\"of\": " + std::to_string(number) + "}";
}

// The number in that, 0 in other metadata.
inline std::uint64_t write_of_metadata(std::string_view metadata) {
  const std::size_t digits = metadata.find_first_of("0123456789");
  if (digits == std::string_view::npos) return 0;
  return std::strtoull(std::string(metadata.substr(digits)).c_str(), nullptr, 10);
}

inline CacheOptions cache_options(const std::string& directory, std::shared_ptr<Store> store,
                                  std::shared_ptr<Clock> clock) {
  using std::chrono::milliseconds;
  CacheOptions options;
  options.project = kProject;
  options.directory = directory;
  options.store = std::move(store);
  options.memory = {.max_bytes = 256 << 10, .ttl = milliseconds(100)};
  options.files.sync_every = milliseconds(300);
  options.journal.segment_bytes = 256 << 10;
  options.store_calls = {.call_timeout = milliseconds(2'000),
                         .retry_first = milliseconds(20),
                         .retry_cap = milliseconds(300),
                         .poll_every = milliseconds(200)};
  options.ports.clock = std::move(clock);
  return options;
}

}  // namespace tiercache::testing
