// Machines that are killed and restarted, over one Postgres that is not spared either: see run.sh.
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "lib/arguments.h"
#include "lib/scratch.h"
#include "machines/checker.h"
#include "machines/machine.h"
#include "machines/record.h"
#include "machines/server.h"
#include "machines/setup.h"
#include "oracle/dice.h"

namespace tiercache::testing {
namespace {

using std::chrono::milliseconds;
using Moment = std::chrono::steady_clock::time_point;

constexpr int kPauseMs = 2;
constexpr std::chrono::minutes kPatience{10};  // without any progress

unsigned long long shown(std::uint64_t number) {
  return number;
}

struct Figures {
  std::uint64_t kills = 0, restarts = 0, faults = 0, failovers = 0;
};

class Driver {
 public:
  Driver(const Arguments& arguments, const std::filesystem::path& root)
      : arguments_(arguments), root_(root), dice_(arguments["--seed"]) {
    if (arguments["--tail"] != 0) checker_.forgive_lost_tails();
    void* memory = ::mmap(nullptr, sizeof(Progress) * kMostMachines, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    progress_ = new (memory) Progress[kMostMachines];
    machines_.resize(arguments["--machines"]);
    for (Machine& machine : machines_) machine.skew = skew();
  }

  bool run() {
    const int status = wait_for(start(0, &found));
    if (status != 0) throw std::runtime_error("the first rows could not be written");
    work();
    judge();
    // Once more from what is on the disks.
    for (std::uint64_t i = 0; i < machines_.size(); ++i) {
      std::filesystem::remove(holding_of(root_, i));
    }
    work();
    for (std::uint64_t i = 0; i < machines_.size(); ++i) {
      checker_.check_machine("machine " + std::to_string(i) + " opened again", rows_,
                             read_holding(holding_of(root_, i)));
    }
    print_figures();
    return checker_.violations() == 0;
  }

 private:
  struct Machine {
    pid_t process = 0;
    std::uint64_t lives = 0;
    milliseconds skew{0};
    bool ready = false;
    bool asked = false;  // to end by itself
  };

  milliseconds skew() {
    const milliseconds most = kMostSkew;
    return milliseconds(dice_.below(2 * static_cast<std::uint64_t>(most.count()) + 1)) - most;
  }

  void open_pipes() {
    if (::pipe2(ready_, O_CLOEXEC) != 0 || ::pipe2(quiet_, O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe");
    }
  }
  void close_pipes() {
    for (const int end : {ready_[0], ready_[1], quiet_[0]}) ::close(end);
  }

  // Without threads here: none of this process's locks can be held in the child.
  pid_t start(std::uint64_t number, int (*task)(const Life&)) {
    Machine& machine = machines_[number];
    const Life life{.root = root_,
                    .url = server_.url(arguments_["--pooled"] != 0),
                    .machine = number,
                    .number = machine.lives++,
                    .calls = arguments_["--operations"],
                    .seed = arguments_["--seed"],
                    .skew = machine.skew,
                    .progress = progress_ + number,
                    .ready = ready_[1],
                    .quiet = quiet_[0]};
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child > 0) return child;
    if (quiet_[1] >= 0) ::close(quiet_[1]);
    int status = 2;
    try {
      status = task(life);
    } catch (const std::exception& error) {
      std::printf("machine %llu: %s\n", shown(number), error.what());
    }
    std::fflush(stdout);
    ::_exit(status);
  }

  static int wait_for(pid_t process) {
    int status = 0;
    while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  // Until all machines are ready, and then at rest.
  void work() {
    open_pipes();
    for (std::uint64_t i = 0; i < machines_.size(); ++i) {
      machines_[i].ready = false;
      machines_[i].process = start(i, &live);
    }
    while (!all_ready()) {
      hear();
      trouble();
      bury();
      watch();
    }
    server_.end();
    ::close(quiet_[1]);
    for (Machine& machine : machines_) {
      const int status = wait_for(machine.process);
      if (status != 0) checker_.broken(Wrong::stuck, "a machine did not come to rest");
    }
    close_pipes();
  }

  bool all_ready() const {
    for (const Machine& machine : machines_) {
      if (!machine.ready) return false;
    }
    return true;
  }

  void hear() {
    pollfd pipe{ready_[0], POLLIN, 0};
    if (::poll(&pipe, 1, kPauseMs) <= 0) return;
    char number = 0;
    if (::read(ready_[0], &number, 1) == 1)
      machines_[static_cast<std::size_t>(number)].ready = true;
  }

  std::uint64_t calls() const {
    std::uint64_t calls = 0;
    for (std::size_t i = 0; i < machines_.size(); ++i) {
      calls += std::min<std::uint64_t>(progress_[i].calls, arguments_["--operations"]);
    }
    return calls;
  }
  // Troubles are spread over the calls.
  bool due(std::uint64_t done, const char* option) const {
    const std::uint64_t wanted = arguments_[option];
    const std::uint64_t all = arguments_["--operations"] * machines_.size();
    return done < wanted && calls() * (wanted + 1) >= (done + 1) * all;
  }

  void trouble() {
    const Moment now = std::chrono::steady_clock::now();
    if (server_.under_way()) {
      if (now >= fault_until_) server_.end();
    } else if (due(figures_.failovers, "--failovers")) {
      ++figures_.failovers;
      server_.fail_over();
      fault_until_ = std::chrono::steady_clock::now() + milliseconds(dice_.below(1'500));
    } else if (due(figures_.faults, "--faults")) {
      ++figures_.faults;
      server_.begin(static_cast<Server::Fault>(dice_.below(Server::kFaults)));
      fault_until_ = now + milliseconds(50 + dice_.below(dice_.percent(20) ? 4'000 : 800));
    }
    if (now < kill_from_ || !due(figures_.kills, "--kills")) return;
    end_one();
    // A few come while another one starts and recovers.
    kill_from_ = std::chrono::steady_clock::now() + milliseconds(dice_.below(60));
  }

  void end_one() {
    const std::uint64_t number = dice_.below(machines_.size());
    Machine& machine = machines_[number];
    if (machine.ready || machine.asked) return;
    if (dice_.percent(20)) {
      machine.asked = true;
      ::kill(machine.process, SIGTERM);
      return;
    }
    ++figures_.kills;
    ::kill(machine.process, SIGKILL);
    wait_for(machine.process);
    machine.process = start(number, &live);
  }

  // Those who ended by themselves start again.
  void bury() {
    for (std::uint64_t i = 0; i < machines_.size(); ++i) {
      Machine& machine = machines_[i];
      int status = 0;
      if (machine.ready || ::waitpid(machine.process, &status, WNOHANG) != machine.process)
        continue;
      // SIGTERM may come before its handler stands.
      const bool told = WIFEXITED(status) && WEXITSTATUS(status) == kAskedToEnd;
      const bool early = WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
      if (!machine.asked || !(told || early)) {
        checker_.broken(Wrong::stuck, "machine " + std::to_string(i) + " ended with status " +
                                          std::to_string(status));
      }
      ++figures_.restarts;
      machine.asked = false;
      machine.process = start(i, &live);
    }
  }

  void watch() {
    const Moment now = std::chrono::steady_clock::now();
    const std::uint64_t done = calls();
    if (done != last_calls_ || last_progress_ == Moment{}) last_progress_ = now;
    last_calls_ = done;
    if (now - last_progress_ < kPatience) return;
    for (const Machine& machine : machines_) ::kill(machine.process, SIGKILL);
    throw std::runtime_error("a machine hangs");
  }

  void judge() {
    rows_ = server_.rows();
    for (std::uint64_t i = 0; i < machines_.size(); ++i)
      checker_.add(read_calls(record_of(root_, i)));
    checker_.check_rows(rows_);
    for (std::uint64_t i = 0; i < machines_.size(); ++i) {
      checker_.check_machine("machine " + std::to_string(i), rows_,
                             read_holding(holding_of(root_, i)));
    }
  }

  std::uint64_t told(Op op) const {
    std::uint64_t all = 0;
    for (const Told told :
         {Told::journaled, Told::stored, Told::superseded, Told::not_applied, Told::in_doubt}) {
      all += checker_.told(op, told);
    }
    return all;
  }

  void print_figures() const {
    const auto wrong = [&](Wrong kind) { return shown(checker_.count(kind)); };
    std::printf(
        "machines: %llu violations on %zu machines with clocks up to %lld min off, %s, seed %llu: "
        "%llu kills, %llu restarts, %llu faults of the server, %llu failovers; %llu counts tried, "
        "%llu confirmed "
        "by "
        "the store, %llu superseded, %llu in doubt, %llu stand; %llu puts, %llu erases, %llu "
        "invalidations, %llu refreshes, %llu reads: acknowledged writes lost %llu, receipts that "
        "lie "
        "%llu, erased entries back %llu, wrong bytes %llu, tiers that differ %llu, invalidated yet "
        "fresh %llu, stuck %llu; not promised: unseen writes replaced %llu, lost with the tail of "
        "a log %llu\n",
        shown(checker_.violations()), machines_.size(), static_cast<long long>(kMostSkew.count()),
        arguments_["--pooled"] != 0 ? "pooled" : "direct", shown(arguments_["--seed"]),
        shown(figures_.kills), shown(figures_.restarts), shown(figures_.faults),
        shown(figures_.failovers), shown(told(Op::count)),
        shown(checker_.told(Op::count, Told::stored)),
        shown(checker_.told(Op::count, Told::superseded)),
        shown(checker_.told(Op::count, Told::in_doubt)), shown(checker_.counted()),
        shown(told(Op::put)), shown(told(Op::erase)), shown(told(Op::invalidate)),
        shown(checker_.told(Op::refresh, Told::nothing)),
        shown(checker_.told(Op::none, Told::served)), wrong(Wrong::lost), wrong(Wrong::lied),
        wrong(Wrong::returned), wrong(Wrong::bytes), wrong(Wrong::differs), wrong(Wrong::fresh),
        wrong(Wrong::stuck), wrong(Wrong::unseen), wrong(Wrong::tail));
  }

  const Arguments arguments_;
  const std::filesystem::path root_;
  Dice dice_;
  Server server_;
  Checker checker_;
  Figures figures_;
  Progress* progress_ = nullptr;
  std::vector<Machine> machines_;
  std::vector<Standing> rows_;
  int ready_[2] = {-1, -1};
  int quiet_[2] = {-1, -1};
  Moment fault_until_{};
  Moment kill_from_{};
  Moment last_progress_{};
  std::uint64_t last_calls_ = 0;
};

int run(const Arguments& arguments) {
  ScratchDirectory scratch("machines");
  const bool keep = std::getenv("TIERCACHE_KEEP") != nullptr;
  if (keep) scratch.keep();
  return Driver(arguments, scratch.path()).run() ? 0 : 1;
}

}  // namespace
}  // namespace tiercache::testing

int main(int count, char** words) {
  using namespace tiercache::testing;
  std::setvbuf(stdout, nullptr, _IOLBF, 4096);  // whole lines, of several processes
  Arguments arguments({{"--operations", 2'000},
                       {"--machines", 4},
                       {"--kills", 0},
                       {"--faults", 0},
                       {"--failovers", 0},
                       {"--tail", 0},
                       {"--pooled", 0},
                       {"--seed", 1}});
  if (!arguments.parse(count, words)) return 2;
  if (arguments["--machines"] < 1 || arguments["--machines"] > kMostMachines) return 2;
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "machines: %s\n", error.what());
    return 2;
  }
}
