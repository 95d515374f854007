#include "cache/kept_text.h"

#include "tiercache/entry.h"

namespace tiercache::detail {

std::string read_kept_text(FileSystem& file_system, const std::string& path,
                           std::string_view head) {
  std::string bytes;
  if (!file_system.read_file(path, 2 * kLongestKeptText, &bytes).ok()) return {};
  const std::size_t end = bytes.rfind('\n');
  if (!bytes.starts_with(head) || end == std::string::npos || end < head.size()) return {};
  if (bytes.substr(end + 1) != Checksum::of(bytes.substr(0, end)).to_string()) return {};
  return bytes.substr(head.size(), end - head.size());
}

bool keep_text(FileSystem& file_system, const std::string& path, std::string_view head,
               const std::string& text) {
  std::string bytes = std::string(head) + text;
  bytes += '\n' + Checksum::of(bytes).to_string();
  const std::string temp = path + ".new";
  return text.size() <= kLongestKeptText && file_system.write_file(temp, bytes).ok() &&
         file_system.sync_file(temp).ok() && file_system.rename(temp, path).ok();
}

}  // namespace tiercache::detail
