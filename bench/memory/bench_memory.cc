// Compares the memory tier with its peers, in nanoseconds per operation and thread.
//
//   bench_memory [--rounds N] [--quick] [--only WORKLOAD]
//
// `--quick` only shows that it runs; its figures are those of cold caches and cannot be compared.
//
// In a round every subject runs a few milliseconds of one workload. The subject that begins changes
// from round to round. Each subject is compared with the naive LRU of the same round, and the
// medians over all rounds are printed. To give good figures on a machine that is not idle, a run is
// repeated if one of its threads lost its processor or the threads did not run at the same time; a
// round in which that did not help is left out.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bytes_per_entry.h"
#include "subjects.h"
#include "workload.h"

namespace tiercache::bench {
namespace {

struct Settings {
  std::string only = {};  // the name of one workload; empty: all
  int rounds = 100;
  std::size_t zipf_keys = 1'000'000;
  std::size_t operations =
      4'000'000;          // made for each thread; the rounds go through them again and again
  double round_ns = 2e6;  // how long a run should take: short, to fit between disturbances
};

constexpr int kMostTries = 60;      // how often a disturbed run is repeated
constexpr double kTogether = 0.85;  // the share of a run's time in which all its threads run

std::vector<Workload> workloads(const Settings& settings) {
  const std::size_t zipf_keys = settings.zipf_keys;
  // "hot" is as large as a cache is by default; HyperClockCache needs more room than that to keep
  // everything. "small" has some 5 MiB.
  constexpr std::size_t kSmall = 3'600;
  return {{.name = "small hot", .keys = 1'000, .capacity = kSmall},
          {.name = "small Zipf",
           .keys = 10 * kSmall,
           .capacity = kSmall,
           .zipf = 0.99,
           .puts_of_100 = 5},
          {.name = "hot", .keys = 1'000, .capacity = 48'000, .must_hit = true},
          {.name = "100k", .keys = 100'000, .capacity = 200'000, .must_hit = true},
          {.name = "Zipf",
           .keys = zipf_keys,
           .capacity = zipf_keys / 10,
           .zipf = 0.99,
           .puts_of_100 = 5}};
}

// The operations of each thread of a workload, and the part of them that a round does.
using Script = std::vector<std::vector<Operation>>;
struct Part {
  std::size_t begin = 0;
  std::size_t count = 0;
};

struct Outcome {
  double ns_per_operation = 0;  // and thread
  double hit_ratio = 0;
  bool disturbed = false;
};

// Returns how often the calling thread lost its processor to another one.
long preemptions() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

// Lets threads begin at the same time. They spin while they wait, so that all of them are running.
class Start {
 public:
  explicit Start(std::size_t threads) : missing_(threads) {}
  void wait() {
    --missing_;
    while (missing_ > 0) {
    }
  }

 private:
  std::atomic<std::size_t> missing_;
};

struct Tally {
  std::size_t gets = 0, hits = 0;
};

template <class Subject>
Tally play(Subject& subject, const Population& population, const Operation* begin,
           const Operation* end) {
  Tally tally;
  for (const Operation* at = begin; at != end; ++at) {
    const std::string_view key = population.key(at->number);
    tally.gets += !at->put;
    if (!at->put && subject.get(key)) {
      ++tally.hits;
    } else {
      subject.put(key, population.document(at->number));
    }
  }
  return tally;
}

// What one thread did in a run.
struct Lap {
  std::int64_t begin_ns = 0, end_ns = 0;
  Tally tally;
  bool preempted = false;
};

// Where the timed part of a run begins. What comes before it warms the processor's caches.
std::size_t timed_begin(Part part) {
  return part.begin + part.count / 3;
}

template <class Subject>
Lap run_lap(Subject& subject, const Population& population,
            const std::vector<Operation>& operations, Part part, Start& start) {
  const auto now_ns = [] { return std::chrono::steady_clock::now().time_since_epoch().count(); };
  const Operation* const timed = operations.data() + timed_begin(part);
  Lap lap;
  play(subject, population, operations.data() + part.begin, timed);
  const long preempted = preemptions();
  start.wait();
  lap.begin_ns = now_ns();
  lap.tally = play(subject, population, timed, operations.data() + part.begin + part.count);
  lap.end_ns = now_ns();
  lap.preempted = preemptions() != preempted;
  return lap;
}

Outcome sum_up(const std::vector<Lap>& laps, std::size_t operations) {
  Outcome outcome;
  Tally tally;
  std::int64_t spent_ns = 0, last_begin = INT64_MIN, first_end = INT64_MAX;
  for (const Lap& lap : laps) {
    tally.gets += lap.tally.gets;
    tally.hits += lap.tally.hits;
    spent_ns += lap.end_ns - lap.begin_ns;
    last_begin = std::max(last_begin, lap.begin_ns);
    first_end = std::min(first_end, lap.end_ns);
    outcome.disturbed |= lap.preempted;
  }
  const double average_ns = static_cast<double>(spent_ns) / static_cast<double>(laps.size());
  outcome.disturbed |= static_cast<double>(first_end - last_begin) < kTogether * average_ns;
  outcome.ns_per_operation = average_ns / static_cast<double>(operations);
  outcome.hit_ratio = static_cast<double>(tally.hits) / static_cast<double>(tally.gets);
  return outcome;
}

template <class Subject>
Outcome run(Subject& subject, const Population& population, const Script& script, Part part) {
  Start start(script.size());
  std::vector<Lap> laps(script.size());
  const auto one_thread = [&](std::size_t thread) {
    laps[thread] = run_lap(subject, population, script[thread], part, start);
  };
  std::vector<std::thread> threads;
  for (std::size_t thread = 1; thread < script.size(); ++thread) {
    threads.emplace_back(one_thread, thread);
  }
  one_thread(0);
  for (std::thread& thread : threads) thread.join();
  return sum_up(laps, part.begin + part.count - timed_begin(part));
}

// A workload with a number of threads, which is one column of the table.
struct Column {
  Workload workload;
  std::size_t threads;
  Script script;

  std::string title() const {
    return workload.name + ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  }
};

// A subject filled for a workload, ready to be run again and again.
struct Contender {
  std::string name;
  std::function<Outcome(const Script&, Part)> run;
  std::size_t next = 0;  // where it goes on in the script

  // A repeated run goes on in the script too. Otherwise it would ask again for what was just asked
  // for.
  Outcome run_undisturbed(const Script& script, std::size_t count) {
    Outcome outcome{.disturbed = true};
    for (int tries = 0; outcome.disturbed && tries < kMostTries; ++tries) {
      if (next + count > script[0].size()) next = 0;
      outcome = run(script, {next, count});
      next += count;
    }
    return outcome;
  }
};

template <class Subject>
Contender make_contender(const Workload& workload, const Population& population) {
  auto subject = std::make_shared<Subject>(workload.capacity);
  for (std::uint32_t number = 0; number < workload.keys; ++number) {
    subject->put(population.key(number), population.document(number));
  }
  return {Subject::kName,
          [subject, &population](const Script& script, Part part) {
            return bench::run(*subject, population, script, part);
          },
          0};
}

std::vector<Contender> make_contenders(const Workload& workload, const Population& population) {
  std::vector<Contender> made;
  for_each_subject(
      [&]<class Subject>() { made.push_back(make_contender<Subject>(workload, population)); });
  return made;
}

// Returns the median; not a number if there are no values.
double median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

struct Cell {
  double ns = 0, times_naive = 0, hit_ratio = 0;
};

// The rounds of one contender in one column.
struct Series {
  std::vector<double> ns, times_naive, hit_ratio;

  void add(const Outcome& outcome, const Outcome& naive) {
    ns.push_back(outcome.ns_per_operation);
    times_naive.push_back(naive.ns_per_operation / outcome.ns_per_operation);
    hit_ratio.push_back(outcome.hit_ratio);
  }
  Cell cell() const { return {median(ns), median(times_naive), median(hit_ratio)}; }
};

// Returns how many operations the slowest contender does in the time of a round. Also brings every
// contender to the state that it has after many operations.
std::size_t operations_per_round(const Column& column, const std::vector<Contender>& contenders,
                                 double round_ns) {
  double slowest_ns = 1;
  for (const Contender& contender : contenders) {
    const Outcome all = contender.run(column.script, {0, column.script[0].size()});
    slowest_ns = std::max(slowest_ns, all.ns_per_operation);
  }
  return std::min(static_cast<std::size_t>(round_ns / slowest_ns), column.script[0].size());
}

// Runs one round, and returns the outcome of each contender. Another one begins each time.
std::vector<Outcome> play_round(const Column& column, std::vector<Contender>& contenders,
                                std::size_t count, std::size_t first) {
  std::vector<Outcome> outcomes(contenders.size());
  for (std::size_t turn = 0; turn < contenders.size(); ++turn) {
    const std::size_t at = (first + turn) % contenders.size();
    outcomes[at] = contenders[at].run_undisturbed(column.script, count);
    if (column.workload.must_hit && outcomes[at].hit_ratio < 1) {
      std::printf("note: %s, %s: hit ratio %.4f\n", column.title().c_str(),
                  contenders[at].name.c_str(), outcomes[at].hit_ratio);
    }
  }
  return outcomes;
}

// One column with a cell for each contender, the naive one first.
std::vector<Cell> measure(const Column& column, std::vector<Contender>& contenders,
                          const Settings& settings) {
  const std::size_t per_round = operations_per_round(column, contenders, settings.round_ns);
  std::vector<Series> series(contenders.size());
  int left_out = 0;
  for (std::size_t round = 0; round < static_cast<std::size_t>(settings.rounds); ++round) {
    const auto outcomes = play_round(column, contenders, per_round, round);
    if (std::any_of(outcomes.begin(), outcomes.end(),
                    [](const Outcome& o) { return o.disturbed; })) {
      ++left_out;
      continue;
    }
    for (std::size_t at = 0; at < series.size(); ++at) series[at].add(outcomes[at], outcomes[0]);
  }
  if (left_out > 0) {
    std::printf("note: %s: %d of %d rounds were disturbed and are left out\n",
                column.title().c_str(), left_out, settings.rounds);
  }
  std::vector<Cell> cells;
  for (const Series& each : series) cells.push_back(each.cell());
  return cells;
}

void print_table(const std::vector<std::string>& names, const std::vector<std::string>& titles,
                 const std::vector<std::vector<Cell>>& columns) {
  std::printf("| ns per operation and thread (times the speed of naive) |");
  for (const std::string& title : titles) std::printf(" %s |", title.c_str());
  std::printf(" Zipf hit ratio |\n|---|");
  for (std::size_t i = 0; i <= titles.size(); ++i) std::printf("---|");
  for (std::size_t row = 0; row < names.size(); ++row) {
    std::printf("\n| %s |", names[row].c_str());
    for (const auto& column : columns) {
      std::printf(" %.1f (%.2fx) |", column[row].ns, column[row].times_naive);
    }
    std::printf(" %.4f |", columns[columns.size() - 2][row].hit_ratio);
  }
  std::printf("\n");
}

void compare_speed(const Settings& settings) {
  const Population population(settings.zipf_keys);
  std::vector<std::string> names, titles;
  std::vector<std::vector<Cell>> columns;
  for (const Workload& workload : workloads(settings)) {
    if (!settings.only.empty() && settings.only != workload.name) continue;
    std::vector<Contender> contenders = make_contenders(workload, population);
    names.clear();
    for (const Contender& contender : contenders) names.push_back(contender.name);
    for (const std::size_t threads : {1, 2}) {
      Column column{workload, threads, {}};
      for (std::size_t i = 0; i < threads; ++i) {
        column.script.push_back(workload.operations(settings.operations, i + 1));
      }
      titles.push_back(column.title());
      columns.push_back(measure(column, contenders, settings));
    }
  }
  if (columns.empty())
    std::printf("no workload is named \"%s\"\n", settings.only.c_str());
  else
    print_table(names, titles, columns);
}

int main(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--quick") {
      settings = {.rounds = 3, .zipf_keys = 100'000, .operations = 200'000, .round_ns = 0.5e6};
    } else if (argument == "--rounds" && i + 1 < argc && std::atoi(argv[i + 1]) > 0) {
      settings.rounds = std::atoi(argv[++i]);
    } else if (argument == "--only" && i + 1 < argc) {
      settings.only = argv[++i];
    } else {
      std::fprintf(stderr, "usage: bench_memory [--quick] [--rounds N] [--only WORKLOAD]\n");
      return 2;
    }
  }
  print_bytes_per_entry();
  compare_speed(settings);
  return 0;
}

}  // namespace
}  // namespace tiercache::bench

int main(int argc, char** argv) {
  return tiercache::bench::main(argc, argv);
}
