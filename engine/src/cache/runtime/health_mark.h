// Whether a tier or a source works, as told by whoever uses it. `health` reads it, and the log is
// told when it changes.
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

namespace tiercache::detail {

// What an outage leaves in the log:
//
//   <subject> fails: <why>; next try in 2 s; <meanwhile>             the first failure, at once
//   <subject> has failed for 60 s, 14 times: <why>; next try in 5 s  1 min later, then 2, 4, … 60
//   <subject> works again after 10 min and 31 failures               if the log said that it fails
//
// Short outages that come and go do not fill the log: the next outage is reported no sooner than
// the next line of the last one would have been, and that line says how many outages were passed
// over. A line is written because of a failure or a success, never because of a timer.
//
// Thread-safe. `log` and `clock` must outlive it.
class HealthMark {
 public:
  struct Words {
    LogTopic topic = LogTopic::lifecycle;
    spdlog::level::level_enum level = spdlog::level::warn;  // of the failures
    std::string subject;                                    // such as "the store"
    std::string meanwhile = {};                             // what goes on without it; may be empty
  };
  HealthMark(Log& log, const Clock& clock, Words words);

  // `next_try` says how long it is until the next try, where that is known. `why` must hold no
  // secrets.
  void failed(const std::string& why, std::optional<std::chrono::milliseconds> next_try = {});
  void worked();
  bool is_working() const { return working_.load(std::memory_order_relaxed); }
  TierHealth read() const;

 private:
  std::string line_of_failure(std::optional<std::chrono::milliseconds> next_try, SteadyTime now)
      TIERCACHE_REQUIRES(mutex_);
  std::string line_of_recovery(SteadyTime now) TIERCACHE_REQUIRES(mutex_);

  Log& log_;
  const Clock& clock_;
  const Words words_;
  std::atomic<bool> working_{true};
  std::atomic<std::int64_t> last_worked_ms_;  // by the time of day; `kNeverWorked` before that
  mutable Mutex mutex_;
  TierHealth health_ TIERCACHE_GUARDED_BY(mutex_);
  // The current outage.
  SteadyTime failing_from_ TIERCACHE_GUARDED_BY(mutex_){};
  std::uint64_t failures_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  // What the log was told: whether its last line says that this fails, when it may be told more,
  // and how many outages it was not told of.
  bool said_ TIERCACHE_GUARDED_BY(mutex_) = false;
  std::optional<SteadyTime> next_line_at_ TIERCACHE_GUARDED_BY(mutex_);
  std::chrono::milliseconds pause_ TIERCACHE_GUARDED_BY(mutex_){0};
  std::uint64_t outages_unsaid_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

// The health of something that has several marks. It fails as long as one of them does, since the
// first of them failed, for the reasons of all.
TierHealth merged(const TierHealth& one, const TierHealth& other);

}  // namespace tiercache::detail
