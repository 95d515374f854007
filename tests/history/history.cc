// Several processes with clocks that disagree, on shared keys: see run.sh.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "history/checker.h"
#include "history/record.h"
#include "history/setup.h"
#include "history/staller.h"
#include "history/worker.h"
#include "lib/arguments.h"
#include "lib/scratch.h"
#include "lib/stalling_disk.h"
#include "oracle/dice.h"
#include "oracle/document.h"
#include "tiercache/sqlite.h"

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kMostProcesses = 64;

// From 15 minutes behind to 15 minutes ahead, in an order by the seed.
std::vector<std::chrono::milliseconds> skews(std::uint64_t processes, std::uint64_t seed) {
  const std::chrono::milliseconds span = std::chrono::minutes(30);
  std::vector<std::chrono::milliseconds> all;
  for (std::uint64_t i = 0; i < processes; ++i) {
    all.push_back(span * static_cast<int>(i) / std::max<int>(static_cast<int>(processes) - 1, 1) -
                  span / 2);
  }
  Dice dice(seed);
  for (std::uint64_t i = processes; i > 1; --i) std::swap(all[i - 1], all[dice.below(i)]);
  return all;
}

// Becomes one process of `program`, which is this one over another version of the library.
[[noreturn]] void become(const std::string& program, const WorkerStart& start) {
  const std::string process = std::to_string(start.process);
  const std::string operations = std::to_string(start.operations);
  const std::string seed = std::to_string(start.seed);
  const std::string skew = std::to_string(start.skew.count());
  ::execl(program.c_str(), program.c_str(), "--worker", start.root.c_str(), process.c_str(),
          operations.c_str(), seed.c_str(), skew.c_str(), nullptr);
  ::_exit(127);
}

int work_as_told(char** words) {
  return work({.root = words[0],
               .process = std::strtoull(words[1], nullptr, 10),
               .operations = std::strtoull(words[2], nullptr, 10),
               .seed = std::strtoull(words[3], nullptr, 10),
               .skew = std::chrono::milliseconds(std::strtoll(words[4], nullptr, 10))});
}

// Before this process has a thread: none of its locks can be held in the children. `beside`: the
// program of every second process; empty: this one.
void run_processes(const Arguments& arguments, const std::string& beside,
                   const std::filesystem::path& root) {
  const std::uint64_t processes = arguments["--processes"];
  const auto skew = skews(processes, arguments["--seed"]);
  std::vector<pid_t> children;
  const auto gates = std::make_shared<DiskGates>();
  const bool stalls = arguments["--stalls"] > 0;
  for (std::uint64_t i = 0; i < processes; ++i) {
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("cannot fork");
    if (child == 0) {
      const WorkerStart start{
          .root = root,
          .process = i,
          .operations = arguments["--operations"],
          .seed = arguments["--seed"],
          .skew = skew[i],
          .disk = stalls ? std::make_shared<StallingDisk>(gates) : posix_file_system()};
      if (!beside.empty() && i % 2 == 1) become(beside, start);
      const int status = work(start);
      std::fflush(stdout);
      ::_exit(status);
    }
    children.push_back(child);
  }
  Staller staller(children, gates, arguments["--seed"]);
  for (std::uint64_t i = 0; i < arguments["--stalls"]; ++i) {
    staller.stall(std::chrono::milliseconds(arguments["--stall-ms"]));
  }
  bool good = true;
  for (const pid_t child : children) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  if (!good) throw std::runtime_error("a process did not end well");
}

std::optional<Checker::Standing> standing_of(const std::string& name, const std::string* document,
                                             Version version) {
  if (document == nullptr) return std::nullopt;
  return Checker::Standing{.number = read_document(name, *document).value_or(0),
                           .version = version};
}

