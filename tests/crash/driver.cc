// The kill -9 test: see run.sh.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crash/oracle.h"
#include "crash/outage.h"
#include "crash/process.h"
#include "crash/setup.h"
#include "lib/arguments.h"
#include "oracle/dice.h"
#include "tiercache/sqlite.h"

namespace tiercache::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Moment = std::chrono::steady_clock::time_point;

struct Settings {
  std::uint64_t kills = 25;
  std::uint64_t seed = 0;
  std::uint64_t minutes = 0;         // a soak: no number of kills but a time
  std::uint64_t seconds = 0;         // no number of kills but a time
  std::vector<std::string> workers;  // programs; each life is one of them
};

struct Figures {
  std::uint64_t kills = 0;
  std::uint64_t clean_ends = 0;
  std::uint64_t outages = 0;
  std::uint64_t checks = 0;
};

// A store that is away, so that the directory alone answers.
class NoStore final : public Store {
 public:
  std::string describe() const override { return "away"; }
  StoreLimits limits() const override { return {}; }
  LoadReply load(const std::string&, std::span<const EntryId>, SteadyTime) override {
    return away<LoadReply>();
  }
  SaveReply save(const std::string&, std::span<const StoreWrite>, SteadyTime) override {
    return away<SaveReply>();
  }
  ScanReply scan(const std::string&, const std::string&, const std::string&, std::size_t,
                 SteadyTime) override {
    return away<ScanReply>();
  }
  EraseMatchingReply erase_matching(const std::string&, const MatchingErase&, SteadyTime) override {
    return away<EraseMatchingReply>();
  }

 private:
  template <class Reply>
  static Reply away() {
    Reply reply;
    reply.status = StoreStatus::unavailable;
    reply.message = "away";
    return reply;
  }
};

class Driver {
 public:
  Driver(const Settings& arguments, const fs::path& root)
      : arguments_(arguments),
        directory_((root / "cache").string()),
        store_((root / "store" / "store.db").string()),
        dice_(arguments.seed),
        outage_(store_) {
    fs::create_directories(root / "store");
  }

  bool run() {
    const seconds time(arguments_.minutes * 60 + arguments_.seconds);
    const Moment end = std::chrono::steady_clock::now() + time;
    while (time > seconds(0) ? std::chrono::steady_clock::now() < end
                             : figures_.kills < arguments_.kills) {
      run_until_all_are_dead();
      check_directory("the directory after " + std::to_string(figures_.kills) + " kills");
    }
    outage_.end();
    check_store();
    print_figures();
    return oracle_.violations() == 0;
  }

 private:
  bool is_soak() const { return arguments_.minutes > 0; }

  struct Running {
    std::unique_ptr<WorkerProcess> process;
    Moment until;          // it is killed or asked to end then
    milliseconds at_work;  // from its first event on
    bool working = false;
    bool asked = false;  // to end by itself
  };

  // Some workers side by side, each killed and started again a few times.
  void run_until_all_are_dead() {
    const std::uint64_t at_once = 1 + dice_.below(kWorkers);
    for (std::uint64_t lives = at_once + dice_.below(8); lives > 0 || !running_.empty();) {
      while (lives > 0 && running_.size() < at_once) {
        start_one();
        --lives;
      }
      listen();
      end_those_due();
      move_store();
    }
  }

  void start_one() {
    int worker = static_cast<int>(dice_.below(kWorkers));
    while (running_.contains(worker)) worker = (worker + 1) % kWorkers;
    Running running;
    running.process = std::make_unique<WorkerProcess>(
        WorkerProcess::Start{.program = any_program(),
                             .directory = directory_,
                             .store = store_,
                             .worker = worker,
                             .life = ++last_life_,
                             .seed = arguments_.seed * 1'000'003 + last_life_,
                             .soak = is_soak()});
    // Some die while they start and recover, most in full work, however long the start takes.
    const std::uint64_t kind = dice_.below(10);
    running.at_work = milliseconds(kind < 7 ? dice_.below(150) : 150 + dice_.below(900));
    running.until =
        std::chrono::steady_clock::now() + (kind < 2 ? milliseconds(dice_.below(40)) : seconds(30));
    running_.emplace(worker, std::move(running));
  }

