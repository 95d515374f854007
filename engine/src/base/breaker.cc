#include "base/breaker.h"

#include <algorithm>
#include <utility>

namespace tiercache {

namespace {

// How long to wait before asking again whether a probe that is out has ended.
constexpr std::chrono::milliseconds kProbePatience{1'000};

// The number of openings and closings so far.
std::uint64_t epoch_of(const Breaker::State& state) {
  return 2 * state.opened - (state.open ? 1 : 0);
}

}  // namespace

Breaker::Breaker(std::shared_ptr<const Clock> clock, BackoffOptions pauses, std::uint64_t seed)
    : clock_(std::move(clock)), pauses_(pauses), random_(seed) {}

void Breaker::on_failure(std::function<void(const State&)> failed) {
  failed_ = std::move(failed);
}

void Breaker::on_close(std::function<void()> closed) {
  closed_ = std::move(closed);
}

bool Breaker::would_refuse(Urgency urgency) const {
  if (!state_.open || urgency == Urgency::forced) return false;
  if (state_.probing) return true;
  SteadyTime from = next_probe_;
  if (urgency == Urgency::reader) from = std::min(from, failed_at_ + kLongestPauseOfReaders);
  return clock_->steady_now() < from;
}

bool Breaker::refuses(Urgency urgency) const {
  Lock lock(mutex_);
  return would_refuse(urgency);
}

Breaker::Permit Breaker::ask(Urgency urgency) {
  Lock lock(mutex_);
  if (would_refuse(urgency)) {
    ++state_.refused;
    return {};
  }
  const bool probe = state_.open && urgency != Urgency::forced;
  if (probe) state_.probing = true;
  if (state_.open) ++state_.probes;
  return {.kind = probe ? Permit::Kind::probe : Permit::Kind::call,
          .epoch = epoch_of(state_),
          .worked = worked_};
}

void Breaker::ended(const Permit& permit, bool worked, const std::string& why) {
  std::optional<State> failed;
  {
    Lock lock(mutex_);
    if (worked) state_.last_worked = clock_->wall_now();
    if (permit.epoch != epoch_of(state_)) return;
    if (permit.is_probe()) state_.probing = false;
    if (worked) {
      ++worked_;
      if (!take_success()) return;
    } else {
      if (permit.worked != worked_) return;
      take_failure(why);
      if (failed_) failed = state_;
    }
  }
  if (failed) return failed_(*failed);
  if (worked && closed_) closed_();
}

void Breaker::take_failure(const std::string& why) {
  const SteadyTime now = clock_->steady_now();
  const WallTime wall = clock_->wall_now();
  state_.pause = backoff_delay(pauses_, failures_++, random_);
  failed_at_ = now;
  next_probe_ = now + state_.pause;
  state_.why = why;
  state_.next_probe = wall + state_.pause;
  if (std::exchange(state_.open, true)) return;
  state_.since = wall;
  ++state_.opened;
}

// Returns whether this closes the breaker.
bool Breaker::take_success() {
  failures_ = 0;
  if (!std::exchange(state_.open, false)) return false;
  state_.probing = false;
  state_.since.reset();
  state_.next_probe.reset();
  state_.why.clear();
  return true;
}

void Breaker::unused(const Permit& permit) {
  Lock lock(mutex_);
  if (permit.is_probe() && permit.epoch == epoch_of(state_)) state_.probing = false;
}

std::uint64_t Breaker::worked() const {
  Lock lock(mutex_);
  return worked_;
}

SteadyTime Breaker::retry_at() const {
  Lock lock(mutex_);
  const SteadyTime now = clock_->steady_now();
  return state_.probing ? now + kProbePatience : std::max(next_probe_, now);
}

std::string Breaker::refusal() const {
  Lock lock(mutex_);
  return "not asked, it failed a moment ago: " + state_.why;
}

Breaker::State Breaker::state() const {
  Lock lock(mutex_);
  return state_;
}

}  // namespace tiercache
