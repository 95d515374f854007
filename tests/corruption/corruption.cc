// Damages what lies at rest and opens whole caches on it: see run.sh.
#include <cstdio>
#include <functional>
#include <string>

#include "corruption/local.h"
#include "corruption/rows.h"
#include "lib/arguments.h"

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kShown = 20;

struct Figures {
  Outcomes outcomes;
  std::uint64_t violations = 0;

  void add(const std::string& what, const std::optional<std::string>& broken) {
    if (!broken) return;
    if (++violations <= kShown) {
      std::printf("VIOLATION %s: %s\n", what.c_str(), broken->c_str());
    }
  }
};

void damage_directory(const Scene& scene, std::uint64_t states, std::uint64_t seed,
                      Figures& figures) {
  for (const Damage& damage : pick(every_damage(scene), states, seed)) {
    figures.add(describe(scene, damage), check(scene, damage, figures.outcomes));
  }
}

void damage_store(std::uint64_t states, std::uint64_t seed, Figures& figures) {
  const DamagedStore store;
  for (const RowDamage& damage : store.every_row_damage()) {
    figures.add(damage.describe(), store.check(damage, figures.outcomes));
  }
  for (const Damage& damage : pick(store.every_file_damage(), states, seed)) {
    figures.add(store.describe(damage), store.check(damage, figures.outcomes));
  }
}

int run(const Arguments& arguments) {
  const std::uint64_t states = arguments["--states"], seed = arguments["--seed"];
  const std::uint64_t part = states == 0 ? 0 : std::max<std::uint64_t>(states / 3, 1);
  Figures figures;
  damage_directory(killed_scene(), part, seed, figures);
  damage_directory(closed_scene(), part, seed, figures);
  damage_store(part, seed, figures);
  const auto shown = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
  std::printf(
      "corruption: %llu violations in %llu damaged directories and stores, seed %llu: the right "
      "document %s, %llu times a miss that healed\n",
      shown(figures.violations), shown(figures.outcomes.states), shown(seed),
      figures.violations == 0 ? "otherwise" : "not always", shown(figures.outcomes.healed));
  return figures.violations == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tiercache::testing

int main(int count, char** words) {
  using namespace tiercache::testing;
  Arguments arguments({{"--states", 900}, {"--seed", 1}});
  if (!arguments.parse(count, words)) return 2;
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "corruption: %s\n", error.what());
    return 2;
  }
}
