// What readers feel of a store that is stopped, unreachable or silent: the time of reads that
// memory and files answer, with the fault and without, in turn on one cache over a real PostgreSQL.
// Beside them others write, and ask for keys that only the store could have. When the fault is over
// every write must arrive.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "lib/arguments.h"
#include "lib/scratch.h"
#include "tiercache/postgres.h"
#include "tiercache/testing/faulty_proxy.h"
#include "tiercache/tiercache.h"

namespace tiercache::testing {
namespace {

using namespace std::chrono_literals;
using Nanoseconds = std::uint32_t;

constexpr int kHotKeys = 100;
constexpr int kColdKeys = 8'000;  // many times what memory holds
constexpr int kHotReadsPerColdOne = 200;
constexpr auto kWritePause = 10ms;
constexpr auto kAskPause = 100ms;
constexpr auto kAskDeadline = 300ms;
constexpr auto kArrival = 60s;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string document(int i) {
  return R"({"number":)" + std::to_string(i) + R"(,"text":")" + std::string(1'000, 'x') + "\"}";
}

// All processes of the server.
class Server {
 public:
  explicit Server(const std::string& pid_file) { std::ifstream(pid_file) >> postmaster_; }

  void signal(int number) const {
    std::ifstream children("/proc/" + std::to_string(postmaster_) + "/task/" +
                           std::to_string(postmaster_) + "/children");
    ::kill(postmaster_, number);
    for (pid_t child = 0; children >> child;) ::kill(child, number);
  }

