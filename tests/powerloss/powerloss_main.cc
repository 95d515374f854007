// The search over power-loss states: see run.sh.
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>

#include "powerloss/recovery.h"
#include "powerloss/workload.h"

namespace tiercache::testing {
namespace {

constexpr int kStepsPerWorld = 80;
constexpr std::uint64_t kPercentTaken = 30;  // of the disk operations

struct Arguments {
  std::uint64_t states = 2'000;
  std::uint64_t seed = 1;
  bool trace = false;
};

struct Figures {
  std::uint64_t worlds = 0;
  std::uint64_t operations = 0;  // of the disk
  std::uint64_t states = 0;
  std::uint64_t in_recovery = 0;  // of the states
  std::uint64_t violations = 0;
  std::array<std::uint64_t, 4> broken{};
};

class Search {
 public:
  explicit Search(const Arguments& arguments) : arguments_(arguments) {}

  Figures run() {
    for (std::uint64_t seed = arguments_.seed; figures_.states < arguments_.states; ++seed) {
      run_world(seed);
      ++figures_.worlds;
    }
    return figures_;
  }

 private:
  void run_world(std::uint64_t seed) {
    seed_ = seed;
    Dice dice(seed * 0x2545f4914f6cdd1du + 1);
    Workload workload(seed);
    if (arguments_.trace) {
      workload.on_step([](const std::string& text) { std::printf("  %s\n", text.c_str()); });
    }
    take_states(workload, dice);
    std::size_t reported = 0;
    for (int step = 0; step < kStepsPerWorld; ++step) {
      workload.step();
      for (; reported < workload.violations().size(); ++reported) {
        report(workload.violations()[reported]);
      }
      check_taken(dice);
    }
    figures_.operations += workload.world().disk.operations();
  }

  // States are taken while the cache is in the middle of an operation, and checked after the step.
  void take_states(Workload& workload, Dice& dice) {
    workload.world().disk.on_operation(
        [this, &workload, &dice](std::uint64_t number, const std::string& what) {
          if (arguments_.trace) {
            std::printf("    %llu %s\n", static_cast<unsigned long long>(number), what.c_str());
          }
          if (!dice.percent(kPercentTaken)) return;
          const std::uint64_t loss = dice.percent(30) ? dice.below(2) : dice.next();
          taken_.push_back({.disk = workload.world().disk.after_power_loss(loss),
                            .histories = std::make_shared<Histories>(workload.histories()),
                            .rows = rows_of(workload),
                            .now = workload.world().clock->wall_now(),
                            .origin = "operation " + std::to_string(number) + " (" + what +
                                      ") loss " + std::to_string(loss),
                            .sound = workload.disk() == Disk::sound});
        });
  }

  static std::shared_ptr<const Rows> rows_of(Workload& workload) {
    auto rows = std::make_shared<Rows>();
    for (const EntryId& id : workload.ids()) {
      if (const EntryPtr row = workload.world().store->row(kProject, id)) rows->emplace(id, row);
    }
    return rows;
  }

  void check_taken(Dice& dice) {
    while (!taken_.empty()) {
      CrashState state = std::move(taken_.front());
      taken_.pop_front();
      ++figures_.states;
      if (state.crashes > 1) ++figures_.in_recovery;
      const auto violation =
          check_recovery(std::move(state), dice.next(),
                         [this](CrashState further) { taken_.push_back(std::move(further)); });
      if (violation) report(*violation);
    }
  }

  void report(const Violation& violation) {
    ++figures_.violations;
    ++figures_.broken[static_cast<std::size_t>(violation.verdict.broken)];
    std::printf("VIOLATION seed %llu, %s: %s: %s\n", static_cast<unsigned long long>(seed_),
                violation.where.c_str(), to_string(violation.verdict.broken),
                violation.verdict.why.c_str());
    std::fflush(stdout);
  }

  const Arguments arguments_;
  Figures figures_;
  std::uint64_t seed_ = 0;
  std::deque<CrashState> taken_;
};

bool parse(std::string_view text, std::uint64_t* out) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *out);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

bool parse(int count, char** values, Arguments* out) {
  for (int i = 1; i < count; ++i) {
    const std::string_view name = values[i];
    if (name == "--trace") {
      out->trace = true;
    } else if (name == "--states" && i + 1 < count) {
      if (!parse(values[++i], &out->states) || out->states == 0) return false;
    } else if (name == "--seed" && i + 1 < count) {
      if (!parse(values[++i], &out->seed)) return false;
    } else {
      return false;
    }
  }
  return true;
}

unsigned long long shown(std::uint64_t number) {
  return number;
}

}  // namespace
}  // namespace tiercache::testing

int main(int count, char** values) {
  using namespace tiercache::testing;
  Arguments arguments;
  if (!parse(count, values, &arguments)) {
    std::fprintf(stderr, "usage: powerloss_search [--states N] [--seed S] [--trace]\n");
    return 2;
  }
  const Figures figures = Search(arguments).run();
  std::printf(
      "powerloss: %llu violations in %llu states (%llu of them crashes during recovery) of %llu "
      "worlds with %llu disk operations, seeds from %llu: acknowledged writes lost %llu, deleted "
      "entries back %llu, wrong bytes served %llu, older over newer %llu\n",
      shown(figures.violations), shown(figures.states), shown(figures.in_recovery),
      shown(figures.worlds), shown(figures.operations), shown(arguments.seed),
      shown(figures.broken[0]), shown(figures.broken[1]), shown(figures.broken[2]),
      shown(figures.broken[3]));
  return figures.violations == 0 ? 0 : 1;
}
