#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "files/entry_files.h"

namespace tiercache {
namespace {

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

// -1 for what is no digit of `append_encoded`.
int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::optional<std::string> decoded(std::string_view name) {
  std::string text;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '%') {
      text.push_back(name[i]);
      continue;
    }
    if (i + 2 >= name.size() || digit(name[i + 1]) < 0 || digit(name[i + 2]) < 0) return {};
    text.push_back(static_cast<char>(digit(name[i + 1]) << 4 | digit(name[i + 2])));
    i += 2;
  }
  return text;
}

}  // namespace

std::string entry_path(const EntryId& id) {
  std::string path;
  path.reserve(id.dataset.size() + id.key.size() + 32);
  append_name(id.dataset, &path);
  path.push_back('/');
  if (!id.key.empty()) append_shard(id.key, &path);
  append_name(id.key, &path);
  return path.append(kEntrySuffix);
}

std::string without_key(std::string text, const EntryId& id) {
  const std::string path = entry_path(id);
  const std::size_t name = path.find('/') + 1;
  for (auto at = text.find(path); at != std::string::npos; at = text.find(path, at + name)) {
    text.replace(at + name, path.size() - name, "…");
  }
  return text;
}

std::optional<std::string> key_of_path(std::string_view dataset, std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  if (!name.ends_with(kEntrySuffix)) return {};
  name.remove_suffix(kEntrySuffix.size());
  std::optional<std::string> key = name == kEmptyName ? std::string() : decoded(name);
  // Some other name may decode to the same.
  if (!key || entry_path({std::string(dataset), *key}) != path) return {};
  return key;
}

}  // namespace tiercache
