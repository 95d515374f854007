#include "cache/runtime/kept_text.h"

#include <cerrno>

#include "tiercache/entry.h"

namespace tiercache::detail {

KeptText read_kept_text(FileSystem& file_system, const std::string& path, std::string_view head) {
  using State = KeptText::State;
  std::string bytes;
  const IoStatus status = file_system.read_file(path, 2 * kLongestKeptText, &bytes);
  if (status.absent()) return {State::absent, {}};
  if (!status.ok()) return {status.error == EFBIG ? State::damaged : State::failed, {}};
  const std::size_t end = bytes.rfind('\n');
  const bool whole = bytes.starts_with(head) && end != std::string::npos && end >= head.size() &&
                     bytes.substr(end + 1) == Checksum::of(bytes.substr(0, end)).to_string();
  if (!whole) return {State::damaged, {}};
  return {State::read, bytes.substr(head.size(), end - head.size())};
}

bool keep_text(FileSystem& file_system, const std::string& path, std::string_view head,
               const std::string& text, std::uint64_t slot) {
  if (text.size() > kLongestKeptText) return false;
  std::string bytes = std::string(head) + text;
  bytes += '\n' + Checksum::of(bytes).to_string();
  const std::string temp = path + '.' + std::to_string(slot) + ".new";
  const bool kept = file_system.write_file(temp, bytes).ok() && file_system.sync_file(temp).ok() &&
                    file_system.rename(temp, path).ok();
  if (!kept) file_system.remove_file(temp);
  return kept;
}

}  // namespace tiercache::detail
