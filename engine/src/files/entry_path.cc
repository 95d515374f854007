#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/hex.h"
#include "files/entry_files.h"

namespace tiercache {
namespace {

// The empty key's name; '@' is encoded in every other.
constexpr std::string_view kEmptyName = "@";
// Longer names are cut and get a hash. File systems take 255 bytes.
constexpr std::size_t kMaxName = 150;
constexpr std::size_t kHashDigits = 2 * kHex64Digits;
// Stands before the hash; '~' is encoded everywhere else.
constexpr char kHashMark = '~';

// Only ASCII characters stand for themselves, so that two keys stay two names whatever a file
// system does with Unicode forms. ':' and other characters that some archive or file system cannot
// hold are encoded as well.
bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == ',' || c == '=' || c == '+';
}

// Stops before the name would grow beyond `max_size`. A leading dot is encoded too, so that no name
// is hidden, "." or "..".
void append_encoded(std::string_view text, std::size_t max_size, std::string* out) {
  const std::size_t start = out->size();
  for (const char c : text) {
    const bool plain = is_plain(c) && !(c == '.' && out->size() == start);
    if (out->size() - start + (plain ? 1 : 3) > max_size) break;
    if (plain) {
      out->push_back(c);
    } else {
      out->push_back('%');
      append_hex8(static_cast<std::uint8_t>(c), out, HexCase::upper);
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
  append_hex8(static_cast<std::uint8_t>(hash64(key)), out);
  out->push_back('/');
}

// Undoes `append_encoded`.
std::optional<std::string> decoded(std::string_view name) {
  std::string text;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '%') {
      text.push_back(name[i]);
      continue;
    }
    if (i + 2 >= name.size()) return {};
    const int high = hex_digit(name[i + 1], HexCase::upper);
    const int low = hex_digit(name[i + 2], HexCase::upper);
    if (high < 0 || low < 0) return {};
    text.push_back(static_cast<char>(high << 4 | low));
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
  // Some other name, which is no entry's, may decode to the same key.
  if (!key || entry_path({std::string(dataset), *key}) != path) return {};
  return key;
}

}  // namespace tiercache
