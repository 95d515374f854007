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

// Stops before the name would grow beyond `max_size`. A leading dot is encoded too: no name is
// hidden,
// "." or "..".
void append_encoded(std::string_view text, std::size_t max_size, std::string* out) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  const std::size_t start = out->size();
  for (const char c : text) {
    const bool plain = is_plain(c) && !(c == '.' && out->size() == start);
    if (out->size() - start + (plain ? 1 : 3) > max_size) break;
    if (plain) {
      out->push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out->append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
}

void append_name(std::string_view text, std::string* out) {
  if (text.empty()) {
    out->append(kEmptyName);
    return;
  }
  const std::size_t start = out->size();
  if (text.size() <= kMaxName) {
    append_encoded(text, SIZE_MAX, out);
    if (out->size() - start <= kMaxName) return;
    out->resize(start);
  }
  append_encoded(text, kMaxName - kHashDigits - 1, out);
  out->append(1, kHashMark).append(Checksum::of(text).to_string());
}

void append_shard(std::string_view key, std::string* out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const std::uint64_t hash = hash64(key);
  out->append({kDigits[(hash >> 4) & 15], kDigits[hash & 15], '/'});
}

}  // namespace

std::string entry_path(const EntryId& id) {
  std::string path;
  path.reserve(id.dataset.size() + id.key.size() + 32);
  append_name(id.dataset, &path);
  path.push_back('/');
  if (!id.key.empty()) append_shard(id.key, &path);
  append_name(id.key, &path);
  return path.append(kSuffix);
}

}  // namespace tiercache
