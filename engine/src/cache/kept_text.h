// A short text that the directory remembers in a file of its own: a head that says what it is, the text,
// a line with a checksum.
#pragma once

#include <string>
#include <string_view>

#include "tiercache/file_system.h"

namespace tiercache::detail {

inline constexpr std::size_t kLongestKeptText = 2'048;

// Empty when there is none, or none that holds.
std::string read_kept_text(FileSystem& file_system, const std::string& path, std::string_view head);
// Survives power loss once true.
bool keep_text(FileSystem& file_system, const std::string& path, std::string_view head,
               const std::string& text);

}  // namespace tiercache::detail
