// Stamps versions: the hybrid logical clock of one open cache.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/annotations.h"
#include "base/mutex.h"
#include "tiercache/clock.h"
#include "tiercache/version.h"

namespace tiercache {

// Thread-safe. Every version returned is greater than all it returned or was shown before, unless
// those lie further ahead than the clock may be pulled. The time of day jumping back changes
// nothing about that: the counter, and after it the milliseconds, count on from the last version.
class VersionClock {
 public:
  // How far ahead of this process's idea of the store's time a version may be and still pull the
  // clock.
  static constexpr std::chrono::minutes kMaxAhead{10};

  VersionClock(const Clock& clock, std::uint32_t writer);

  // A version above the clock, above all seen, and above `known`, the key's newest version known
  // locally, whatever that is. A `known` too far ahead is passed but does not pull the clock, so
  // one bad version spoils no other key. (Above the greatest `time` of all there is only a greater
  // writer.)
  Version next(Version known = {});
  // Takes note of a version met elsewhere. False (and nothing noted) when it is more than
  // `kMaxAhead` in the future.
  bool observe(Version seen);
  // Takes the store's clock as the better one: `offset` = store's time - ours, measured on a reply.
  // When that shows the versions stamped so far to lie more than `kMaxAhead` in the future (ours
  // was wrong), stamping starts again from the store's time: the store refuses those, and they are
  // stamped anew.
  void set_offset(std::chrono::milliseconds offset);
  // Now, by the store's clock once its offset is known, else by our own.
  WallTime now() const;
  std::uint32_t writer() const { return writer_; }

 private:
  // Milliseconds since the epoch, held to the 48 bits that a version has for them.
  std::uint64_t now_ms() const TIERCACHE_REQUIRES(mutex_);
  // The greatest `Version::time` that may pull the clock now.
  std::uint64_t pull_limit() const TIERCACHE_REQUIRES(mutex_);

  const Clock& clock_;
  const std::uint32_t writer_;
  mutable Mutex mutex_;
  std::chrono::milliseconds offset_ TIERCACHE_GUARDED_BY(mutex_){0};
  std::uint64_t last_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace tiercache
