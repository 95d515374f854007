// The two kinds of time that the cache works with, and named lifetimes for `fresh_for`.
#pragma once

#include <chrono>

namespace tiercache {

// Time of day, in milliseconds since the Unix epoch. This is what is persisted, and compared
// between machines.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

// Monotonic time of this process, for deadlines, timers and lifetimes in memory. Never persisted.
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

// A deadline that never comes.
inline constexpr SteadyTime kNever = SteadyTime::max();

// Lifetimes by name, for `fresh_for` and per-put TTLs.
namespace ttl {
inline constexpr std::chrono::milliseconds kShort = std::chrono::minutes(1);     // 1 min
inline constexpr std::chrono::milliseconds kMedium = std::chrono::minutes(5);    // 5 min
inline constexpr std::chrono::milliseconds kSession = std::chrono::minutes(15);  // 15 min
inline constexpr std::chrono::milliseconds kLong = std::chrono::hours(1);        // 1 h
inline constexpr std::chrono::milliseconds kDay = std::chrono::hours(24);        // 24 h
}  // namespace ttl

}  // namespace tiercache
