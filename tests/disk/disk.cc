// Disks that refuse, are full or lose the directory, under whole caches: see run.sh.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

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

// `limit` of them by the dice.
void refuse(std::vector<Refusal> all, std::uint64_t limit, Dice& dice, DiskFigures& figures,
            Violations& found) {
  const std::uint64_t count = std::min<std::uint64_t>(limit, all.size());
  for (std::uint64_t i = 0; i < count; ++i) {
    if (count < all.size()) std::swap(all[i], all[i + dice.below(all.size() - i)]);
    found.add(all[i].describe(), check(all[i], figures));
  }
}

int run(const Arguments& arguments) {
  const std::uint64_t seed = arguments["--seed"];
  DiskFigures refused, deleted;
  Violations found;
  Dice dice(seed);
  const std::uint64_t states = arguments["--states"];
  refuse(every_refusal(seed), states == 0 ? UINT64_MAX : states, dice, refused, found);
  refuse(every_deletion(seed), arguments["--deletions"], dice, deleted, found);
  FullFigures full;
  if (arguments["--boundaries"] > 0) {
    found.add("a full disk", fill_at_every_boundary(arguments["--boundaries"], seed, full));
  }
  const auto shown = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
  const auto show = [&](const char* what, const DiskFigures& figures) {
    std::printf(
        "%llu disks that %s: %llu writes acknowledged, %llu of them by the store alone, %llu "
        "refused; ",
        shown(figures.states), what, shown(figures.acknowledged), shown(figures.stored_alone),
        shown(figures.refused));
  };
  std::printf("disk: %llu violations, seed %llu; ", shown(found.count), shown(seed));
  show("refuse calls", refused);
  show("lose the directory", deleted);
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
  Arguments arguments(
      {{"--states", 600}, {"--boundaries", 10}, {"--seed", 1}, {"--deletions", 200}});
  if (!arguments.parse(count, words)) return 2;
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "disk: %s\n", error.what());
    return 2;
  }
}
