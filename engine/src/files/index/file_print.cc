#include "files/index/file_print.h"

#include <utility>

#include "base/hash.h"

namespace tiercache {
namespace {

// Written little-endian, so that prints do not depend on the machine.
void put_number(std::uint64_t number, char* to) {
  for (int i = 0; i < 8; ++i) to[i] = static_cast<char>(number >> (8 * i) & 0xff);
}

}  // namespace

FilePrint print_of(std::string_view path, const FileInfo& info) {
  char bytes[32];
  put_number(info.inode, bytes);
  put_number(info.size, bytes + 8);
  put_number(static_cast<std::uint64_t>(info.modified_ns), bytes + 16);
  put_number(static_cast<std::uint64_t>(info.changed_ns), bytes + 24);
  const FilePrint print = hash64({bytes, sizeof(bytes)}, hash64(path));
  return print == 0 ? 1 : print;
}

PrintsMet::PrintsMet(std::vector<FilePrint> prints)
    : prints_(std::move(prints)), met_(prints_.size(), false) {
  std::sort(prints_.begin(), prints_.end());
}

bool PrintsMet::meet(FilePrint print) {
  const std::size_t place = place_of(print);
  if (place == prints_.size()) return false;
  met_[place] = true;
  return true;
}

bool PrintsMet::was_met(FilePrint print) const {
  const std::size_t place = place_of(print);
  return place != prints_.size() && met_[place];
}

// The place of the print among them; their number if it is none of them.
std::size_t PrintsMet::place_of(FilePrint print) const {
  const auto found = std::lower_bound(prints_.begin(), prints_.end(), print);
  if (found == prints_.end() || *found != print) return prints_.size();
  return static_cast<std::size_t>(found - prints_.begin());
}

}  // namespace tiercache
