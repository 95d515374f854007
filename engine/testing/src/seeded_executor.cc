#include "tiercache/testing/seeded_executor.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

namespace tiercache::testing {

namespace {

// More steps than any sound run takes while time stands still. Tasks that post each other for ever
// are thus reported and do not hang the test.
constexpr std::uint64_t kMaxStepsAtOneTime = 20'000'000;

// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
std::uint64_t split_mix(std::uint64_t* state) {
  std::uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

SteadyTime later_by(SteadyTime now, std::chrono::nanoseconds by) {
  return by > kNever - now ? kNever : now + by;
}

}  // namespace

struct SeededExecutor::State {
  struct Ready {
    TimerId timer = 0;  // 0 for a posted task
    Task task;
  };
  // Timers of one time are kept in the order in which they were made; the seed decides once they
  // are due.
  using TimerKey = std::pair<SteadyTime, TimerId>;

  State(std::shared_ptr<ManualClock> manual_clock, std::uint64_t seed)
      : clock(std::move(manual_clock)), random(seed) {}

  std::shared_ptr<ManualClock> clock;
  std::uint64_t random;
  std::vector<Ready> ready;
  std::map<TimerKey, Task> timers;
  TimerId last_timer = 0;
  bool closed = false;
  SteadyTime steps_counted_at{};
  std::uint64_t steps_at_one_time = 0;

  void collect_due();
  void count_step();
  bool step();
  // Moves time on to the next timer, but not beyond `limit`. Nothing may be ready.
  void pass_time(SteadyTime limit);
  void run_until(SteadyTime limit);
  bool take_back(TimerId timer);
  void drop_all();
};

void SeededExecutor::State::collect_due() {
  const SteadyTime now = clock->steady_now();
  while (!timers.empty() && timers.begin()->first.first <= now) {
    auto due = timers.extract(timers.begin());
    ready.push_back({due.key().second, std::move(due.mapped())});
  }
}

void SeededExecutor::State::count_step() {
  const SteadyTime now = clock->steady_now();
  if (now != steps_counted_at) {
    steps_counted_at = now;
    steps_at_one_time = 0;
  }
  if (++steps_at_one_time > kMaxStepsAtOneTime) {
    throw std::logic_error("SeededExecutor: tasks keep posting tasks and time never moves");
  }
}

bool SeededExecutor::State::step() {
  collect_due();
  if (ready.empty()) return false;
  count_step();
  std::swap(ready[split_mix(&random) % ready.size()], ready.back());
  Task task = std::move(ready.back().task);
  ready.pop_back();
  task();
  return true;
}

void SeededExecutor::State::pass_time(SteadyTime limit) {
  const SteadyTime next = timers.empty() ? limit : std::min(limit, timers.begin()->first.first);
  if (next == kNever) {
    throw std::logic_error(
        "SeededExecutor: a wait that nothing can end: no task, timer or deadline");
  }
  const SteadyTime now = clock->steady_now();
  if (next > now) clock->advance(next - now);
}

void SeededExecutor::State::run_until(SteadyTime limit) {
  while (step() || clock->steady_now() < limit) {
    if (ready.empty()) pass_time(limit);
  }
}

bool SeededExecutor::State::take_back(TimerId timer) {
  const auto in_bag = std::find_if(ready.begin(), ready.end(),
                                   [timer](const Ready& r) { return r.timer == timer; });
  if (in_bag != ready.end()) {
    const Ready taken = std::move(*in_bag);
    ready.erase(in_bag);
    return true;
  }
  const auto waiting = std::find_if(timers.begin(), timers.end(),
                                    [timer](const auto& t) { return t.first.second == timer; });
  if (waiting == timers.end()) return false;
  const auto taken = timers.extract(waiting);
  return true;
}

// Destroying a task may run code that posts or cancels, so the containers are emptied first.
void SeededExecutor::State::drop_all() {
  closed = true;
  const auto dropped_tasks = std::exchange(ready, {});
  const auto dropped_timers = std::exchange(timers, {});
}

namespace {

// Waits by running the executor's other tasks. Once the executor is gone it goes on working as a
// plain flag.
template <class State>
class SteppingEvent final : public Event {
 public:
  explicit SteppingEvent(std::weak_ptr<State> executor) : executor_(std::move(executor)) {}

  void set() override { set_ = true; }

  bool wait_until(SteadyTime deadline) override {
    const std::shared_ptr<State> executor = executor_.lock();
    while (executor && !set_ && executor->clock->steady_now() < deadline) {
      if (!executor->step()) executor->pass_time(deadline);
    }
    return set_;
  }

 private:
  std::weak_ptr<State> executor_;
  bool set_ = false;
};

}  // namespace

SeededExecutor::SeededExecutor(std::shared_ptr<ManualClock> clock, std::uint64_t seed)
    : clock_(clock), state_(std::make_shared<State>(std::move(clock), seed)) {}

SeededExecutor::~SeededExecutor() {
  state_->drop_all();
}

void SeededExecutor::post(Lane, Task task) {
  if (!state_->closed) state_->ready.push_back({0, std::move(task)});
}

Executor::TimerId SeededExecutor::schedule(SteadyTime when, Lane, Task task) {
  const TimerId timer = ++state_->last_timer;
  if (!state_->closed) state_->timers.emplace(State::TimerKey{when, timer}, std::move(task));
  return timer;
}

bool SeededExecutor::cancel(TimerId timer) {
  return timer != 0 && state_->take_back(timer);
}

std::shared_ptr<Event> SeededExecutor::make_event() {
  return std::make_shared<SteppingEvent<State>>(state_);
}

int SeededExecutor::shutdown(SteadyTime) {
  state_->drop_all();
  return 0;
}

bool SeededExecutor::step() {
  return state_->step();
}

void SeededExecutor::run_ready() {
  while (step()) {
  }
}

void SeededExecutor::run_for(std::chrono::nanoseconds by) {
  state_->run_until(later_by(clock_->steady_now(), by));
}

bool SeededExecutor::run_until(const std::function<bool()>& done, std::chrono::nanoseconds limit) {
  const SteadyTime end = later_by(clock_->steady_now(), limit);
  while (!done()) {
    if (state_->step()) continue;
    if (clock_->steady_now() >= end) return false;
    state_->pass_time(end);
  }
  return true;
}

void SeededExecutor::sleep_for(std::chrono::nanoseconds by) {
  run_for(by);
}

std::size_t SeededExecutor::pending() const {
  return state_->ready.size() + state_->timers.size();
}

}  // namespace tiercache::testing
