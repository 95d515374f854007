// Residents for the memory tier's tests.
#pragma once

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

}  // namespace tiercache::memory_test
