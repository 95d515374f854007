#include "corruption/damage.h"

#include <algorithm>
#include <utility>

#include "oracle/dice.h"

namespace tiercache::testing {
namespace {

constexpr std::size_t kStepInZeros = 97;

}  // namespace

const char* to_string(Damage::Kind kind) {
  switch (kind) {
    case Damage::Kind::flip:
      return "flipped";
    case Damage::Kind::zero:
      return "zeroed";
    case Damage::Kind::cut:
      return "cut";
    case Damage::Kind::swap:
      return "swapped";
  }
  return "";
}

std::vector<Damage> every_damage(std::size_t file, const std::string& bytes) {
  const std::size_t zeros = bytes.find_last_not_of('\0') + 1;
  std::vector<Damage> all;
  for (std::size_t at = 0; at < bytes.size(); at += at < zeros ? 1 : kStepInZeros) {
    all.push_back({.kind = Damage::Kind::flip, .file = file, .offset = at});
    all.push_back({.kind = Damage::Kind::cut, .file = file, .offset = at});
    if (bytes[at] == '\0') continue;
    all.push_back({.kind = Damage::Kind::zero, .file = file, .offset = at});
  }
  return all;
}

bool apply(const Damage& damage, std::string* bytes) {
  if (damage.offset >= bytes->size()) return false;
  char& byte = (*bytes)[damage.offset];
  switch (damage.kind) {
    case Damage::Kind::flip:
      byte = static_cast<char>(byte ^ (1 << Dice(damage.offset).below(8)));
      return true;
    case Damage::Kind::zero:
      return std::exchange(byte, '\0') != '\0';
    case Damage::Kind::cut:
      bytes->resize(damage.offset);
      return true;
    case Damage::Kind::swap:
      break;
  }
  return false;
}

std::vector<Damage> pick(std::vector<Damage> all, std::uint64_t count, std::uint64_t seed) {
  if (count == 0 || count >= all.size()) return all;
  Dice dice(seed);
  for (std::size_t i = 0; i < count; ++i) std::swap(all[i], all[i + dice.below(all.size() - i)]);
  all.resize(count);
  return all;
}

}  // namespace tiercache::testing
