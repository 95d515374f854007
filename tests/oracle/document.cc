#include "oracle/document.h"

#include <charconv>
#include <functional>

#include "oracle/dice.h"

namespace tiercache::testing {
namespace {

// As JSONB writes them, so that a document comes back from Postgres byte for byte.
constexpr std::string_view kFillMember = "\", \"fill\": \"";
constexpr std::string_view kNumberMember = "\", \"number\": ";

std::size_t fill_size(Dice& dice) {
  const std::uint64_t kind = dice.below(64);
  if (kind == 0) return 8'192 + dice.below(16'384);
  if (kind < 6) return 1'024 + dice.below(8'192);
  return dice.below(160);
}

// FNV-1a: must not change from machine to machine, for a seed to mean the same everywhere.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

std::string make_document(std::string_view key, std::uint64_t number) {
  Dice dice(hash_of(key) ^ (number * 0x9e3779b97f4a7c15u));
  std::string document = "{\"key\": \"" + std::string(key);
  document.append(kFillMember);
  for (std::size_t left = fill_size(dice); left > 0; --left) {
    document.push_back(static_cast<char>('a' + dice.below(26)));
  }
  return document.append(kNumberMember).append(std::to_string(number)).append("}");
}

std::optional<std::uint64_t> read_document(std::string_view key, std::string_view document) {
  while (document.ends_with(' ')) document.remove_suffix(1);  // a store's own text of it
  const std::size_t at = document.rfind(kNumberMember);
  if (at == std::string_view::npos) return std::nullopt;
  const char* begin = document.data() + at + kNumberMember.size();
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(begin, document.data() + document.size(), number);
  if (parsed.ec != std::errc() || document != make_document(key, number)) return std::nullopt;
  return number;
}

}  // namespace tiercache::testing
