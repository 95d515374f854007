// Durations and sizes as people write them, with their unit.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

namespace refresh_service {

// "250ms", "30s", "5m", "6h", "2d"; "0" alone needs no unit. Nullopt for anything else.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// "4096", "64KiB", "64MiB", "2GiB".
std::optional<std::size_t> parse_size(std::string_view text);

}  // namespace refresh_service
