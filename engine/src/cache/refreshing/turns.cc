#include "cache/refreshing/turns.h"

#include <algorithm>
#include <utility>

#include "cache/runtime/judge.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

// Between turns of a source whose answers do not show.
constexpr milliseconds kLeastPause{1'000};
constexpr double kNoMove = 0.5;  // the spread of a turn that its jitter does not move

// Of what is erased, only the one document of a dataset whose source says what is to be erased: it
// may have it again.
bool is_refreshed(const DatasetState& dataset, const Known::Standing& standing) {
  const auto& options = dataset.policy.options;
  return standing.kind == EntryKind::document || (!options.keyed && options.not_found_erases);
}

}  // namespace

Turns::Turns(Runtime& runtime, LocalTiers& local, const SingleFlight& flights, Due due)
    : runtime_(runtime),
      local_(local),
      flights_(flights),
      scheduler_(std::make_shared<Scheduler>(*runtime.executor, *runtime.clock,
                                             runtime.tasks.if_alive(std::move(due)),
                                             runtime.seed + 2)) {}

bool Turns::asks_for_plain(const DatasetState& dataset,
                           const std::optional<Known::Standing>& standing) {
  return dataset.policy.refresh && (!standing || standing->kind != EntryKind::document);
}

void Turns::arm(DatasetState& dataset, const EntryId& id) {
  if (!dataset.hydrated.load() || !runtime_.is_open()) return;
  const auto& options = dataset.policy.options;
  if (options.refresh_every.count() == 0 && options.rich_refresh_every.count() == 0) return;
  const Known known = local_.known(&dataset, id);
  const auto standing = known.standing();
  if (standing ? !is_refreshed(dataset, *standing) : options.keyed) {
    forget(id);
    return scheduler_->disarm(id);
  }
  Clocks clocks = standing ? standing->clocks : Clocks{};
  if (standing && standing->kind == EntryKind::tombstone) {
    clocks.last_fetch = clocks.last_rich_fetch = WallTime(known.visible().stamped_at());
  }
  const WallTime now = runtime_.now().wall;
  for (const Cadence cadence : {Cadence::normal, Cadence::rich}) {
    const Schedule schedule = dataset.schedule(cadence);
    if (schedule.every.count() == 0) continue;
    const auto last = cadence == Cadence::rich ? clocks.last_rich_fetch : clocks.last_fetch;
    auto retry_at = retry_time({id, cadence});
    if (cadence == Cadence::rich && asks_for_plain(dataset, standing)) {
      // The plain turns see to it, if there are any.
      if (options.refresh_every.count() > 0) {
        scheduler_->arm(id, cadence, Schedule{}, {});
        continue;
      }
      retry_at = std::max(retry_at, retry_time({id, Cadence::normal}));
    }
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

std::optional<milliseconds> Turns::retry_pause(const SourceId& source) const {
  const auto retry_at = flights_.retry_at(source);
  if (!retry_at) return std::nullopt;
  return std::chrono::ceil<milliseconds>(*retry_at - runtime_.clock->steady_now());
}

void Turns::source_had_none(const DatasetState& dataset, const SourceId& source) {
  milliseconds every = dataset.schedule(source.cadence).every;
  // Without a schedule of its own, the plain source is asked by rich turns.
  if (every.count() == 0) every = dataset.schedule(Cadence::rich).every;
  if (every.count() == 0) return;
  hold(source, every);
}

void Turns::hold(const SourceId& source, milliseconds pause) {
  const WallTime until = runtime_.now().wall + pause;
  Lock lock(mutex_);
  not_before_.insert_or_assign(source, until);
}

void Turns::begun(const DatasetState& dataset, const SourceId& source) {
  hold(source, std::min(dataset.schedule(source.cadence).every, kLeastPause));
}

// What the source brought may have lost to a write that nobody sees yet, so that the turn is due as
// before.
void Turns::source_answered(const DatasetState& dataset, const SourceId& source) {
  const Schedule schedule = dataset.schedule(source.cadence);
  const auto standing = local_.known(&dataset, source.id).standing();
  const Clocks clocks = standing ? standing->clocks : Clocks{};
  const auto last = source.cadence == Cadence::rich ? clocks.last_rich_fetch : clocks.last_fetch;
  const WallTime now = runtime_.now().wall;
  if (due_at(schedule, last, now, kNoMove) <= now) return begun(dataset, source);
  Lock lock(mutex_);
  not_before_.erase(source);
}

void Turns::forget(const EntryId& id) {
  Lock lock(mutex_);
  for (const Cadence cadence : {Cadence::normal, Cadence::rich}) not_before_.erase({id, cadence});
}

// The time of day until which the source is left alone, after a failure or because it had nothing.
std::optional<WallTime> Turns::retry_time(const SourceId& source) const {
  std::optional<WallTime> until;
  if (const auto pause = retry_pause(source)) {
    until = runtime_.now().wall + *pause + milliseconds(1);
  }
  Lock lock(mutex_);
  if (const auto none = not_before_.find(source); none != not_before_.end()) {
    until = std::max(until.value_or(none->second), none->second);
  }
  return until;
}

}  // namespace tiercache::detail
