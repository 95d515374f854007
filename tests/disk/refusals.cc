#include "disk/refusals.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include "disk/clerk.h"
#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

constexpr int kCallsEach = 24;         // before and after a restart each
constexpr std::uint64_t kAWhile = 25;  // calls of the file system
constexpr std::uint64_t kForever = UINT64_MAX;

class Run {
 public:
  explicit Run(const Refusal& refusal)
      : refusal_(refusal), world_(refusal.seed), clerk_(refusal.seed) {
    world_.disk.set_fault([this](const std::string&, const std::string&) { return meet(); });
  }
  ~Run() {
    world_.disk.set_fault({});
    if (cache_) world_.kill(cache_);
  }

  std::optional<std::string> judge() {
    open();
    work();
    world_.kill(cache_);
    open();
    work();
    recover();
    return clerk_.broken();
  }
  std::uint64_t calls() const { return calls_; }
  void add_to(DiskFigures& figures) const {
    ++figures.states;
    figures.acknowledged += clerk_.acknowledged();
    figures.stored_alone += clerk_.stored_alone();
    figures.refused += clerk_.refused();
  }

 private:
  int meet() {
    ++calls_;
    if (refusal_.call == 0 || calls_ < refusal_.call || ended_) return 0;
    if (refusal_.deleted) {
      ended_ = deleted_ = true;
      clerk_.be_lenient(true);  // until that is judged
      world_.wipe();
      return 0;
    }
    return calls_ - refusal_.call < refusal_.calls ? refusal_.error : 0;
  }

  // A cache may refuse to start on such a disk, but must start afterwards.
  void open() {
    try {
      open_once();
    } catch (const BadDirectory&) {
      ended_ = true;
      open_once();
    }
    if (std::exchange(deleted_, false)) clerk_.directory_lost();
  }
  void open_once() {
    cache_ = world_.open([this](CacheOptions& options) {
      if (!refusal_.store) options.store = nullptr;
      options.memory.ttl = 0ms;
      options.journal.segment_bytes = 16'384;
      options.files.sync_every = 300ms;
    });
    data_.emplace(
        cache_->dataset(kDataset, {.keyed = true, .fresh_for = 24h, .hydrate = Hydrate::none()}));
  }

  void work() {
    for (int i = 0; i < kCallsEach; ++i) {
      // What the journal of an earlier life has is not served while it cannot be read; that is
      // told.
      const std::string why = cache_->health().journal.why;
      clerk_.be_lenient(why.find("older values may be served") != std::string::npos);
      clerk_.work(*data_, 1);
      world_.executor->run_for(i % 5 == 0 ? 100ms : 5ms);
      if (std::exchange(deleted_, false)) judge_deletion();
    }
  }

  // A cache that lives on makes it anew and counts what it could not save; of one that is killed
  // before, what the store had not confirmed is gone with the disk.
  void judge_deletion() {
    if (refusal_.call % 2 == 0) {
      world_.executor->run_for(10s);
      const Stats stats = cache_->stats();
      if (stats.files_lost == 0 && stats.journal_lost == 0) {
        return clerk_.judge_directory("after the deletion", *data_, reach());
      }
    }
    clerk_.directory_lost();
  }

  // What the store has confirmed comes back from there when it is asked for.
  Reach reach() const { return refusal_.deleted ? Reach::store : Reach::local; }

  // The fault is gone: everything works again by itself, and everything acknowledged is in its
  // tiers.
  void recover() {
    ended_ = true;
    world_.executor->run_for(10min);
    clerk_.be_lenient(false);
    clerk_.judge_directory("after the fault", *data_, reach());
    clerk_.put_all(*data_);
    clerk_.work(*data_, kCallsEach);
    const bool flushed = cache_->flush(1min);
    const Health health = cache_->health();
    if (!flushed) clerk_.fail("after the fault not everything could be written: " + why(health));
    if (!health.all_working() ||
        health.outbox_depth != (refusal_.store ? 0 : health.outbox_depth)) {
      clerk_.fail("after the fault: " + why(health));
    }
    if (refusal_.store) {
      clerk_.judge_all("the store", [this](const std::string& key) {
        const EntryPtr row = world_.store->row("test", {kDataset, key});
        return std::pair(row ? row->version : Version{},
                         row && row->document ? std::optional(*row->document) : std::nullopt);
      });
    }
    world_.kill(cache_);
    open_once();
    clerk_.judge_directory("after a restart", *data_);
  }
  static std::string why(const Health& health) {
    return "files: " + health.files.why + "; journal: " + health.journal.why +
           "; store: " + health.store.why + "; " + std::to_string(health.outbox_depth) +
           " in the outbox";
  }

  const Refusal refusal_;
  World world_;
  Clerk clerk_;
  std::unique_ptr<Cache> cache_;
  std::optional<Dataset<JsonText>> data_;
  std::uint64_t calls_ = 0;
  bool deleted_ = false;  // and not yet judged
  bool ended_ = false;
};

std::uint64_t calls_of_a_run(std::uint64_t seed) {
  Run plain({.seed = seed});
  plain.judge();
  return plain.calls();
}

}  // namespace

std::string Refusal::describe() const {
  std::string what = "seed " + std::to_string(seed) + (store ? "" : ", no store") + ", call " +
                     std::to_string(call) + " of the file system: ";
  if (deleted) return what + "the directory is deleted";
  what += std::generic_category().message(error);
  if (calls == kForever) return what + " until the end";
  return calls == 1 ? what : what + ", " + std::to_string(calls) + " times";
}

std::vector<Refusal> every_refusal(std::uint64_t seed) {
  std::vector<Refusal> all;
  for (std::uint64_t call = 1, last = calls_of_a_run(seed); call <= last; ++call) {
    for (const bool store : {true, false}) {
      for (const int error : {EIO, ENOSPC, EROFS, EMFILE}) {
        for (const std::uint64_t calls : {std::uint64_t{1}, kAWhile, kForever}) {
          all.push_back(
              {.error = error, .call = call, .calls = calls, .store = store, .seed = seed});
        }
      }
    }
  }
  return all;
}

std::vector<Refusal> every_deletion(std::uint64_t seed) {
  std::vector<Refusal> all;
  for (std::uint64_t call = 1, last = calls_of_a_run(seed); call <= last; ++call) {
    for (const bool store : {true, false}) {
      all.push_back({.call = call, .store = store, .deleted = true, .seed = seed});
    }
  }
  return all;
}

std::optional<std::string> check(const Refusal& refusal, DiskFigures& figures) {
  try {
    Run run(refusal);
    auto broken = run.judge();
    run.add_to(figures);
    return broken;
  } catch (const std::exception& error) {
    return std::string("it threw: ") + error.what();
  }
}

}  // namespace tiercache::testing
