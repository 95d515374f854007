// Counters that threads bump without sharing a cache line, and histograms of durations.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>

#include "tiercache/stats.h"

namespace tiercache::detail {

// Which stripe this thread counts in.
inline std::size_t counter_stripe() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed);
  return mine;
}

// A sum over stripes; adding touches only the thread's own cache line.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    stripes_[counter_stripe() % kStripes].value.fetch_add(n, std::memory_order_relaxed);
  }
  std::uint64_t read() const {
    std::uint64_t sum = 0;
    for (const auto& stripe : stripes_) sum += stripe.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  static constexpr std::size_t kStripes = 8;
  struct alignas(64) Stripe {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Stripe, kStripes> stripes_;
};

// Not on the hit path, hence one set of buckets.
class DurationCounter {
 public:
  void add(std::chrono::nanoseconds took) {
    const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(
        0, std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
    const auto bucket = std::min<std::size_t>(std::bit_width(us), Histogram::kBuckets - 1);
    buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_us_.fetch_add(us, std::memory_order_relaxed);
  }
  Histogram read() const {
    Histogram histogram;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      histogram.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
      histogram.count += histogram.buckets[i];
    }
    histogram.sum = std::chrono::microseconds(sum_us_.load(std::memory_order_relaxed));
    return histogram;
  }

 private:
  std::array<std::atomic<std::uint64_t>, Histogram::kBuckets> buckets_{};
  std::atomic<std::uint64_t> sum_us_{0};
};

}  // namespace tiercache::detail
