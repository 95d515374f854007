// Stamps versions: the hybrid logical clock of one open cache.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/annotations.h"
#include "base/mutex.h"
#include "tiercache/clock.h"
#include "tiercache/version.h"

namespace tiercache {

// Thread-safe. Every version returned is greater than all that the clock has returned or was shown
// before, except those that lie further ahead than the clock may be pulled. A jump back of the time
// of day does not change that: the counter, and after it the milliseconds, count on from the last
// version.
class VersionClock {
 public:
  // How far a version may be ahead of what this process takes for the store's time, and still pull
  // the clock.
  static constexpr std::chrono::minutes kMaxAhead{10};

  VersionClock(const Clock& clock, std::uint32_t writer);

  // Returns a version above the clock, above everything seen, and above `known`, the key's newest
  // version known locally, whatever that is. A `known` too far ahead is exceeded but does not pull
  // the clock, so one bad version spoils no other key. (Above the greatest `time` there is, only
  // the writer can still be greater.)
  Version next(Version known = {});
  // Takes note of a version met elsewhere. If it is more than `kMaxAhead` in the future, returns
  // false and ignores it.
  bool observe(Version seen);
  // Prefers the store's clock to our own: `offset` is the store's time less ours, measured on a
  // reply. If it shows that the versions stamped so far are more than `kMaxAhead` in the future,
  // because our clock was wrong, stamping starts again from the store's time. The store refuses
  // those versions, and their writes are stamped anew.
  void set_offset(std::chrono::milliseconds offset);
  // The time now: by the store's clock once its offset is known, until then by our own.
  WallTime now() const;
  std::uint32_t writer() const { return writer_; }

 private:
  // Milliseconds since the epoch, limited to the 48 bits that a version has for them.
  std::uint64_t now_ms() const TIERCACHE_REQUIRES(mutex_);
  // The greatest `Version::time` that may pull the clock at the moment.
  std::uint64_t pull_limit() const TIERCACHE_REQUIRES(mutex_);

  const Clock& clock_;
  const std::uint32_t writer_;
  mutable Mutex mutex_;
  std::chrono::milliseconds offset_ TIERCACHE_GUARDED_BY(mutex_){0};
  std::uint64_t last_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace tiercache
