#include "base/backoff.h"

#include <algorithm>

namespace tiercache {

std::uint64_t Random::next() {
  state_ += 0x9E3779B97F4A7C15u;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
  return mixed ^ (mixed >> 31);
}

std::uint64_t Random::below(std::uint64_t bound) {
  if (bound == 0) return 0;
  // Draws below 2^64 mod bound are thrown away, because they would make small results likelier.
  const std::uint64_t uneven = (0 - bound) % bound;
  std::uint64_t draw = next();
  while (draw < uneven) draw = next();
  return draw % bound;
}

std::chrono::milliseconds backoff_delay(const BackoffOptions& options, int failures,
                                        Random& random) {
  std::int64_t bound = std::max<std::int64_t>(options.first.count(), 1);
  const std::int64_t cap = std::max<std::int64_t>(options.cap.count(), 1);
  for (int doubling = 0; doubling < failures && bound < cap; ++doubling) {
    bound = bound > cap / 2 ? cap : bound * 2;
  }
  bound = std::min(bound, cap);
  const std::uint64_t delay = random.below(static_cast<std::uint64_t>(bound) + 1);
  return std::chrono::milliseconds(std::max<std::uint64_t>(delay, 1));
}

}  // namespace tiercache