 private:
  pid_t postmaster_ = 0;
};

struct Fault {
  const char* name;
  std::function<void()> begin;
  std::function<void()> end;
};

// A thread that does something again and again until it is stopped.
class Repeating {
 public:
  Repeating(std::chrono::milliseconds pause, std::function<void()> act)
      : thread_([this, pause, act = std::move(act)] {
          std::unique_lock lock(mutex_);
          while (!stopped_.wait_for(lock, pause, [this] { return stop_; })) {
            lock.unlock();
            act();
            lock.lock();
          }
        }) {}
  ~Repeating() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    stopped_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread thread_;
};

struct Times {
  std::vector<Nanoseconds> memory, files;
};

double quantile(std::vector<Nanoseconds>& times, double q) {
  if (times.empty()) return 0;
  const auto at = times.begin() + static_cast<std::ptrdiff_t>(q * double(times.size() - 1));
  std::nth_element(times.begin(), at, times.end());
  return *at;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

class Outage {
 public:
  Outage(const std::string& url, std::uint16_t port, Server server)
      : proxy_("127.0.0.1", port), server_(server), url_(url), cache_(options()) {
    hot_.emplace(cache_.dataset("hot", keyed()));
    cold_.emplace(cache_.dataset("cold", keyed()));
    written_.emplace(cache_.dataset("written", keyed()));
    for (int i = 0; i < kHotKeys; ++i) hot_->put(std::to_string(i), document(i));
    std::vector<std::pair<std::string, std::string>> many;
    for (int i = 0; i < kColdKeys; ++i) many.emplace_back(std::to_string(i), document(i));
    cold_->put_many(many);
  }

  std::vector<Fault> faults() {
    const auto network = [this](const char* name, Network state) {
      return Fault{name, [this, state] { proxy_.set(state); },
                   [this] { proxy_.set(Network::works); }};
    };
    return {{"server stopped (SIGSTOP)", [this] { server_.signal(SIGSTOP); },
             [this] { server_.signal(SIGCONT); }},
            network("connections refused", Network::refuses),
            network("packets dropped", Network::swallows),
            network("answers dropped", Network::swallows_answers)};
  }

  // False when something written did not arrive.
  bool run(const Fault& fault, int rounds, std::chrono::milliseconds phase) {
    std::vector<double> memory, files, memory_p99, files_p99;
    late_ = 0ns;
    for (int round = 0; round < rounds; ++round) {
      if (!settle()) return false;
      Times without = read_for(phase);
      fault.begin();
      Times with = read_for(phase);
      fault.end();
      memory_p99.push_back(quantile(without.memory, 0.99));
      files_p99.push_back(quantile(without.files, 0.99));
      memory.push_back(quantile(with.memory, 0.99) / memory_p99.back());
      files.push_back(quantile(with.files, 0.99) / files_p99.back());
    }
    const bool arrived = settle() && all_in_store();
    std::printf("%-26s | %8.0f ns | %5.2fx | %8.1f us | %5.2fx | %6.1f ms | %s\n", fault.name,
                median(memory_p99), median(memory), median(files_p99) / 1000, median(files),
                std::chrono::duration<double, std::milli>(late_.load()).count(),
                arrived ? "all" : "NOT ALL");
    std::fflush(stdout);
    worst_ = std::max({worst_, median(memory), median(files)});
    return arrived;
  }

  int writes() const { return next_; }
  double worst() const { return worst_; }

 private:
  static DatasetOptions<JsonText> keyed() {
    return {.keyed = true, .fresh_for = 24h, .hydrate = Hydrate::none()};
  }
  CacheOptions options() const {
    CacheOptions options;
    options.project = "outage";
    options.directory = scratch_.path() / "cache";
    options.memory.max_bytes = 1 << 20;
    const auto slash = url_.rfind('/');
    const auto colon = url_.rfind(':', slash);
    options.store = postgres::open(
        {.url = url_.substr(0, colon + 1) + std::to_string(proxy_.port()) + url_.substr(slash),
         .apply_migrations = true});
    options.store_calls.call_timeout = 1s;
    return options;
  }
  // The store works and has everything.
  bool settle() {
    const auto until = std::chrono::steady_clock::now() + kArrival;
    while (std::chrono::steady_clock::now() < until) {
      if (cache_.flush(1s) && cache_.health().store.working) return true;
    }
    return false;
  }

  // Reads on this thread, beside the others.
  Times read_for(std::chrono::milliseconds phase) {
    const Repeating writer(kWritePause, [this] {
      const int i = next_++;
      written_->put(std::to_string(i), document(i));
    });
    const Repeating asker(kAskPause, [this] {
      const auto began = std::chrono::steady_clock::now();
      written_->get("absent", {.deadline = kAskDeadline, .reach = Reach::store});
      const auto late = std::chrono::steady_clock::now() - began - kAskDeadline;
      late_ = std::max<std::chrono::nanoseconds>(late_, late);
    });
    Times times;
    std::mt19937 random(1);
    const auto until = std::chrono::steady_clock::now() + phase;
    for (auto now = std::chrono::steady_clock::now(); now < until;) {
      for (int i = 0; i < kHotReadsPerColdOne; ++i) {
        now = timed_read(*hot_, static_cast<int>(random() % kHotKeys), now, &times);
      }
      now = timed_read(*cold_, static_cast<int>(random() % kColdKeys), now, &times);
    }
    return times;
  }
  std::chrono::steady_clock::time_point timed_read(Dataset<JsonText>& data, int key,
                                                   std::chrono::steady_clock::time_point began,
                                                   Times* times) {
    const auto snapshot = data.get(std::to_string(key));
    const auto ended = std::chrono::steady_clock::now();
    if (!snapshot.has_value() || snapshot->find(R"("number":)" + std::to_string(key) + ',') != 1) {
      std::printf("VIOLATION: key %d is not served from here (I6)\n", key);
      std::exit(1);
    }
    auto& of_tier = snapshot.tier() == Tier::memory ? times->memory : times->files;
    of_tier.push_back(static_cast<Nanoseconds>((ended - began).count()));
    return ended;
  }

  bool all_in_store() const {
    const auto direct = postgres::open(url_);
    for (int begin = 0; begin < next_; begin += 100) {
      std::vector<EntryId> ids;
      for (int i = begin; i < std::min(begin + 100, next_.load()); ++i) {
        ids.push_back({"written", std::to_string(i)});
      }
      const LoadReply rows =
          direct->load("outage", ids, std::chrono::steady_clock::now() + kArrival);
      if (rows.status != StoreStatus::ok ||
          std::find(rows.entries.begin(), rows.entries.end(), nullptr) != rows.entries.end()) {
        std::printf("VIOLATION: a write among %d to %d did not arrive (I1): %s\n", begin,
                    begin + 99, rows.message.c_str());
        return false;
      }
    }
    return true;
  }

  ScratchDirectory scratch_{"outage"};
  FaultyProxy proxy_;
  const Server server_;
  const std::string url_;
  Cache cache_;
  std::optional<Dataset<JsonText>> hot_, cold_, written_;
  std::atomic<int> next_{0};
  std::atomic<std::chrono::nanoseconds> late_{};
  double worst_ = 0;
};

int run(const Arguments& arguments) {
  const std::string url = environment("TIERCACHE_TEST_POSTGRES");
  if (url.empty()) {
    std::fputs("outage: run by tests/servers/postgres.sh\n", stderr);
    return 2;
  }
  const auto colon = url.rfind(':');
  const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1)));
  Outage outage(url, port, Server(environment("TIERCACHE_TEST_POSTGRES_PID")));
  std::printf("%-26s | memory p99  | with   | files p99   | with   | past      | writes\n",
              "fault");
  std::printf("%-26s | without     | fault  | without     | fault  | deadline  | arrived\n", "");
  bool kept = true;
  const auto rounds = static_cast<int>(arguments["--rounds"]);
  for (const Fault& fault : outage.faults()) {
    kept = outage.run(fault, rounds, std::chrono::milliseconds(arguments["--phase-ms"])) && kept;
  }
  const double bound = static_cast<double>(arguments["--percent"]) / 100;
  const bool fast = bound == 0 || outage.worst() <= bound;
  std::printf("outage: %d rounds of each fault, %d writes, %s; slowest p99 with a fault %.2fx%s\n",
              rounds, outage.writes(), kept ? "all arrived" : "NOT ALL ARRIVED", outage.worst(),
              fast ? "" : ", which is more than allowed");
  return kept && fast ? 0 : 1;
}

}  // namespace
}  // namespace tiercache::testing

int main(int count, char** words) {
  // `--percent`: of the p99 without a fault; 0: it is not judged.
  tiercache::testing::Arguments arguments({{"--rounds", 1}, {"--phase-ms", 300}, {"--percent", 0}});
  if (!arguments.parse(count, words)) return 2;
  return tiercache::testing::run(arguments);
}
