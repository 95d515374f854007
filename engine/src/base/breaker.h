// One judgement for all calls into one store: whether to ask it now (circuit breaker; Nygard,
// "Release It!", 2007).
//
// Closed, every call goes through. The first one that fails opens it: a failed call has waited its
// time out or was turned away, and the next would tell no more. Open, nothing is asked until a
// pause with back-off is over; then a single call goes, the probe, and all others still do without.
// The first call made meanwhile that works closes it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/annotations.h"
#include "base/backoff.h"
#include "base/mutex.h"
#include "tiercache/clock.h"
#include "tiercache/time.h"

namespace tiercache {

// Thread-safe.
class Breaker {
 public:
  // Who waits for a call waits for the back-off at most this long.
  static constexpr std::chrono::milliseconds kLongestPauseOfReaders{5'000};

  Breaker(std::shared_ptr<const Clock> clock, BackoffOptions pauses, std::uint64_t seed);

  enum class Urgency : std::uint8_t {
    background,  // can wait for the whole pause
    reader,      // somebody waits, or nobody but a look now and then finds out
    forced,      // goes through in any case: somebody asked for it by name
  };
  struct Permit {
    bool granted = false;
    bool probe = false;        // it alone is out
    std::uint64_t epoch = 0;   // counts the openings and closings before it
    std::uint64_t worked = 0;  // calls that had worked before it
  };
  // Before each call. Each granted permit is ended exactly once.
  Permit ask(Urgency urgency);
  // Would be refused just now. Nothing is taken.
  bool refuses(Urgency urgency) const;
  // The call ended; `why` is told while the breaker is open. How a call ends that began before the
  // breaker opened or closed last is no news: it tells of the store as it was then. Nor is that one
  // failed while others worked: it may have waited for a locked row, and a store that answers
  // others is not away.
  void ended(const Permit& permit, bool worked, const std::string& why = {});
  // No call was made after all.
  void unused(const Permit& permit);

  // A call under way: fails when it is left by an exception, so that no permit stays out.
  class OpenCall {
   public:
    OpenCall(Breaker& breaker, const Permit& permit) : breaker_(breaker), permit_(permit) {}
    ~OpenCall() {
      if (open_) breaker_.ended(permit_, false, "the call was broken off");
    }
    OpenCall(const OpenCall&) = delete;
    OpenCall& operator=(const OpenCall&) = delete;
    void ended(bool worked, const std::string& why) {
      open_ = false;
      breaker_.ended(permit_, worked, why);
    }

   private:
    Breaker& breaker_;
    const Permit permit_;
    bool open_ = true;
  };

  // How many calls have worked: so somebody can tell whether others did since.
  std::uint64_t worked() const;
  // When to ask again after a refusal of background work.
  SteadyTime retry_at() const;
  // "not asked, …": for whoever is refused.
  std::string refusal() const;

  struct State {
    bool open = false;
    bool probing = false;
    std::optional<WallTime> since;        // open since
    std::optional<WallTime> last_worked;  // when a call last did
    std::optional<WallTime> next_probe;   // while open, at the latest, if there is anything to ask
    std::chrono::milliseconds pause{0};   // while open, from the last failure to `next_probe`
    std::string why;                      // what the last failed call said
    std::uint64_t opened = 0;             // how often, so far
    std::uint64_t probes = 0;
    std::uint64_t refused = 0;
  };
  State state() const;
  // Called after each failed call that counts, with the state as it is then, by whoever ended the
  // call, under no lock. Set before the first call.
  void on_failure(std::function<void(const State&)> failed);
  // Called each time it closes, by whoever ended the call that worked, under no lock. Set before
  // the first call.
  void on_close(std::function<void()> closed);

 private:
  bool would_refuse(Urgency urgency) const TIERCACHE_REQUIRES(mutex_);
  void take_failure(const std::string& why) TIERCACHE_REQUIRES(mutex_);
  bool take_success() TIERCACHE_REQUIRES(mutex_);

  const std::shared_ptr<const Clock> clock_;
  const BackoffOptions pauses_;
  std::function<void(const State&)> failed_;
  std::function<void()> closed_;
  mutable Mutex mutex_;
  Random random_ TIERCACHE_GUARDED_BY(mutex_);
  State state_ TIERCACHE_GUARDED_BY(mutex_);
  int failures_ TIERCACHE_GUARDED_BY(mutex_) = 0;  // in a row
  std::uint64_t worked_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  SteadyTime failed_at_ TIERCACHE_GUARDED_BY(mutex_){};
  SteadyTime next_probe_ TIERCACHE_GUARDED_BY(mutex_){};
};

}  // namespace tiercache
