// Wakes mutants one at a time (plant.cc), runs the tests that reach it until one fails, and says
// which mutants no test noticed.
//
//   hunt --build DIR --list FILE --explained FILE --results FILE
//        [--room ROOM]... [--mutants N] [--seed N] [--minutes N] [--longest N] [--patience N]
//        [--jobs N] [--again] [--adapters]
//
// --mutants is for each room, 0 for all; --longest leaves out the tests that take more seconds,
// --patience ends with a mutant after tests that took so many together without it; --again takes
// those that the results of last time say survived. Exit status: 0 whatever survived, 2 where
// nothing could be said.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include "suite.h"

namespace tiercache::mutation {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// With no mutant awake a batch took so long; a machine that does other things takes longer.
constexpr double kSlower = 10;
constexpr Seconds kAtLeast{20};

struct Options {
  fs::path build, list, explained, results;
  std::set<std::string> rooms;
  std::size_t mutants = 0;
  std::uint64_t seed = 1, minutes = 0, longest = 2, patience = 10;
  unsigned jobs = 2;
  bool again = false, adapters = false;
};

enum class Fate { unknown, killed, survived, unreached, explained };

const char* to_string(Fate fate) {
  switch (fate) {
    case Fate::killed:
      return "killed";
    case Fate::survived:
      return "survived";
    case Fate::unreached:
      return "unreached";
    case Fate::explained:
      return "explained";
    case Fate::unknown:
      break;
  }
  return "unknown";
}

struct Mutant {
  std::size_t number = 0;
  std::string room, file, kind, was, change;
  unsigned line = 0;
  Fate fate = Fate::unknown;
  std::string by;  // the test, or why it is explained
  std::size_t reached_by = 0;

