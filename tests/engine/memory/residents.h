// Residents for the memory tier's tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "memory/memory_tier.h"

namespace tiercache::memory_test {

inline Version version(std::uint64_t time) {
  return {.time = time, .writer = 1};
}

inline detail::ResidentPtr resident(Version stamped, std::string document = "{}") {
  detail::Resident made;
  made.entry.version = stamped;
  made.entry.document = std::make_shared<const std::string>(std::move(document));
  return std::make_shared<const detail::Resident>(std::move(made));
}

inline detail::ResidentPtr resident(std::uint64_t time, std::string document = "{}") {
  return resident(version(time), std::move(document));
}

inline Lifetimes until(Ticks ticks) {
  return {.trusted_until = ticks, .fresh_until = ticks + 1, .stale_until = ticks + 2};
}

inline constexpr std::size_t kMiB = 1 << 20;

inline const KeyRef kKey(1, "session:42:state");

// Room for `count` entries as large as `resident(1)` under short keys, in one shard.
inline MemoryTier tier_for(std::size_t count) {
  return MemoryTier(count * MemoryTier::charge("a", *resident(1)), 1);
}

inline bool holds(const MemoryTier& tier, std::string_view key) {
  return tier.peek(KeyRef(1, key)).resident != nullptr;
}

inline void put(MemoryTier& tier, std::string_view key, std::uint64_t time = 1,
                MemoryTier::Pin pin = MemoryTier::Pin::no) {
  ASSERT_TRUE(tier.put(KeyRef(1, key), resident(time), {}, pin));
}

// A document of so many bytes; whether it is held.
inline bool put_bytes(MemoryTier& tier, const std::string& key, std::size_t bytes,
                      MemoryTier::Pin pin = MemoryTier::Pin::no, std::uint64_t time = 1) {
  return tier.put(KeyRef(1, key), resident(time, std::string(bytes, ' ')), {}, pin);
}

}  // namespace tiercache::memory_test
