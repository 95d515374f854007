#include "cache/refreshing/turns.h"

#include <utility>

#include "cache/runtime/judge.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

constexpr double kNoMove = 0.5;  // the spread of a turn that its jitter does not move

}  // namespace

Turns::Turns(Runtime& runtime, LocalTiers& local, const SingleFlight& flights, Due due)
    : runtime_(runtime),
      local_(local),
      flights_(flights),
      scheduler_(std::make_shared<Scheduler>(*runtime.executor, *runtime.clock,
                                             runtime.tasks.if_alive(std::move(due)),
                                             runtime.seed + 2)) {}

void Turns::arm(DatasetState& dataset, const EntryId& id) {
  if (!dataset.hydrated.load() || !runtime_.is_open()) return;
  const auto& options = dataset.policy.options;
  if (options.refresh_every.count() == 0 && options.rich_refresh_every.count() == 0) return;
  const auto standing = local_.known(&dataset, id).standing();
  const bool wanted = standing ? standing->kind == EntryKind::document : !options.keyed;
  if (!wanted) {
    for (const Cadence cadence : {Cadence::normal, Cadence::rich}) source_had_it(id, cadence);
    return scheduler_->disarm(id);
  }
  const Clocks clocks = standing ? standing->clocks : Clocks{};
  const WallTime now = runtime_.now().wall;
  for (const Cadence cadence : {Cadence::normal, Cadence::rich}) {
    const Schedule schedule = dataset.schedule(cadence);
    if (schedule.every.count() == 0) continue;
    const auto last = cadence == Cadence::rich ? clocks.last_rich_fetch : clocks.last_fetch;
    const auto retry_at = retry_time(id, cadence);
    // After a failure a turn that is due waits for the back-off; one that is not due yet keeps its
    // time.
    if (retry_at && due_at(schedule, last, now, kNoMove) <= *retry_at) {
      scheduler_->arm_at(id, cadence, *retry_at);
    } else {
      scheduler_->arm(id, cadence, schedule, last);
    }
  }
}

void Turns::arm_all(DatasetState& dataset) {
  dataset.hydrated.store(true);
  if (!dataset.policy.options.keyed) return arm(dataset, dataset.id({}));
  local_.index().for_each(dataset.name, [&](const std::string& key, const IndexItem&) {
    arm(dataset, dataset.id(key));
  });
}

bool Turns::are_ahead() const {
  bool ahead = true;
  runtime_.datasets.for_each([&](DatasetState& dataset) {
    const auto& options = dataset.policy.options;
    if (options.keyed || options.refresh_every.count() == 0) return;
    const auto next = scheduler_->next(dataset.id({}), Cadence::normal);
    ahead = ahead && next && *next > runtime_.versions.now();
  });
  return ahead;
}

void Turns::stop() {
  scheduler_->stop();
}

std::optional<milliseconds> Turns::retry_pause(const EntryId& id) const {
  const auto retry_at = flights_.retry_at(id);
  if (!retry_at) return std::nullopt;
  return std::chrono::ceil<milliseconds>(*retry_at - runtime_.clock->steady_now());
}

void Turns::source_had_none(const DatasetState& dataset, const EntryId& id, Cadence cadence) {
  const milliseconds every = dataset.schedule(cadence).every;
  if (every.count() == 0) return;
  const WallTime until = runtime_.now().wall + every;
  Lock lock(mutex_);
  had_none_[{id, cadence}] = until;
}

void Turns::source_had_it(const EntryId& id, Cadence cadence) {
  Lock lock(mutex_);
  had_none_.erase({id, cadence});
}

// The time of day until which the key's source is left alone, after a failure or because it had
// nothing.
std::optional<WallTime> Turns::retry_time(const EntryId& id, Cadence cadence) const {
  std::optional<WallTime> until;
  if (const auto pause = retry_pause(id)) until = runtime_.now().wall + *pause + milliseconds(1);
  Lock lock(mutex_);
  if (const auto none = had_none_.find({id, cadence}); none != had_none_.end()) {
    until = std::max(until.value_or(none->second), none->second);
  }
  return until;
}

}  // namespace tiercache::detail
