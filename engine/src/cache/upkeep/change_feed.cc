#include "cache/upkeep/change_feed.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "cache/runtime/kept_text.h"
#include "tiercache/entry.h"

namespace tiercache::detail {

namespace {

constexpr std::size_t kChangesAtOnce = 1'000;
constexpr std::size_t kRowsAtOnce = 100;
constexpr std::chrono::milliseconds kLongestPause{30'000};
// The shortest pause between polls that hints ask for: under steady writes hints never stop.
constexpr std::chrono::milliseconds kHintGap{100};
// When to poll again if a hint came but the feed told nothing: then an older transaction is still
// running in the store, and holds the feed back.
constexpr std::chrono::milliseconds kSoon{1'000};
// How often the cursor is written to the directory. An old one only means that some rows are looked
// at again.
constexpr std::chrono::milliseconds kKeepEvery{10'000};
constexpr std::string_view kHead = "tiercache-cursor 1\n";

}  // namespace

ChangeFeed::ChangeFeed(Runtime& runtime, LocalTiers& local, FileWriter& file_writer,
                       StoreCalls& calls, const StoreIdentity& identity, PurgeHorizon& horizon)
    : runtime_(runtime),
      local_(local),
      file_writer_(file_writer),
      calls_(calls),
      identity_(identity),
      horizon_(horizon),
      path_(runtime.path("changes")) {}

void ChangeFeed::start() {
  if (!calls_.uses_store() || !calls_.store()->has_changes()) return;
  if (runtime_.options.store_calls.poll_every.count() == 0) return;
  const std::string cursor = read_cursor();
  {
    Lock lock(mutex_);
    stopped_ = false;
    placed_ = false;
    cursor_ = kept_ = cursor;
    if (kept_.empty()) tried_at_.reset();
    schedule(runtime_.clock->steady_now());
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
  if (!polling_) schedule(runtime_.clock->steady_now());
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
  const std::chrono::milliseconds usual = runtime_.options.store_calls.poll_every;
  switch (pace) {
    case Pace::at_once:
      return std::chrono::milliseconds(0);
    case Pace::soon:
      return std::min(usual, kSoon);
    case Pace::usual:
      return usual;
    case Pace::backed_off:
      // Begins with a short pause even if the usual one is long, because the hint that asked for
      // this look will not come again.
      return std::min(kLongestPause, std::min(usual, kSoon) * (1 << std::min(failures_, 5)));
  }
  return usual;
}

void ChangeFeed::schedule(SteadyTime when) {
  if (stopped_) return;
  if (timer_ != 0) runtime_.tasks.cancel(timer_);
  const std::uint64_t turn = ++turn_;
  timer_ = runtime_.tasks.while_open(when, Lane::store, [this, turn] { poll(turn); });
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
  polled_at_ = runtime_.clock->steady_now();
  schedule(polled_at_ + (hinted_ ? std::min(kHintGap, pause_of(pace)) : pause_of(pace)));
}

// --- Hints ---

void ChangeFeed::watch() {
  // The hint comes on a thread of the store's. The cache must not be destroyed there, so the thread
  // only posts a task.
  const std::function<void()> heard = runtime_.tasks.if_alive([this] {
    if (runtime_.is_open()) on_hint();
  });
  auto watch = calls_.store()->watch_changes(
      runtime_.options.project,
      [executor = runtime_.executor, heard] { executor->post(Lane::compute, heard); });
  Lock lock(mutex_);
  if (!stopped_) watch_.swap(watch);
}

void ChangeFeed::on_hint() {
  hints_heard_.add();
  look_at_hints();
  Lock lock(mutex_);
  if (std::exchange(hinted_, true) || polling_) return;
  schedule(polled_at_ + kHintGap);
}

TierHealth ChangeFeed::health() const {
  TierHealth health = runtime_.marks.feed.read();
  Lock lock(mutex_);
  health = merged(health, unread_);
  health.enabled = !stopped_;
  return health;
}

TierHealth ChangeFeed::hints_health() const {
  look_at_hints();
  TierHealth health = runtime_.marks.hints.read();
  Lock lock(mutex_);
  health.enabled = watch_ != nullptr;
  return health;
}

void ChangeFeed::look_at_hints() const {
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
    if (std::exchange(hint_state_, state.kind) == state.kind) return;
  }
  if (bad) runtime_.marks.hints.failed(state.why);
  if (state.kind == HintState::Kind::live) runtime_.marks.hints.worked();
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
  const ChangesReply reply = calls_.changes(cursor, kChangesAtOnce, Breaker::Urgency::reader);
  note(reply);
  if (reply.status != StoreStatus::ok) return Pace::backed_off;
  // The cursor does not move, so that everything told meanwhile is looked at once the store is
  // accepted.
  if (!identity_.may_keep()) return Pace::usual;
  // A feed that begins now does not tell what changed before. If there are entries here already,
  // they may be out of date, so all of them are compared.
  const bool behind = reply.gap || (cursor.empty() && local_.index().size() > 0);
  if (reply.gap) {
    runtime_.log.warn(LogTopic::store,
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

// The log learns of a store that does not answer from the store's own mark, so only `health` is
// told.
void ChangeFeed::note(const ChangesReply& reply) {
  {
    Lock lock(mutex_);
    if (reply.status == StoreStatus::ok) {
      unread_ = {};
    } else {
      if (unread_.working) unread_.since = runtime_.now().wall;
      unread_.working = false;
      unread_.why = reply.message;
    }
  }
  if (reply.status != StoreStatus::ok) return;
  reply.held_up.empty() ? runtime_.marks.feed.worked() : runtime_.marks.feed.failed(reply.held_up);
}

bool ChangeFeed::take(const ChangesReply& reply) {
  std::vector<EntryId> wanted;
  for (const StoreChange& change : reply.changes) {
    runtime_.versions.observe(change.version);
    if (is_wanted(change)) wanted.push_back(change.id);
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return load(wanted);
}

// The feed also tells this cache's own writes, and keys that nobody here has ever read.
bool ChangeFeed::is_wanted(const StoreChange& change) const {
  const DatasetState* dataset = runtime_.datasets.find(change.id.dataset);
  const Known known = local_.known(dataset, change.id);
  if (!known.in_files && !known.in_memory.resident) {
    return dataset != nullptr && dataset->policy.options.hydrate.most_recent > 0;
  }
  return change.version > known.version ||
         change.invalidated_at > known.latest_clocks().invalidated_at;
}

bool ChangeFeed::load(const std::vector<EntryId>& ids) {
  for (std::size_t begin = 0; begin < ids.size(); begin += kRowsAtOnce) {
    const std::span batch(ids.data() + begin, std::min(kRowsAtOnce, ids.size() - begin));
    const LoadReply rows = calls_.load(batch, kNever, Breaker::Urgency::reader);
    if (rows.status != StoreStatus::ok || !runtime_.is_open()) return false;
    std::vector<ScannedEntry> found;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (rows.entries[i]) {
        found.push_back({batch[i], rows.entries[i]});
      } else if (!rows.is_corrupt(i)) {
        if (const auto deleted = horizon_.deleted_up_to()) local_.drop_deleted(batch[i], *deleted);
      }
    }
    if (!identity_.may_keep() || !local_.take_rows(found)) return false;
  }
  return true;
}

bool ChangeFeed::compare_all() {
  if (calls_.store()->has_purge() && !horizon_.learn(Breaker::Urgency::background)) return false;
  std::vector<EntryId> ids;
  for (const std::string& dataset : local_.index().datasets()) {
    local_.index().for_each(dataset, [&](const std::string& key, const IndexItem&) {
      ids.push_back({dataset, key});
    });
  }
  return load(ids);
}

// --- The cursor in the directory ---

std::string ChangeFeed::read_cursor() const {
  return read_kept_text(*runtime_.file_system, path_, kHead).text;
}

void ChangeFeed::keep_cursor(bool now) {
  std::string cursor;
  {
    Lock lock(mutex_);
    const SteadyTime time = runtime_.clock->steady_now();
    const bool due = now || !tried_at_ || time - *tried_at_ >= kKeepEvery;
    if (!due || cursor_ == kept_ || cursor_.size() > kLongestKeptText) return;
    cursor = cursor_;
    tried_at_ = time;
  }
  // The cursor vouches for everything before it, so all of those files must be on the disk first,
  // including those that the disk refused at first.
  if (!file_writer_.flush() || !file_writer_.sync() || local_.has_unwritten()) return;
  if (!local_.keep_note(path_, kHead, cursor)) {
    runtime_.log.warn(LogTopic::files, "the change feed's cursor was not kept");
    return;
  }
  Lock lock(mutex_);
  kept_ = std::move(cursor);
}

}  // namespace tiercache::detail
