// Whether a tier or a source works, told by whoever meets it: for `health`, and for the log, which
// is told of the changes.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/annotations.h"
#include "base/log.h"
#include "base/mutex.h"
#include "tiercache/clock.h"
#include "tiercache/stats.h"

namespace tiercache {

// What an outage leaves in the log:
//
//   <subject> fails: <why>; next try in 2 s; <meanwhile>             the first failure, at once
//   <subject> has failed for 60 s, 14 times: <why>; next try in 5 s  1 min later, then 2, 4, … 60
//   <subject> works again after 10 min and 31 failures               where the log said it fails
//
// What comes and goes does not fill the log: the next outage is told of no sooner than the line
// after the last one would have been, with how many outages were passed over. A line is made by a
// failure or a success, never by a timer.
//
// Thread-safe. `log` and `clock` must outlive it.
class HealthMark {
 public:
  struct Words {
    LogTopic topic = LogTopic::lifecycle;
    spdlog::level::level_enum level = spdlog::level::warn;  // of the failures
    std::string subject;                                    // "the store"
    std::string meanwhile = {};                             // what goes on without it; may be empty
  };
  HealthMark(Log& log, const Clock& clock, Words words);

  // `next_try`: how long until it is tried again, where that is known. `why` holds no secrets.
  void failed(const std::string& why, std::optional<std::chrono::milliseconds> next_try = {});
  void worked();
  bool working() const { return working_.load(std::memory_order_relaxed); }
  TierHealth read() const;

 private:
  std::string line_of_failure(std::optional<std::chrono::milliseconds> next_try, SteadyTime now)
      TIERCACHE_REQUIRES(mutex_);
  std::string line_of_recovery(SteadyTime now) TIERCACHE_REQUIRES(mutex_);

  Log& log_;
  const Clock& clock_;
  const Words words_;
  std::atomic<bool> working_{true};
  std::atomic<std::int64_t> last_worked_ms_;  // by the time of day; kNeverWorked: not yet
  mutable Mutex mutex_;
  TierHealth health_ TIERCACHE_GUARDED_BY(mutex_);
  // Of the outage at hand.
  SteadyTime failing_from_ TIERCACHE_GUARDED_BY(mutex_){};
  std::uint64_t failures_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  // Of the log: whether its last word is that this fails, when it may be told more, what it was not
  // told.
  bool said_ TIERCACHE_GUARDED_BY(mutex_) = false;
  std::optional<SteadyTime> next_line_at_ TIERCACHE_GUARDED_BY(mutex_);
  std::chrono::milliseconds pause_ TIERCACHE_GUARDED_BY(mutex_){0};
  std::uint64_t outages_unsaid_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

// Of something that has several marks: not working while one of them is not, with all reasons,
// since the first of them.
TierHealth merged(const TierHealth& one, const TierHealth& other);

}  // namespace tiercache
