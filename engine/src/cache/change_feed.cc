#include "cache/change_feed.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "cache/core.h"
#include "cache/file_writer.h"
#include "cache/kept_text.h"
#include "cache/retention.h"
#include "cache/store_identity.h"
#include "tiercache/entry.h"

namespace tiercache::detail {

namespace {

constexpr std::size_t kChangesAtOnce = 1'000;
constexpr std::size_t kRowsAtOnce = 100;
constexpr std::chrono::milliseconds kLongestPause{30'000};
// Between looks that hints bring about: where writes come all the time, so do hints.
constexpr std::chrono::milliseconds kHintGap{100};
// A hint came and nothing was told: a transaction that began before is still running.
constexpr std::chrono::milliseconds kSoon{1'000};
// An older cursor than need be costs only looks at rows that are here already.
constexpr std::chrono::milliseconds kKeepEvery{10'000};
constexpr std::string_view kHead = "tiercache-cursor 1\n";

}  // namespace

ChangeFeed::ChangeFeed(Core& core)
    : core_(core), path_(core.options.directory.string() + "/changes") {}

void ChangeFeed::start() {
  if (!core_.store || !core_.store->has_changes()) return;
  if (core_.options.store_calls.poll_every.count() == 0) return;
  const std::string cursor = read_cursor();
  {
    Lock lock(mutex_);
    stopped_ = false;
    placed_ = false;
    cursor_ = kept_ = cursor;
    if (kept_.empty()) tried_at_.reset();
    schedule(core_.clock->steady_now());
  }
  watch();
}

void ChangeFeed::when_placed(std::function<void()> task) {
  {
    Lock lock(mutex_);
    if (!placed_) return waiting_.push_back(std::move(task));
  }
  task();
}

void ChangeFeed::placed() {
  std::vector<std::function<void()>> waiting;
  {
    Lock lock(mutex_);
    placed_ = true;
    waiting.swap(waiting_);
  }
  for (const auto& task : waiting) task();
}

void ChangeFeed::start_over() {
  Lock lock(mutex_);
  if (stopped_) return;
  kept_.clear();
  tried_at_.reset();
  cursor_.clear();
  ++starts_;
  if (!polling_) schedule(core_.clock->steady_now());
}

void ChangeFeed::stop() {
  std::shared_ptr<ChangeWatch> ended;
  {
    Lock lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    ended.swap(watch_);
  }
  ended.reset();
  placed();
  keep_cursor(true);
}

// --- When to ask ---

std::chrono::milliseconds ChangeFeed::pause_of(Pace pace) const {
  const std::chrono::milliseconds usual = core_.options.store_calls.poll_every;
  switch (pace) {
    case Pace::at_once:
      return std::chrono::milliseconds(0);
    case Pace::soon:
      return std::min(usual, kSoon);
    case Pace::usual:
      return usual;
    case Pace::backed_off:
      // From a short pause on even where the usual one is long: the hint for this look, as the one
      // that the store is back, comes once.
      return std::min(kLongestPause, std::min(usual, kSoon) * (1 << std::min(failures_, 5)));
  }
  return usual;
}

void ChangeFeed::schedule(SteadyTime when) {
  if (stopped_) return;
  if (timer_ != 0) core_.executor->cancel(timer_);
  const std::uint64_t turn = ++turn_;
  timer_ = core_.executor->schedule(when, Lane::store, [weak = core_.weak_from_this(), turn] {
    if (const auto core = weak.lock(); core && core->is_open()) core->change_feed->poll(turn);
  });
}

void ChangeFeed::poll(std::uint64_t turn) {
  bool hinted = false;
  {
    Lock lock(mutex_);
    if (stopped_ || turn != turn_) return;
    timer_ = 0;
    polling_ = true;
    hinted = std::exchange(hinted_, false);
  }
  look_at_hints();
  Pace pace = ask();
  if (pace == Pace::soon && !hinted) pace = Pace::usual;
  {
    Lock lock(mutex_);
    failures_ = pace == Pace::backed_off ? failures_ + 1 : 0;
  }
  placed();
  Lock lock(mutex_);
  polling_ = false;
  polled_at_ = core_.clock->steady_now();
  schedule(polled_at_ + (hinted_ ? std::min(kHintGap, pause_of(pace)) : pause_of(pace)));
}

// --- Hints ---

void ChangeFeed::watch() {
  // On a thread of the store's: the cache must not end there.
  auto watch = core_.store->watch_changes(
      core_.options.project, [executor = core_.executor, weak = core_.weak_from_this()] {
        executor->post(Lane::compute, [weak] {
          if (const auto core = weak.lock(); core && core->is_open()) core->change_feed->on_hint();
        });
      });
  Lock lock(mutex_);
  if (!stopped_) watch_.swap(watch);
}

void ChangeFeed::on_hint() {
  core_.store_hints.add();
  look_at_hints();
  Lock lock(mutex_);
  if (std::exchange(hinted_, true) || polling_) return;
  schedule(polled_at_ + kHintGap);
}

TierHealth ChangeFeed::health() const {
  TierHealth health = core_.marks->feed.read();
  Lock lock(mutex_);
  health = merged(health, unread_);
  health.enabled = !stopped_;
  return health;
}

TierHealth ChangeFeed::hints_health() {
  look_at_hints();
  TierHealth health = core_.marks->hints.read();
  Lock lock(mutex_);
  health.enabled = watch_ != nullptr;
  return health;
}

void ChangeFeed::look_at_hints() {
  std::shared_ptr<ChangeWatch> watch;
  {
    Lock lock(mutex_);
    watch = watch_;
  }
  if (!watch) return;
  const HintState state = watch->state();
  const bool bad = state.kind == HintState::Kind::lost || state.kind == HintState::Kind::unheard;
  {
    Lock lock(mutex_);
    if (std::exchange(hints_, state.kind) == state.kind) return;
  }
  if (bad) core_.marks->hints.failed(state.why);
  if (state.kind == HintState::Kind::live) core_.marks->hints.worked();
}

// --- What has changed ---

ChangeFeed::Pace ChangeFeed::ask() {
  std::string cursor;
  std::uint64_t starts = 0;
  {
    Lock lock(mutex_);
    cursor = cursor_;
    starts = starts_;
  }
  const ChangesReply reply = core_.ask_store(Breaker::Urgency::reader, core_.store_polls, [&] {
    return core_.store->changes(core_.options.project, cursor, kChangesAtOnce,
                                core_.after(core_.options.store_calls.call_timeout));
  });
  note(reply);
  if (reply.status != StoreStatus::ok) return Pace::backed_off;
  // The cursor stays where it is: once the store is accepted, what it has told until then is looked
  // at.
  if (!core_.store_identity->may_keep()) return Pace::usual;
  // What is here may be older than a cursor that begins now, however the files came to have it.
  const bool behind = reply.gap || (cursor.empty() && core_.files->index().size() > 0);
  if (reply.gap) {
    core_.log->warn(LogTopic::store,
                    "the store cannot say what changed since the last look: comparing every key");
  }
  if (!take(reply) || (behind && !compare_all())) return Pace::backed_off;
  {
    Lock lock(mutex_);
    if (starts != starts_) return Pace::at_once;
    cursor_ = reply.next;
  }
  keep_cursor(false);
  if (reply.more) return Pace::at_once;
  return reply.changes.empty() ? Pace::soon : Pace::usual;
}

// That the store does not answer is its own mark's to tell the log.
void ChangeFeed::note(const ChangesReply& reply) {
  {
    Lock lock(mutex_);
    if (reply.status == StoreStatus::ok) {
      unread_ = {};
    } else {
      if (unread_.working) unread_.since = core_.now().wall;
      unread_.working = false;
      unread_.why = reply.message;
    }
  }
  if (reply.status != StoreStatus::ok) return;
  reply.held_up.empty() ? core_.marks->feed.worked() : core_.marks->feed.failed(reply.held_up);
}

bool ChangeFeed::take(const ChangesReply& reply) {
  std::vector<EntryId> wanted;
  for (const StoreChange& change : reply.changes) {
    core_.versions->observe(change.version);
    if (is_wanted(change)) wanted.push_back(change.id);
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return load(wanted);
}

// This cache's own writes come back too, and keys that nobody here reads.
bool ChangeFeed::is_wanted(const StoreChange& change) const {
  const DatasetState* dataset = core_.find_dataset(change.id.dataset);
  const auto item = core_.files->index().find(change.id);
  ResidentPtr resident;
  if (dataset != nullptr) resident = core_.memory->peek(dataset->ref(change.id.key)).resident;
  if (!item && !resident) {
    return dataset != nullptr && dataset->policy.options.hydrate.most_recent > 0;
  }
  Version known = item ? item->version : Version{};
  Clocks clocks = item ? item->clocks : Clocks{};
  if (resident) {
    known = std::max(known, resident->entry.version);
    clocks.merge(resident->entry.clocks);
  }
  return change.version > known || change.invalidated_at > clocks.invalidated_at;
}

bool ChangeFeed::load(const std::vector<EntryId>& ids) {
  for (std::size_t begin = 0; begin < ids.size(); begin += kRowsAtOnce) {
    const std::span batch(ids.data() + begin, std::min(kRowsAtOnce, ids.size() - begin));
    const LoadReply rows = core_.load_rows(batch, kNever, Breaker::Urgency::reader);
    if (rows.status != StoreStatus::ok || !core_.is_open()) return false;
    std::vector<ScannedEntry> found;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (rows.entries[i]) {
        found.push_back({batch[i], rows.entries[i]});
      } else if (!rows.is_corrupt(i)) {
        core_.retention->drop_if_purged(batch[i]);
      }
    }
    if (!core_.take_rows(found)) return false;
  }
  return true;
}

bool ChangeFeed::compare_all() {
  if (core_.store->has_purge() && !core_.retention->learn_horizon(Breaker::Urgency::background)) {
    return false;
  }
  std::vector<EntryId> ids;
  for (const std::string& dataset : core_.files->index().datasets()) {
    core_.files->index().for_each(dataset, [&](const std::string& key, const IndexItem&) {
      ids.push_back({dataset, key});
    });
  }
  return load(ids);
}

// --- The cursor in the directory ---

std::string ChangeFeed::read_cursor() const {
  return read_kept_text(*core_.file_system, path_, kHead).text;
}

void ChangeFeed::keep_cursor(bool now) {
  std::string cursor;
  {
    Lock lock(mutex_);
    const SteadyTime time = core_.clock->steady_now();
    const bool due = now || !tried_at_ || time - *tried_at_ >= kKeepEvery;
    if (!due || cursor_ == kept_ || cursor_.size() > kLongestKeptText) return;
    cursor = cursor_;
    tried_at_ = time;
  }
  // The files that it vouches for must be on the disk before it is, also those that the disk would
  // not take at first.
  if (!core_.file_writer->flush() || !core_.file_writer->sync() || core_.has_unwritten()) return;
  if (!core_.keep_note(path_, kHead, cursor)) {
    core_.log->warn(LogTopic::files, "the change feed's cursor was not kept");
    return;
  }
  Lock lock(mutex_);
  kept_ = std::move(cursor);
}

}  // namespace tiercache::detail
