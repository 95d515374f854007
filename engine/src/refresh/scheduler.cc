#include "refresh/scheduler.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "base/backoff.h"
#include "base/mutex.h"

namespace tiercache {

using std::chrono::milliseconds;

namespace {

// A time that lies further ahead than this is not believed.
constexpr milliseconds kTolerance = std::chrono::minutes(1);
// How often the time of day is looked at.
constexpr milliseconds kRecheck = std::chrono::minutes(1);
// Bounds durations, so that the sum of a time and a duration stays in range.
constexpr milliseconds kLongest = std::chrono::hours(24 * 366 * 100);
// One task starts at most so many turns, so that other work gets in between when many are due at
// once.
constexpr int kTurnsPerTask = 64;

milliseconds bounded(milliseconds duration) {
  return std::clamp(duration, milliseconds(0), kLongest);
}

}  // namespace

WallTime due_at(const Schedule& schedule, std::optional<WallTime> last, WallTime now,
                double spread) {
  if (schedule.every <= milliseconds(0)) return WallTime::max();
  if (!last || *last > now + kTolerance) return now;
  const milliseconds every = bounded(schedule.every);
  const double move = 2.0 * std::clamp(spread, 0.0, 1.0) - 1.0;
  const auto offset = static_cast<milliseconds::rep>(
      std::llround(move * static_cast<double>(bounded(schedule.jitter).count())));
  return std::max(*last, now - kLongest) + std::max(milliseconds(0), every + milliseconds(offset));
}

struct Scheduler::State : std::enable_shared_from_this<State> {
  struct Name {
    EntryId id;
    Cadence cadence;
    friend auto operator<=>(const Name&, const Name&) = default;
  };
  // Turns that are due at the same time start in the order in which they were armed, so that a run
  // can be repeated.
  struct Place {
    WallTime when;
    std::uint64_t number;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Turn {
    Place place;
    // The last fetch, or when the turn was armed. If this lies ahead of the clock, the clock has
    // jumped back.
    WallTime as_of;
  };
  using Turns = std::map<Name, Turn>;

  State(Executor& e, const Clock& c, Due d, std::uint64_t seed)
      : executor(e),
        clock(c),
        due(std::move(d)),
        random(seed),
        marked_wall(clock.wall_now()),
        marked_steady(clock.steady_now()) {}

  void put(Name name, WallTime when, WallTime as_of) TIERCACHE_REQUIRES(mutex);
  void remove(const Name& name) TIERCACHE_REQUIRES(mutex);
  void move_to(Turns::iterator turn, WallTime when) TIERCACHE_REQUIRES(mutex);
  void mark_time() TIERCACHE_REQUIRES(mutex);
  void notice_jump() TIERCACHE_REQUIRES(mutex);
  void bring_forward(WallTime now) TIERCACHE_REQUIRES(mutex);
  void set_timer() TIERCACHE_REQUIRES(mutex);
  void drop_timer() TIERCACHE_REQUIRES(mutex);
  void on_timer(std::uint64_t timer_number);
  bool start_one();

  Executor& executor;
  const Clock& clock;
  const Due due;

