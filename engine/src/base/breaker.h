// One judgement for all calls into a store: whether to ask it now (circuit breaker; Nygard,
// "Release It!", 2007).
//
// While the breaker is closed every call goes through. The first call that fails opens it: that
// call has waited its whole time or was turned away, and the next one would learn nothing more.
// While it is open nothing is asked until a pause with back-off is over. Then a single call goes
// through, the probe, and all others still do without the store. The first call that works among
// those made meanwhile closes it.
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
  // Somebody who waits for a call waits for the back-off at most this long.
  static constexpr std::chrono::milliseconds kLongestPauseOfReaders{5'000};

  Breaker(std::shared_ptr<const Clock> clock, BackoffOptions pauses, std::uint64_t seed);

  enum class Urgency : std::uint8_t {
    background,  // can wait for the whole pause
    reader,      // somebody waits for it, or only such a look now and then finds out
    forced,      // goes through in any case, because somebody asked for just this
  };
  // The answer to `ask`.
  struct Permit {
    enum class Kind : std::uint8_t {
      refused,  // no call may be made
      call,     // one call may be made
      probe,    // one call may be made, which is the probe: no other one is out
    };
    Kind kind = Kind::refused;
    std::uint64_t epoch = 0;   // how many openings and closings there were before it
    std::uint64_t worked = 0;  // how many calls had worked before it

    bool is_granted() const { return kind != Kind::refused; }
    bool is_probe() const { return kind == Kind::probe; }
  };
  // Asked before each call. Every permit that is granted must be ended exactly once, by `ended` or
  // `unused`.
  Permit ask(Urgency urgency);
  // Whether `ask` would refuse just now; takes no permit.
  bool refuses(Urgency urgency) const;
  // Tells how the call ended; `why` is shown while the breaker is open. A call that began before
  // the breaker last opened or closed does not count, because it tells of the store as it was then.
  // Neither does a failed call if others have worked meanwhile: it may have waited for a locked
  // row, and a store that answers others is not away.
  void ended(const Permit& permit, bool worked, const std::string& why = {});
  // Gives the permit back when no call was made after all.
  void unused(const Permit& permit);

  // A call under way. It counts as failed if an exception ends it, so that no permit stays out.
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

  // How many calls have worked. A caller that compares two values learns whether others have worked
  // in between.
  std::uint64_t worked() const;
  // When background work should ask again after a refusal.
  SteadyTime retry_at() const;
  // What a refused caller is told: "not asked, …".
  std::string refusal() const;

  struct State {
    bool open = false;
    bool probing = false;
    std::optional<WallTime> since;        // when it opened; set while it is open
    std::optional<WallTime> last_worked;  // when a call last worked
    // While it is open: when the next probe goes at the latest, if there is anything to ask.
    std::optional<WallTime> next_probe;
    std::chrono::milliseconds pause{0};  // while it is open: from the last failure to `next_probe`
    std::string why;                     // what the last failed call said
    std::uint64_t opened = 0;            // how often it has opened so far
    std::uint64_t probes = 0;
    std::uint64_t refused = 0;
  };
  State state() const;
  // `failed` is called after each failed call that counts, with the state as it is then, by whoever
  // ended the call, under no lock. Must be set before the first call.
  void on_failure(std::function<void(const State&)> failed);
  // `closed` is called each time the breaker closes, by whoever ended the call that worked, under
  // no lock. Must be set before the first call.
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
