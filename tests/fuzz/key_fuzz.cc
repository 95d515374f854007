// Any bytes as datasets and keys: the path of an entry stays below its directory, every part of it
// is a plain name, no two entries have the same one (I12), and what a name tells of its key is
// true.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "expect.h"
#include "files/entry_files.h"

namespace tiercache {
namespace {

constexpr std::size_t kLongestName = 255;  // of Linux file systems
constexpr std::string_view kPlain = "-_.,=+%@~";

bool is_plain(char c) {
  const bool letter_or_digit =
      (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return letter_or_digit || kPlain.find(c) != std::string_view::npos;
}

void check_name(std::string_view name) {
  TIERCACHE_FUZZ_EXPECT(!name.empty() && name.size() <= kLongestName);
  TIERCACHE_FUZZ_EXPECT(name.front() != '.');
  TIERCACHE_FUZZ_EXPECT(std::all_of(name.begin(), name.end(), is_plain));
}

std::string checked_path(const EntryId& id) {
  const std::string path = entry_path(id);
  std::string_view rest = path;
  int names = 1;
  for (std::size_t slash = 0; (slash = rest.find('/')) != std::string_view::npos; ++names) {
    check_name(rest.substr(0, slash));
    rest.remove_prefix(slash + 1);
  }
  check_name(rest);
  TIERCACHE_FUZZ_EXPECT(rest.ends_with(".json"));
  TIERCACHE_FUZZ_EXPECT(names == (id.key.empty() ? 2 : 3));
  const std::optional<std::string> key = key_of_path(id.dataset, path);
  TIERCACHE_FUZZ_EXPECT(key ? *key == id.key : rest.find('~') != std::string_view::npos);
  return path;
}

void check_two(const EntryId& a, const EntryId& b) {
  TIERCACHE_FUZZ_EXPECT((checked_path(a) == checked_path(b)) == (a == b));
}

EntryId cut_at(std::string_view text, std::size_t at) {
  at = std::clamp<std::size_t>(at, 1, text.size());
  return {std::string(text.substr(0, at)), std::string(text.substr(at))};
}

// Names that nobody here gave to a file.
void check_foreign(std::string_view dataset, std::string_view path) {
  const std::optional<std::string> key = key_of_path(dataset, path);
  TIERCACHE_FUZZ_EXPECT(!key || entry_path({std::string(dataset), *key}) == path);
}

// Two entries of one text cut in two places, and of its two halves.
void check_keys(std::string_view input) {
  if (input.size() < 4) return;
  const auto a = static_cast<std::uint8_t>(input[0]), b = static_cast<std::uint8_t>(input[1]);
  const std::string_view text = input.substr(2);
  check_two(cut_at(text, a), cut_at(text, b));
  const std::string_view first = text.substr(0, text.size() / 2);
  const std::string_view second = text.substr(text.size() / 2);
  check_two(cut_at(first, a), cut_at(second, b));
  check_two({std::string(first), std::string(second)},
            {std::string(first), checked_path(cut_at(text, a))});
  check_foreign(first, second);
  check_foreign(first, entry_path({std::string(first), {}}) + std::string(second));
}

}  // namespace
}  // namespace tiercache

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tiercache::check_keys({reinterpret_cast<const char*>(data), size});
  return 0;
}
