#include "powerloss/recovery.h"

#include <cerrno>
#include <utility>

#include "oracle/dice.h"

namespace tiercache::testing {
namespace {

constexpr int kMaxCrashes = 3;
constexpr std::uint64_t kPercentCrashAgain = 2;

class Recovery {
 public:
  Recovery(CrashState state, std::uint64_t seed, const FurtherCrash& further)
      : state_(std::move(state)),
        dice_(seed),
        further_(further),
        clock_(std::make_shared<ManualClock>(state_.now)),
        store_(std::make_shared<MemoryStore>(clock_)) {
    store_->set_limits({});
    for (const auto& [id, row] : *state_.rows) store_->put_row(kProject, id, *row);
    hydrates_ = dice_.percent(25);
    store_up_ = hydrates_ && dice_.percent(50);
    store_->set_fault([this](const std::string&) {
      return store_up_ ? StoreFault::none : StoreFault::unavailable;
    });
    crash_again();
    if (dice_.percent(15)) lie_once(1 + dice_.below(4));
  }
  ~Recovery() {
    state_.disk->on_operation({});
    state_.disk->kill();
    if (executor_) executor_->shutdown(clock_->steady_now());
    cache_.reset();
  }

  std::optional<Violation> run() {
    try {
      open();
      if (auto violation = judge_served("at once")) return violation;
      executor_->run_for(std::chrono::milliseconds(dice_.below(12'000)));
      if (auto violation = judge_served("after a while")) return violation;
      return dice_.percent(40) ? judge_store() : std::nullopt;
    } catch (const Error& error) {
      return violation({Broken::lost, error.what()}, "opening");
    }
  }

 private:
  void crash_again() {
    if (state_.crashes >= kMaxCrashes) return;
    state_.disk->on_operation([this](std::uint64_t number, const std::string& what) {
      if (!dice_.percent(kPercentCrashAgain)) return;
      const std::uint64_t loss = dice_.percent(30) ? dice_.below(2) : dice_.next();
      further_({.disk = state_.disk->after_power_loss(loss),
                .histories = state_.histories,
                .rows = rows_now(),
                .now = clock_->wall_now(),
                .origin = state_.origin + ", then recovery operation " + std::to_string(number) +
                          " (" + what + ") loss " + std::to_string(loss),
                .sound = state_.sound,
                .crashes = state_.crashes + 1});
    });
  }
  std::shared_ptr<const Rows> rows_now() const {
    auto rows = std::make_shared<Rows>();
    for (const auto& [id, history] : *state_.histories) {
      if (const EntryPtr row = store_->row(kProject, id)) rows->emplace(id, row);
    }
    return rows;
  }
  // The `nth` sync fails and has dropped what it should have written.
  void lie_once(std::uint64_t nth) {
    state_.origin += ", sync " + std::to_string(nth) + " of the recovery fails";
    auto left = std::make_shared<std::uint64_t>(nth);
    state_.disk->set_fault([left](const std::string& operation, const std::string&) {
      if (!operation.starts_with("sync_") || *left == 0) return 0;
      return --*left == 0 ? EIO : 0;
    });
  }

  // A sync that fails may make the directory unusable for the moment, never for good.
  void open() {
    try {
      open_once();
    } catch (const BadDirectory&) {
      if (executor_) executor_->shutdown(clock_->steady_now());
      state_.disk->kill();
      open_once();
    }
  }
  void open_once() {
    executor_ = std::make_shared<SeededExecutor>(clock_, dice_.next());
    CacheOptions options;
    options.project = kProject;
    options.directory = kDirectory;
    options.store = store_;
    options.ports = {.clock = clock_, .executor = executor_, .file_system = state_.disk->boot()};
    options.seed = dice_.next();
    options.journal.segment_bytes = 4'096u << dice_.below(3);
    options.files.sync_every = dice_.percent(50) ? 200ms : 5s;
    cache_ = std::make_unique<Cache>(std::move(options));
    for (const char* name : {"plain", "live"}) {
      datasets_.insert_or_assign(
          name, cache_->dataset(name, {.keyed = true,
                                       .fresh_for = 24h,
                                       .stale_for = 24h * 365,
                                       .hydrate = hydrates_ ? Hydrate::all() : Hydrate::none()}));
    }
  }

  std::optional<Violation> judge_served(const std::string& when) {
    for (const auto& [id, history] : *state_.histories) {
      const auto snapshot =
          datasets_.at(id.dataset).get(id.key, {.deadline = 1s, .reach = Reach::local});
      Answer answer{.document = {},
                    .version = snapshot.version(),
                    .fresh = snapshot.freshness() == Freshness::fresh};
      if (snapshot.has_value()) answer.document = *snapshot;
      if (auto verdict = history.judge(answer)) {
        if (!answer.document && !state_.sound && is_in_store(id, history)) continue;
        verdict->why += " passage: " + snapshot.passage().to_string();
        return violation(*std::move(verdict), when);
      }
    }
    return std::nullopt;
  }

  // With the store back everything acknowledged is in it, and both say the same.
  std::optional<Violation> judge_store() {
    store_up_ = true;
    if (!cache_->flush(1h)) return violation({Broken::lost, "flush ends not"}, "the store is back");
    if (auto bad = judge_served("the store is back")) return bad;
    for (const auto& [id, history] : *state_.histories) {
      if (auto verdict = judge_row(id, history))
        return violation(*std::move(verdict), "in the store");
    }
    return std::nullopt;
  }
  std::optional<Verdict> judge_row(const EntryId& id, const KeyHistory& history) const {
    const EntryPtr row = store_->row(kProject, id);
    Answer answer;
    if (row) answer.version = row->version;
    if (row && row->document) answer.document = *row->document;
    return history.judge(answer);
  }
  // A disk that refuses writes may cost the directory its copy of what the store has confirmed.
  bool is_in_store(const EntryId& id, const KeyHistory& history) const {
    return store_->row(kProject, id) != nullptr && !judge_row(id, history);
  }

  Violation violation(Verdict verdict, const std::string& when) const {
    return {std::move(verdict), state_.origin + "; " + when};
  }

  CrashState state_;
  Dice dice_;
  const FurtherCrash& further_;
  std::shared_ptr<ManualClock> clock_;
  std::shared_ptr<MemoryStore> store_;
  bool hydrates_ = false;
  bool store_up_ = false;
  std::shared_ptr<SeededExecutor> executor_;
  std::unique_ptr<Cache> cache_;
  std::map<std::string, Dataset<JsonText>> datasets_;
};

}  // namespace

std::optional<Violation> check_recovery(CrashState state, std::uint64_t seed,
                                        const FurtherCrash& further) {
  return Recovery(std::move(state), seed, further).run();
}

}  // namespace tiercache::testing