void check_end(Checker& checker, const std::filesystem::path& root) {
  const auto store = sqlite::open(store_of(root).string());
  CacheOptions options = cache_options(directory_of(root).string(), store, system_clock());
  options.flags.store_enabled = false;  // the directory alone answers
  Cache cache(std::move(options));
  const auto data = cache.dataset(kDataset, dataset_options());
  for (std::uint8_t key = 0; key < kKeys; ++key) {
    const std::string name = name_of(key);
    const auto local = data.get(name, {.reach = Reach::local});
    checker.check_end("the directory", key,
                      standing_of(name, local ? &*local : nullptr, local.version()));
    const EntryId id{kDataset, name};
    const LoadReply reply =
        store->load("history", {&id, 1}, system_clock()->steady_now() + std::chrono::seconds(10));
    const EntryPtr row = reply.status == StoreStatus::ok ? reply.entries.front() : nullptr;
    checker.check_end(
        "the store", key,
        standing_of(name, row ? row->document.get() : nullptr, row ? row->version : Version{}));
  }
}

int run(const Arguments& arguments, const std::string& beside) {
  ScratchDirectory scratch("history");
  run_processes(arguments, beside, scratch.path());
  Checker checker;
  for (std::uint64_t i = 0; i < arguments["--processes"]; ++i) {
    for (int thread = 0; thread < kThreads; ++thread) {
      checker.add(read_calls(log_of(scratch.path(), i, thread)));
    }
  }
  for (std::uint64_t i = 0; i < arguments["--processes"]; ++i) {
    checker.add(static_cast<std::uint8_t>(i), read_beats(beats_of(scratch.path(), i)));
  }
  checker.check_calls();
  check_end(checker, scratch.path());
  if (checker.violations() > 0 && std::getenv("TIERCACHE_KEEP") != nullptr) scratch.keep();
  const auto shown = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
  const auto calls = [&](Call::Kind kind) { return shown(checker.calls(kind)); };
  const auto wrong = [&](Wrong kind) { return shown(checker.count(kind)); };
  std::printf(
      "history: %llu violations in %llu processes with clocks up to 15 min apart from the store's, "
      "seed %llu: %llu reads served, %llu found nothing, %llu puts, %llu erases, %llu counted, "
      "%llu conflicts, %llu refused and %llu in doubt at their deadlines; the longest stall took "
      "%lld ms; the oldest value served was out of date for %lld ms (memory.ttl %lld ms): "
      "lost updates %llu, regressions %llu, served too late %llu, erased entries back %llu, wrong "
      "bytes %llu, refused for no reason %llu\n",
      shown(checker.violations()), shown(arguments["--processes"]), shown(arguments["--seed"]),
      calls(Call::Kind::read), calls(Call::Kind::read_nothing), calls(Call::Kind::put),
      calls(Call::Kind::erase), calls(Call::Kind::increment), calls(Call::Kind::conflict),
      calls(Call::Kind::refused), calls(Call::Kind::in_doubt),
      static_cast<long long>(checker.longest_stall_ns() / 1'000'000),
      static_cast<long long>(checker.stalest_ns() / 1'000'000),
      static_cast<long long>(kMemoryTtl.count()), wrong(Wrong::lost), wrong(Wrong::regress),
      wrong(Wrong::stale), wrong(Wrong::returned), wrong(Wrong::bytes), wrong(Wrong::refused));
  return checker.violations() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tiercache::testing

int main(int count, char** words) {
  using namespace tiercache::testing;
  if (count == 7 && std::string_view(words[1]) == "--worker") return work_as_told(words + 2);
  Arguments arguments({{"--operations", 2'000},
                       {"--processes", 4},
                       {"--seed", 1},
                       {"--stalls", 0},
                       {"--stall-ms", 3'000}});
  std::string beside;
  if (count > 2 && std::string_view(words[1]) == "--beside") {
    beside = words[2];
    words[2] = words[0];
    words += 2;
    count -= 2;
  }
  if (!arguments.parse(count, words)) return 2;
  if (arguments["--processes"] < 1 || arguments["--processes"] > kMostProcesses) return 2;
  // Its gates are in the memory of those that were forked.
  if (!beside.empty() && arguments["--stalls"] > 0) return 2;
  try {
    return run(arguments, beside);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "history: %s\n", error.what());
    return 2;
  }
}
