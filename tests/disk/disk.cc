// Disks that refuse, are full or lose the directory, under whole caches: see run.sh.
#include <algorithm>
#include <cstdio>
#include <string>

#include "disk/full.h"
#include "disk/refusals.h"
#include "lib/arguments.h"
#include "oracle/dice.h"

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kShown = 20;

struct Violations {
  std::uint64_t count = 0;

  void add(const std::string& what, const std::optional<std::string>& broken) {
    if (!broken) return;
    if (++count <= kShown) std::printf("VIOLATION %s: %s\n", what.c_str(), broken->c_str());
  }
};

void refuse(const Arguments& arguments, DiskFigures& figures, Violations& found) {
  const std::uint64_t states = arguments["--states"], seed = arguments["--seed"];
  std::vector<Refusal> all = every_refusal(seed, arguments["--deletions"] != 0);
  Dice dice(seed);
  const std::uint64_t count =
      states == 0 ? all.size() : std::min<std::uint64_t>(states, all.size());
  for (std::uint64_t i = 0; i < count; ++i) {
    if (states != 0) std::swap(all[i], all[i + dice.below(all.size() - i)]);
    found.add(all[i].describe(), check(all[i], figures));
  }
}

int run(const Arguments& arguments) {
  const std::uint64_t seed = arguments["--seed"];
  DiskFigures figures;
  Violations found;
  refuse(arguments, figures, found);
  FullFigures full;
  if (arguments["--boundaries"] > 0) {
    found.add("a full disk", fill_at_every_boundary(arguments["--boundaries"], seed, full));
  }
  const auto shown = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
  std::printf(
      "disk: %llu violations, seed %llu; %llu disks that refuse calls or lose the directory: %llu "
      "writes acknowledged, %llu of them by the store alone, %llu refused; ",
      shown(found.count), shown(seed), shown(figures.states), shown(figures.acknowledged),
      shown(figures.stored_alone), shown(figures.refused));
  if (full.why_not.empty()) {
    std::printf(
        "a tmpfs filled %llu times: %llu writes acknowledged, %llu of them by the store alone, "
        "%llu "
        "refused\n",
        shown(full.boundaries), shown(full.acknowledged), shown(full.stored_alone),
        shown(full.refused));
  } else {
    std::printf("no tmpfs was filled: %s\n", full.why_not.c_str());
  }
  return found.count == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tiercache::testing

int main(int count, char** words) {
  using namespace tiercache::testing;
  Arguments arguments({{"--states", 600}, {"--boundaries", 10}, {"--seed", 1}, {"--deletions", 1}});
  if (!arguments.parse(count, words)) return 2;
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "disk: %s\n", error.what());
    return 2;
  }
}
