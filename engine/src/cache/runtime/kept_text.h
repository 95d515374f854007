// A short text that the directory remembers in a file of its own: a head that says what it is, the
// text, a line with a checksum.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tiercache/file_system.h"

namespace tiercache::detail {

inline constexpr std::size_t kLongestKeptText = 2'048;

struct KeptText {
  enum class State : std::uint8_t {
    read,
    absent,   // never kept
    damaged,  // there, and not as it was kept
    failed,   // cannot be read now
  };
  State state = State::absent;
  std::string text;  // what was kept, if the state is `read`
};

// Blocks: reads the file on this thread.
KeptText read_kept_text(FileSystem& file_system, const std::string& path, std::string_view head);
// Writes and syncs the file on this thread; the text survives power loss once it returns true.
// `slot` makes the new file's temporary name unique per open cache, because several processes may
// keep the same text at once.
bool keep_text(FileSystem& file_system, const std::string& path, std::string_view head,
               const std::string& text, std::uint64_t slot);

}  // namespace tiercache::detail
