// The version of an entry's content: a hybrid logical clock reading with the writer as tie-break.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tiercache {

// Orders every write of a key across threads, processes and machines. `time` is a 64-bit hybrid
// logical clock (Kulkarni et al., "Logical Physical Clocks", 2014): 48 bits of milliseconds since
// the Unix epoch above a 16-bit counter. `writer` names the open cache that wrote. The zero version
// is older than every write and means "there is none". A plain value; safe to copy between threads.
struct Version {
  std::uint64_t time = 0;    // milliseconds, shifted left by `kCounterBits`, and the counter
  std::uint32_t writer = 0;  // the open cache that wrote; decides between equal times

  // How many of the low bits of `time` are the counter.
  static constexpr int kCounterBits = 16;

  friend constexpr auto operator<=>(const Version&, const Version&) = default;

  // True for the version that stands for "there is none".
  constexpr bool is_zero() const { return time == 0 && writer == 0; }
  // Milliseconds since the Unix epoch at which this version was stamped.
  constexpr std::chrono::milliseconds stamped_at() const {
    return std::chrono::milliseconds(time >> kCounterBits);
  }

  // The form in files, stores and JSON: "<time>-<writer>", both decimal.
  std::string to_string() const;
  // Reads that form back; nullopt for anything else, overflow and leading zeros included.
  static std::optional<Version> parse(std::string_view text);
};

}  // namespace tiercache