  // Draws no number where there is but one, so that its seeds do what they did.
  const std::string& any_program() {
    const auto& programs = arguments_.workers;
    return programs.size() == 1 ? programs.front() : programs[dice_.below(programs.size())];
  }

  void listen() {
    std::vector<pollfd> pipes;
    std::vector<int> workers;
    for (const auto& [worker, running] : running_) {
      pipes.push_back({running.process->pipe(), POLLIN, 0});
      workers.push_back(worker);
    }
    if (::poll(pipes.data(), pipes.size(), 1) <= 0) return;
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].revents == 0) continue;
      bool ended = false;
      Running& running = running_.at(workers[i]);
      hear(*running.process, &ended);
      if (!std::exchange(running.working, true) && !running.asked) {
        running.until = std::min(running.until, std::chrono::steady_clock::now() + running.at_work);
      }
      if (ended) bury(workers[i]);
    }
  }

  void hear(WorkerProcess& process, bool* ended) {
    for (const Event& event : process.take_events(ended)) oracle_.tell(event, process.life());
  }

  void end_those_due() {
    const Moment now = std::chrono::steady_clock::now();
    for (auto& [worker, running] : running_) {
      if (now < running.until) continue;
      // One that was asked to end and does not is killed after a while, and told of.
      if (running.asked) {
        oracle_.broken({Broken::lost, "a worker asked to end hangs"},
                       "life " + std::to_string(running.process->life()));
        running.asked = false;
      } else if (dice_.percent(10)) {
        running.asked = true;
        running.until = now + seconds(30);
        running.process->send(SIGTERM);
        continue;
      }
      running.until = now + seconds(60);
      running.process->send(SIGKILL);
    }
  }

  void bury(int worker) {
    Running running = std::move(running_.at(worker));
    running_.erase(worker);
    const int status = running.process->wait();
    if (WIFEXITED(status) && WEXITSTATUS(status) == WorkerProcess::kNotStarted) {
      throw std::runtime_error("cannot run " + running.process->program());
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
      ++figures_.kills;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      ++figures_.clean_ends;
    } else {
      // SIGTERM may come before its handler stands.
      if (running.asked && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) return;
      oracle_.broken({Broken::lost, "a worker ended with status " + std::to_string(status)},
                     "life " + std::to_string(running.process->life()));
    }
  }

  void move_store() {
    const Moment now = std::chrono::steady_clock::now();
    if (now < store_until_) return;
    store_until_ = now + milliseconds(100 + dice_.below(1'500));
    if (outage_.under_way()) return outage_.end();
    const std::uint64_t kind = dice_.below(4);
    if (kind == 0) outage_.lock();
    if (kind == 1) outage_.move_away();
    if (outage_.under_way()) ++figures_.outages;
  }

  static Answer answer_of(const Snapshot<JsonText>& snapshot) {
    Answer answer{.document = {},
                  .version = snapshot.version(),
                  .fresh = snapshot.freshness() == Freshness::fresh};
    if (snapshot) answer.document = *snapshot;
    return answer;
  }

  // No process runs: what the directory alone says.
  void check_directory(const std::string& where) {
    ++figures_.checks;
    Cache cache(cache_options(directory_, std::make_shared<NoStore>()));
    const auto data = cache.dataset(kDataset, dataset_options());
    oracle_.judge(where, [&](const std::string& key) {
      return answer_of(data.get(key, {.deadline = seconds(1), .reach = Reach::local}));
    });
    cache.close(milliseconds(0));
  }

  // The store is there: everything acknowledged must come to it, and both say the same.
  void check_store() {
    Cache cache(cache_options(directory_, sqlite::open(store_)));
    const auto data = cache.dataset(kDataset, dataset_options());
    if (!cache.warm_up(seconds(60)) || !cache.flush(seconds(60)) || cache.health().parked != 0) {
      oracle_.broken({Broken::lost, "not every write came to the store"}, "the store at the end");
    }
    const auto store = sqlite::open(store_);
    oracle_.judge("the store at the end", [&](const std::string& key) {
      const EntryId id{kDataset, key};
      const LoadReply reply =
          store->load(kProject, {&id, 1}, system_clock()->steady_now() + seconds(5));
      Answer answer;
      if (reply.status != StoreStatus::ok || !reply.entries.front()) return answer;
      answer.version = reply.entries.front()->version;
      if (reply.entries.front()->document) answer.document = *reply.entries.front()->document;
      compare(key, answer, data.get(key, {.deadline = seconds(1), .reach = Reach::local}));
      return answer;
    });
  }

  void compare(const std::string& key, const Answer& stored, const Snapshot<JsonText>& local) {
    const bool same = local ? stored.document == *local && stored.version == local.version()
                            : !stored.document.has_value();
    if (!same) {
      oracle_.broken(
          {Broken::older, key + ": version " + stored.version.to_string() + " in the store, " +
                              local.version().to_string() + " in the directory"},
          "the store at the end");
    }
  }

  void print_figures() const {
    const auto shown = [](std::uint64_t number) -> unsigned long long { return number; };
    std::printf(
        "%s: %llu violations after %llu kills and %llu clean ends, %llu store outages, seed "
        "%llu: %llu writes acknowledged, %llu reads, %llu checks of the directory: acknowledged "
        "writes lost %llu, deleted entries back %llu, wrong bytes served %llu, older over newer "
        "%llu\n",
        is_soak() ? "soak" : "crash", shown(oracle_.violations()), shown(figures_.kills),
        shown(figures_.clean_ends), shown(figures_.outages), shown(arguments_.seed),
        shown(oracle_.acknowledged()), shown(oracle_.reads()), shown(figures_.checks),
        shown(oracle_.count(Broken::lost)), shown(oracle_.count(Broken::came_back)),
        shown(oracle_.count(Broken::wrong)), shown(oracle_.count(Broken::older)));
  }

  const Settings arguments_;
  const std::string directory_;
  const std::string store_;
  Dice dice_;
  Outage outage_;
  Oracle oracle_;
  Figures figures_;
  std::map<int, Running> running_;
  std::uint64_t last_life_ = 0;
  Moment store_until_{};
};

bool parse(int count, char** values, Settings* out) {
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = values[i];
    if (name == "--worker") {
      out->workers.emplace_back(values[i + 1]);
    } else if (name == "--kills") {
      if (!parse_number(values[i + 1], &out->kills) || out->kills == 0) return false;
    } else if (name == "--minutes") {
      if (!parse_number(values[i + 1], &out->minutes)) return false;
    } else if (name == "--seconds") {
      if (!parse_number(values[i + 1], &out->seconds)) return false;
    } else if (name == "--seed") {
      if (!parse_number(values[i + 1], &out->seed)) return false;
    } else {
      return false;
    }
  }
  return count % 2 == 1 && !out->workers.empty();
}

}  // namespace
}  // namespace tiercache::testing

int main(int count, char** values) {
  using namespace tiercache::testing;
  Settings arguments;
  if (!parse(count, values, &arguments)) {
    std::fprintf(stderr,
                 "usage: crash_driver --worker PROGRAM [--worker PROGRAM]... "
                 "[--kills N | --minutes N | --seconds N] [--seed S]\n");
    return 2;
  }
  std::string root = (fs::temp_directory_path() / "tiercache-crash-XXXXXX").string();
  if (::mkdtemp(root.data()) == nullptr) {
    std::perror("crash_driver: mkdtemp");
    return 2;
  }
  int status = 2;
  try {
    status = Driver(arguments, root).run() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "crash_driver: %s\n", error.what());
  }
  if (status == 0 || std::getenv("TIERCACHE_KEEP") == nullptr) fs::remove_all(root);
  return status;
}