  // What stays when lines move.
  std::string key() const { return file + "\n" + kind + "\n" + was + "\n" + change; }
};

nlohmann::json parsed(const fs::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return nlohmann::json::parse(file);
}

Mutant mutant_of(const nlohmann::json& entry) {
  Mutant mutant;
  mutant.number = entry.value("number", std::size_t{0});
  mutant.room = entry.value("room", "");
  mutant.file = entry.at("file");
  mutant.kind = entry.at("kind");
  mutant.was = entry.at("was");
  mutant.change = entry.at("change");
  mutant.line = entry.value("line", 0U);
  return mutant;
}

// Numbered from 0 to count - 1, on as many threads.
template <class Work>
void in_parallel(std::size_t count, unsigned jobs, Work work) {
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (unsigned job = 0; job < jobs; ++job) {
    threads.emplace_back([&, job] {
      for (std::size_t i = next++; i < count; i = next++) work(i, job);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

class Hunt {
 public:
  explicit Hunt(Options options) : options_(std::move(options)) {
    for (const auto& entry : parsed(options_.list)) mutants_.push_back(mutant_of(entry));
    for (const auto& entry : parsed(options_.explained)) {
      explained_.emplace(mutant_of(entry).key(), entry.at("why"));
    }
    scratch_ = fs::temp_directory_path() / ("hunt." + std::to_string(::getpid()));
    fs::create_directory(scratch_);
  }
  ~Hunt() {
    std::error_code ignored;
    fs::remove_all(scratch_, ignored);
  }
  Hunt(const Hunt&) = delete;
  Hunt& operator=(const Hunt&) = delete;

  void go() {
    choose();
    see_what_tests_reach();
    const auto end = Clock::now() + std::chrono::minutes(options_.minutes);
    in_parallel(chosen_.size(), options_.jobs, [&](std::size_t i, unsigned job) {
      if (options_.minutes == 0 || Clock::now() < end) judge(*chosen_[i], job);
    });
    write_results();
    report();
  }

 private:
  void choose() {
    std::set<std::string> last_survivors;
    if (options_.again) {
      for (const auto& entry : parsed(options_.results)) {
        if (entry.at("fate") == "survived" || entry.at("fate") == "unreached") {
          last_survivors.insert(mutant_of(entry).key());
        }
      }
    }
    std::vector<Mutant*> shuffled;
    for (Mutant& mutant : mutants_) shuffled.push_back(&mutant);
    std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937_64(options_.seed));
    std::map<std::string, std::size_t> taken;
    for (Mutant* mutant : shuffled) {
      if (!options_.rooms.empty() && !options_.rooms.contains(mutant->room)) continue;
      if (options_.again && !last_survivors.contains(mutant->key())) continue;
      if (options_.mutants > 0 && taken[mutant->room] == options_.mutants) continue;
      ++taken[mutant->room];
      chosen_.push_back(mutant);
    }
    // The rooms take turns, so that a hunt that runs out of time has looked at all of them.
    std::map<std::string, std::size_t> places;
    std::vector<std::pair<std::size_t, Mutant*>> turns;
    for (Mutant* mutant : chosen_) turns.emplace_back(places[mutant->room]++, mutant);
    std::stable_sort(turns.begin(), turns.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::transform(turns.begin(), turns.end(), chosen_.begin(), [](auto& t) { return t.second; });
  }

  void see_what_tests_reach() {
    std::vector<std::string> labels = {"unit", "integration"};
    if (options_.adapters) labels.emplace_back("adapter");
    tests_ = tests_of(options_.build, labels);
    const auto began = Clock::now();
    std::vector<std::string> failed(tests_.size());
    in_parallel(tests_.size(), options_.jobs, [&](std::size_t i, unsigned job) {
      if (!reach(tests_[i], job)) failed[i] = tests_[i].name;
    });
    for (const std::string& name : failed) {
      if (!name.empty()) std::cout << "not used, since it fails without a mutant: " << name << "\n";
    }
    const auto used = std::remove_if(tests_.begin(), tests_.end(), [&](const Test& test) {
      return std::find(failed.begin(), failed.end(), test.name) != failed.end() ||
             test.takes > std::chrono::seconds(options_.longest);
    });
    tests_.erase(used, tests_.end());
    std::printf("%zu tests of at most %llu s each, seen in %.0f s\n", tests_.size(),
                static_cast<unsigned long long>(options_.longest),
                Seconds(Clock::now() - began).count());
    std::fflush(stdout);
  }
  bool reach(Test& test, unsigned job) {
    const fs::path bytes = scratch_ / ("reach." + std::to_string(job));
    std::ofstream(bytes, std::ios::binary) << std::string(mutants_.size(), '\0');
    const auto began = Clock::now();
    const Ending ending = run({&test, test.filter, Seconds(0)},
                              environment(job, {{"TIERCACHE_MUTANT_REACH", bytes.string()}}),
                              std::chrono::minutes(10));
    test.takes = Clock::now() - began;
    std::ifstream file(bytes, std::ios::binary);
    test.reaches.assign(std::istreambuf_iterator<char>(file), {});
    return ending == Ending::passed;
  }

  std::map<std::string, std::string> environment(
      unsigned job, std::map<std::string, std::string> variables) const {
    const fs::path temporary = scratch_ / ("tmp." + std::to_string(job));
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    fs::create_directory(temporary);
    variables["TMPDIR"] = temporary.string();
    return variables;
  }

  void judge(Mutant& mutant, unsigned job) {
    if (const auto known = explained_.find(mutant.key()); known != explained_.end()) {
      mutant.fate = Fate::explained;
      mutant.by = known->second;
      return;
    }
    std::vector<const Test*> tests = tests_for(mutant);
    mutant.reached_by = tests.size();
    mutant.fate = tests.empty() ? Fate::unreached : Fate::survived;
    shorten(tests);
    for (const Batch& batch : batches_of(tests)) {
      const Ending ending =
          run(batch, environment(job, {{"TIERCACHE_MUTANT", std::to_string(mutant.number)}}),
              std::max(kAtLeast, batch.takes * kSlower));
      if (ending == Ending::passed) continue;
      mutant.fate = Fate::killed;
      mutant.by = batch.first->name + (ending == Ending::hung ? " (hung)" : "");
      break;
    }
    tell(mutant);
  }
  void shorten(std::vector<const Test*>& tests) const {
    Seconds together{0};
    std::size_t kept = 0;
    for (; kept < tests.size() && together <= std::chrono::seconds(options_.patience); ++kept) {
      together += tests[kept]->takes;
    }
    tests.resize(kept);
  }
  // The room's own first, and of those the quick ones.
  std::vector<const Test*> tests_for(const Mutant& mutant) const {
    std::vector<const Test*> tests;
    for (const Test& test : tests_) {
      if (test.reaches[mutant.number] != 0) tests.push_back(&test);
    }
    const std::string folder = "/tests/" + own_tests(mutant.room);
    const auto far = [&](const Test* test) {
      return test->directory.string().find(folder) == std::string::npos;
    };
    std::sort(tests.begin(), tests.end(), [&](const Test* a, const Test* b) {
      const bool slow_a = a->takes > Seconds(1), slow_b = b->takes > Seconds(1);
      return std::tuple(slow_a, far(a), a->command, a->takes) <
             std::tuple(slow_b, far(b), b->command, b->takes);
    });
    return tests;
  }
  // engine/src/journal is tested in tests/engine/journal, adapters/http in tests/adapters/http.
  static std::string own_tests(std::string room) {
    if (const auto sources = room.find("/src/"); sources != std::string::npos) {
      room.erase(sources, 4);
    }
    return room;
  }
  void tell(const Mutant& mutant) {
    const std::lock_guard lock(output_);
    ++judged_;
    if (mutant.fate == Fate::killed) return;
    std::cout << mutant.file << ":" << mutant.line << " [" << mutant.kind << "] " << mutant.change
              << "\n    " << mutant.was << "\n    "
              << (mutant.reached_by == 0
                      ? std::string("no test comes here")
                      : "unnoticed by " + std::to_string(mutant.reached_by) + " tests")
              << " (" << judged_ << " of " << chosen_.size() << ")" << std::endl;
  }

  void write_results() const {
    auto results = nlohmann::json::array();
    for (const Mutant* mutant : chosen_) {
      if (mutant->fate == Fate::unknown) continue;
      results.push_back({{"room", mutant->room},
                         {"file", mutant->file},
                         {"line", mutant->line},
                         {"kind", mutant->kind},
                         {"was", mutant->was},
                         {"change", mutant->change},
                         {"fate", to_string(mutant->fate)},
                         {"by", mutant->by}});
    }
    std::ofstream(options_.results) << results.dump(1) << "\n";
  }
  void report() const {
    std::map<std::string, std::map<Fate, std::size_t>> rooms;
    std::map<std::string, std::size_t> planted;
    for (const Mutant& mutant : mutants_) ++planted[mutant.room];
    for (const Mutant* mutant : chosen_) ++rooms[mutant->room][mutant->fate];
    std::printf("\n%-22s %8s %8s %8s %9s %10s %10s\n", "room", "planted", "looked at", "killed",
                "survived", "unreached", "explained");
    for (auto& [room, fates] : rooms) {
      const std::size_t judged = fates[Fate::killed] + fates[Fate::survived] +
                                 fates[Fate::unreached] + fates[Fate::explained];
      const std::size_t countable = judged - fates[Fate::explained];
      std::printf("%-22s %8zu %8zu %8zu %9zu %10zu %10zu   %5.1f %%\n", room.c_str(), planted[room],
                  judged, fates[Fate::killed], fates[Fate::survived], fates[Fate::unreached],
                  fates[Fate::explained],
                  countable == 0 ? 100.0
                                 : 100.0 * static_cast<double>(fates[Fate::killed]) /
                                       static_cast<double>(countable));
    }
  }

  const Options options_;
  fs::path scratch_;
  std::vector<Mutant> mutants_;
  std::map<std::string, std::string> explained_;
  std::vector<Mutant*> chosen_;
  std::vector<Test> tests_;
  std::mutex output_;
  std::size_t judged_ = 0;
};

Options options_of(int argc, char** argv) {
  Options options;
  const std::map<std::string, std::function<void(const std::string&)>> with_value = {
      {"--build", [&](const std::string& v) { options.build = fs::absolute(v); }},
      {"--list", [&](const std::string& v) { options.list = v; }},
      {"--explained", [&](const std::string& v) { options.explained = v; }},
      {"--results", [&](const std::string& v) { options.results = v; }},
      {"--room", [&](const std::string& v) { options.rooms.insert(v); }},
      {"--mutants", [&](const std::string& v) { options.mutants = std::stoul(v); }},
      {"--seed", [&](const std::string& v) { options.seed = std::stoull(v); }},
      {"--minutes", [&](const std::string& v) { options.minutes = std::stoull(v); }},
      {"--longest", [&](const std::string& v) { options.longest = std::stoull(v); }},
      {"--patience", [&](const std::string& v) { options.patience = std::stoull(v); }},
      {"--jobs",
       [&](const std::string& v) { options.jobs = static_cast<unsigned>(std::stoul(v)); }}};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--again") {
      options.again = true;
    } else if (word == "--adapters") {
      options.adapters = true;
    } else if (with_value.contains(word) && i + 1 < argc) {
      with_value.at(word)(argv[++i]);
    } else {
      throw std::runtime_error("unknown: " + word);
    }
  }
  if (options.build.empty() || options.list.empty() || options.explained.empty() ||
      options.results.empty()) {
    throw std::runtime_error("--build, --list, --explained and --results are needed");
  }
  return options;
}

}  // namespace
}  // namespace tiercache::mutation

int main(int argc, char** argv) {
  try {
    tiercache::mutation::Hunt(tiercache::mutation::options_of(argc, argv)).go();
  } catch (const std::exception& error) {
    std::cerr << "hunt: " << error.what() << "\n";
    return 2;
  }
  return 0;
}
