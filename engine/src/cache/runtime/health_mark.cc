#include "cache/runtime/health_mark.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/spoken.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

constexpr std::int64_t kNeverWorked = std::numeric_limits<std::int64_t>::min();
constexpr milliseconds kFirstPause = std::chrono::minutes(1);
constexpr milliseconds kLongestPause = std::chrono::hours(1);

milliseconds between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration_cast<milliseconds>(to - from);
}

}  // namespace

HealthMark::HealthMark(Log& log, const Clock& clock, Words words)
    : log_(log), clock_(clock), words_(std::move(words)), last_worked_ms_(kNeverWorked) {}

void HealthMark::failed(const std::string& why, std::optional<milliseconds> next_try) {
  const SteadyTime now = clock_.steady_now();
  const WallTime wall = clock_.wall_now();
  std::string line;
  {
    Lock lock(mutex_);
    if (health_.working) {
      health_.since = wall;
      failing_from_ = now;
      failures_ = 0;
      ++outages_unsaid_;
    }
    health_.working = false;
    health_.why = why;
    health_.next_probe.reset();
    if (next_try) health_.next_probe = wall + *next_try;
    ++failures_;
    working_.store(false, std::memory_order_relaxed);
    if (!next_line_at_ || now >= *next_line_at_) line = line_of_failure(next_try, now);
  }
  if (!line.empty()) log_.say(words_.level, line);
}

std::string HealthMark::line_of_failure(std::optional<milliseconds> next_try, SteadyTime now) {
  std::string line = words_.subject;
  if (said_) {
    line += " has failed for " + spoken(between(failing_from_, now)) + ", " +
            counted(failures_, "time");
  } else {
    line += " fails";
  }
  line += ": " + health_.why;
  if (next_try) line += "; next try in " + spoken(*next_try);
  if (!said_ && !words_.meanwhile.empty()) line += "; " + words_.meanwhile;
  if (!said_ && outages_unsaid_ > 1) {
    line += " (and " + counted(outages_unsaid_ - 1, "outage") + " before, each soon over)";
  }
  const bool was_quiet = !said_ && outages_unsaid_ == 1;
  pause_ =
      pause_ == milliseconds(0) || was_quiet ? kFirstPause : std::min(2 * pause_, kLongestPause);
  next_line_at_ = now + pause_;
  outages_unsaid_ = 0;
  said_ = true;
  return line;
}

void HealthMark::worked() {
  last_worked_ms_.store(clock_.wall_now().time_since_epoch().count(), std::memory_order_relaxed);
  if (is_working()) return;
  const SteadyTime now = clock_.steady_now();
  std::string line;
  {
    Lock lock(mutex_);
    if (health_.working) return;
    if (said_) line = line_of_recovery(now);
    health_ = TierHealth{};
    working_.store(true, std::memory_order_relaxed);
  }
  if (!line.empty()) log_.say(spdlog::level::info, line);
}

std::string HealthMark::line_of_recovery(SteadyTime now) {
  said_ = false;
  return words_.subject + " works again after " + spoken(between(failing_from_, now)) + " and " +
         counted(failures_, "failure");
}

TierHealth HealthMark::read() const {
  TierHealth health;
  {
    Lock lock(mutex_);
    health = health_;
  }
  const std::int64_t last_worked = last_worked_ms_.load(std::memory_order_relaxed);
  if (last_worked != kNeverWorked) health.last_worked = WallTime(WallTime::duration(last_worked));
  return health;
}

TierHealth merged(const TierHealth& one, const TierHealth& other) {
  TierHealth health = one.working ? other : one;
  health.last_worked = std::max(one.last_worked, other.last_worked);
  if (one.working || other.working) return health;
  health.why += "; " + other.why;
  if (other.since && (!health.since || *other.since < *health.since)) health.since = other.since;
  if (!health.next_probe) health.next_probe = other.next_probe;
  return health;
}

}  // namespace tiercache::detail
