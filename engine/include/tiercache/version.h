// The version of an entry's content: the reading of a hybrid logical clock, with the writer as
// tie-break.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tiercache {

// Orders all writes of a key across threads, processes and machines. `time` comes from a 64-bit
// hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014): 48 bits of milliseconds
// since the Unix epoch above a 16-bit counter. `writer` names the open cache that wrote. The zero
// version is older than every write and means "there is none". A plain value.
struct Version {
  std::uint64_t time = 0;    // milliseconds, shifted left by `kCounterBits`, and the counter
  std::uint32_t writer = 0;  // the open cache that wrote; decides between equal times

  // How many of the low bits of `time` are the counter.
  static constexpr int kCounterBits = 16;

  friend constexpr auto operator<=>(const Version&, const Version&) = default;

  // Returns whether this is the version that means "there is none".
  constexpr bool is_zero() const { return time == 0 && writer == 0; }
  // Returns when this version was stamped, in milliseconds since the Unix epoch.
  constexpr std::chrono::milliseconds stamped_at() const {
    return std::chrono::milliseconds(time >> kCounterBits);
  }

  // Returns the form that files, stores and JSON have: "<time>-<writer>", both decimal.
  std::string to_string() const;
  // Reads that form back. Returns nullopt for anything else, overflow and leading zeros included.
  static std::optional<Version> parse(std::string_view text);
};

}  // namespace tiercache
