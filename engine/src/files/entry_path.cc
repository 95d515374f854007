#include <cstdint>

#include "base/hash.h"
#include "files/entry_files.h"

namespace tiercache {
namespace {

constexpr std::string_view kSuffix = ".json";
constexpr std::string_view kEmptyName = "@";  // no other name contains '@'
constexpr std::size_t kMaxName = 150;  // longer ones are cut and get a hash; file systems take 255
constexpr std::size_t kHashDigits = 32;
constexpr char kHashMark = '~';  // no name without a hash contains '~'

// ASCII alone: whatever a file system does with Unicode forms, two keys stay two names. Neither ':'
// nor other characters that some archive or file system cannot hold.
bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == ',' || c == '=' || c == '+';
}

void append_hex(std::string* out, unsigned char byte) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  out->push_back(kDigits[byte >> 4]);
  out->push_back(kDigits[byte & 15]);
}

// A leading dot is encoded too: no name is hidden, "." or "..".
std::string encoded(std::string_view text, std::size_t max_size) {
  std::string out;
  for (const char c : text) {
    const bool plain = is_plain(c) && !(c == '.' && out.empty());
    if (out.size() + (plain ? 1 : 3) > max_size) break;
    if (plain) {
      out.push_back(c);
    } else {
      out.push_back('%');
      append_hex(&out, static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string file_name(std::string_view text) {
  if (text.empty()) return std::string(kEmptyName);
  if (text.size() <= kMaxName) {
    std::string whole = encoded(text, SIZE_MAX);
    if (whole.size() <= kMaxName) return whole;
  }
  return encoded(text, kMaxName - kHashDigits - 1) + kHashMark + Checksum::of(text).to_string();
}

std::string shard_of(std::string_view key) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const std::uint64_t hash = hash64(key);
  return {kDigits[(hash >> 4) & 15], kDigits[hash & 15]};
}

}  // namespace

std::string entry_path(const EntryId& id) {
  std::string path = file_name(id.dataset);
  path += '/';
  if (!id.key.empty()) path.append(shard_of(id.key)).push_back('/');
  return path.append(file_name(id.key)).append(kSuffix);
}

}  // namespace tiercache
