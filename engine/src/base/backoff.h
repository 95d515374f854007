// Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015).
#pragma once

#include <chrono>
#include <cstdint>

namespace tiercache {

struct BackoffOptions {
  std::chrono::milliseconds first{100};    // upper bound of the first delay
  std::chrono::milliseconds cap{300'000};  // the longest delay
};

// A small reproducible generator (SplitMix64; Steele, Lea, Flood 2014) for jitter and spreading.
// Not for secrets.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  // Uniform in [0, bound); 0 for bound 0.
  std::uint64_t below(std::uint64_t bound);

 private:
  std::uint64_t state_;
};

// A delay in [0, min(cap, first * 2^failures)], but never under 1 ms. `failures` counts from 0; a
// negative count means 0, and options under 1 ms mean 1 ms.
std::chrono::milliseconds backoff_delay(const BackoffOptions& options, int failures,
                                        Random& random);

}  // namespace tiercache