  mutable Mutex mutex;
  bool stopped TIERCACHE_GUARDED_BY(mutex) = false;
  Random random TIERCACHE_GUARDED_BY(mutex);
  Turns turns TIERCACHE_GUARDED_BY(mutex);
  std::map<Place, Turns::iterator> order TIERCACHE_GUARDED_BY(mutex);
  std::uint64_t last_place TIERCACHE_GUARDED_BY(mutex) = 0;
  // Both clocks as they were read together. The time of day has jumped if the two have moved on
  // differently since.
  WallTime marked_wall TIERCACHE_GUARDED_BY(mutex);
  SteadyTime marked_steady TIERCACHE_GUARDED_BY(mutex);
  // The only timer. Its number tells it from an earlier one that could not be cancelled in time.
  Executor::TimerId timer TIERCACHE_GUARDED_BY(mutex) = 0;
  std::uint64_t timer_number TIERCACHE_GUARDED_BY(mutex) = 0;
  SteadyTime timer_at TIERCACHE_GUARDED_BY(mutex){};
};

void Scheduler::State::put(Name name, WallTime when, WallTime as_of) {
  const Place place{when, ++last_place};
  const auto [turn, is_new] = turns.try_emplace(std::move(name));
  if (!is_new) order.erase(turn->second.place);
  turn->second = {place, as_of};
  order.emplace(place, turn);
}

void Scheduler::State::remove(const Name& name) {
  const auto turn = turns.find(name);
  if (turn == turns.end()) return;
  order.erase(turn->second.place);
  turns.erase(turn);
}

void Scheduler::State::move_to(Turns::iterator turn, WallTime when) {
  order.erase(turn->second.place);
  turn->second.place = {when, ++last_place};
  order.emplace(turn->second.place, turn);
}

void Scheduler::State::mark_time() {
  marked_wall = clock.wall_now();
  marked_steady = clock.steady_now();
}

void Scheduler::State::notice_jump() {
  const WallTime now = clock.wall_now();
  const auto passed = std::chrono::floor<milliseconds>(clock.steady_now() - marked_steady);
  const milliseconds ahead = now - marked_wall - passed;
  if (std::chrono::abs(ahead) <= kTolerance) return;
  bring_forward(now);
  mark_time();
}

void Scheduler::State::bring_forward(WallTime now) {
  for (auto turn = turns.begin(); turn != turns.end(); ++turn) {
    if (turn->second.as_of <= now + kTolerance) continue;
    turn->second.as_of = now;
    move_to(turn, now);
  }
}

void Scheduler::State::set_timer() {
  if (order.empty()) return drop_timer();
  const milliseconds wait =
      std::clamp(order.begin()->first.when - clock.wall_now(), milliseconds(0), kRecheck);
  const SteadyTime when = clock.steady_now() + wait;
  if (timer != 0 && timer_at <= when) return;
  drop_timer();
  timer_at = when;
  timer = executor.schedule(
      when, Lane::compute,
      [self = shared_from_this(), number = ++timer_number] { self->on_timer(number); });
}

void Scheduler::State::drop_timer() {
  if (timer != 0) executor.cancel(timer);
  timer = 0;
}

void Scheduler::State::on_timer(std::uint64_t number) {
  {
    Lock lock(mutex);
    if (stopped || number != timer_number) return;
    timer = 0;
    notice_jump();
  }
  int started = 0;
  while (started < kTurnsPerTask && start_one()) ++started;
  Lock lock(mutex);
  set_timer();
}

bool Scheduler::State::start_one() {
  Name name;
  milliseconds lateness{0};
  {
    Lock lock(mutex);
    if (order.empty()) return false;
    const auto first = order.begin();
    lateness = clock.wall_now() - first->first.when;
    if (lateness < milliseconds(0)) return false;
    name = first->second->first;
    turns.erase(first->second);
    order.erase(first);
  }
  try {
    due(name.id, name.cadence, lateness);
  } catch (...) {  // NOLINT: a task must not throw, and `due` tells its own failures
  }
  return true;
}

Scheduler::Scheduler(Executor& executor, const Clock& clock, Due due, std::uint64_t seed)
    : state_(std::make_shared<State>(executor, clock, std::move(due), seed)) {}

Scheduler::~Scheduler() {
  stop();
}

void Scheduler::arm(const EntryId& id, Cadence cadence, const Schedule& schedule,
                    std::optional<WallTime> last) {
  Lock lock(state_->mutex);
  if (state_->stopped) return;
  state_->notice_jump();
  const WallTime now = state_->clock.wall_now();
  const double spread = static_cast<double>(state_->random.below(1'000'001)) / 1e6;
  const WallTime when = due_at(schedule, last, now, spread);
  if (when == WallTime::max()) {
    state_->remove({id, cadence});
  } else {
    state_->put({id, cadence}, when, std::min(last.value_or(now), now));
  }
  state_->set_timer();
}

void Scheduler::arm_at(const EntryId& id, Cadence cadence, WallTime when) {
  Lock lock(state_->mutex);
  if (state_->stopped) return;
  state_->notice_jump();
  const WallTime now = state_->clock.wall_now();
  state_->put({id, cadence}, std::max(when, now - kLongest), now);
  state_->set_timer();
}

void Scheduler::disarm(const EntryId& id) {
  Lock lock(state_->mutex);
  state_->remove({id, Cadence::normal});
  state_->remove({id, Cadence::rich});
}

void Scheduler::stop() {
  Lock lock(state_->mutex);
  state_->stopped = true;
  state_->drop_timer();
  state_->order.clear();
  state_->turns.clear();
}

std::size_t Scheduler::armed() const {
  Lock lock(state_->mutex);
  return state_->turns.size();
}

std::optional<WallTime> Scheduler::next(const EntryId& id, Cadence cadence) const {
  Lock lock(state_->mutex);
  const auto turn = state_->turns.find({id, cadence});
  if (turn == state_->turns.end()) return std::nullopt;
  return turn->second.place.when;
}

}  // namespace tiercache
