#include "base/version_clock.h"

#include <algorithm>
#include <limits>

namespace tiercache {
namespace {

constexpr std::int64_t kMaxMs = (std::int64_t{1} << (64 - Version::kCounterBits)) - 1;
constexpr std::uint64_t kMaxTime = std::numeric_limits<std::uint64_t>::max();

std::int64_t within_reason(std::chrono::milliseconds time) {
  return std::clamp<std::int64_t>(time.count(), -kMaxMs, kMaxMs);
}

Version version_above(std::uint64_t time, std::uint32_t writer, Version known) {
  if (time < kMaxTime) return {time + 1, writer};
  const bool writer_decides = known.time < kMaxTime || known.writer < writer ||
                              known.writer == std::numeric_limits<std::uint32_t>::max();
  return {kMaxTime, writer_decides ? writer : known.writer + 1};
}

}  // namespace

VersionClock::VersionClock(const Clock& clock, std::uint32_t writer)
    : clock_(clock), writer_(writer) {}

std::uint64_t VersionClock::now_ms() const {
  const std::int64_t ours = within_reason(clock_.wall_now().time_since_epoch());
  return static_cast<std::uint64_t>(std::clamp<std::int64_t>(ours + offset_.count(), 0, kMaxMs));
}

std::uint64_t VersionClock::pull_limit() const {
  const auto ahead = std::chrono::milliseconds(kMaxAhead).count();
  const auto ms = std::min<std::uint64_t>(now_ms() + static_cast<std::uint64_t>(ahead), kMaxMs);
  return ms << Version::kCounterBits | ((1u << Version::kCounterBits) - 1);
}

Version VersionClock::next(Version known) {
  Lock lock(mutex_);
  const std::uint64_t own = std::max(now_ms() << Version::kCounterBits, last_);
  const Version stamped = version_above(std::max(own, known.time), writer_, known);
  // Beyond the limit only a time that this clock has reached by itself moves it on.
  if (known.time <= own || stamped.time <= pull_limit()) last_ = stamped.time;
  return stamped;
}

bool VersionClock::observe(Version seen) {
  Lock lock(mutex_);
  if (seen.time > pull_limit()) return false;
  last_ = std::max(last_, seen.time);
  return true;
}

void VersionClock::set_offset(std::chrono::milliseconds offset) {
  Lock lock(mutex_);
  offset_ = std::chrono::milliseconds(within_reason(offset));
  if (last_ > pull_limit()) last_ = now_ms() << Version::kCounterBits;
}

WallTime VersionClock::now() const {
  Lock lock(mutex_);
  return WallTime(std::chrono::milliseconds(now_ms()));
}

}  // namespace tiercache
