#include "base/glob.h"

namespace tiercache {
namespace {

// One step of a pattern other than `*`: which byte it takes, and how many bytes of the pattern it
// is.
struct Step {
  bool any = false;
  char literal = 0;
  std::size_t length = 1;

  bool takes(char c) const { return any || c == literal; }
};

Step step_at(std::string_view pattern, std::size_t at) {
  if (pattern[at] == '?') return {true, 0, 1};
  if (pattern[at] == '\\' && at + 1 < pattern.size()) return {false, pattern[at + 1], 2};
  return {false, pattern[at], 1};
}

}  // namespace

// Only the last `*` seen is ever widened: whatever an earlier one could take instead, the later one
// can take too. So the time is at most proportional to the product of the two lengths.
bool glob_matches(std::string_view pattern, std::string_view key) {
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t p = 0;
  std::size_t k = 0;
  std::size_t after_star = kNone;  // pattern position behind the last `*`
  std::size_t star_end = 0;        // key position up to which that `*` takes bytes
  while (k < key.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      star_end = k;
      continue;
    }
    if (p < pattern.size()) {
      const Step step = step_at(pattern, p);
      if (step.takes(key[k])) {
        p += step.length;
        ++k;
        continue;
      }
    }
    if (after_star == kNone) return false;
    p = after_star;
    k = ++star_end;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace tiercache
