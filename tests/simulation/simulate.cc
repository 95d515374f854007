// Whole caches on one thread: puts, gets, erases, refreshes, outages, crashes, power losses and
// restarts in an order that a seed decides. Every run replays by its seed.
//
//   simulate [--seeds N] [--seed FIRST] [--steps N] [--trace KEY] [--stop-at BROKEN]
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <optional>
#include <string>

#include "simulation/simulation.h"

namespace tiercache::testing {
namespace {

std::string text_argument(int argc, char** argv, const char* name) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], name) == 0) return argv[i + 1];
  }
  return {};
}

std::uint64_t argument(int argc, char** argv, const char* name, std::uint64_t otherwise) {
  const std::string text = text_argument(argc, argv, name);
  return text.empty() ? otherwise : std::strtoull(text.c_str(), nullptr, 10);
}

int run(int argc, char** argv) {
  const std::uint64_t seeds = argument(argc, argv, "--seeds", 1'000);
  const std::uint64_t first = argument(argc, argv, "--seed", 1);
  const std::uint64_t most = argument(argc, argv, "--stop-at", 10);
  const auto steps = static_cast<int>(argument(argc, argv, "--steps", 400));
  Totals totals;
  std::uint64_t broken = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    std::optional<std::string> wrong;
    try {
      wrong = Simulation(seed, totals, text_argument(argc, argv, "--trace")).run(steps);
    } catch (const std::exception& error) {
      wrong = std::string("threw: ") + error.what();
    }
    if (!wrong) continue;
    ++broken;
    std::cout << "seed " << seed << ", " << *wrong << "\n  replay: simulate --seeds 1 --seed "
              << seed << " --steps " << steps << std::endl;
    if (broken == most) break;
  }
  std::cout << "simulation: " << seeds << " seeds from " << first << ", " << totals << ", "
            << broken << " seeds with a broken promise\n";
  return broken == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tiercache::testing

int main(int argc, char** argv) {
  return tiercache::testing::run(argc, argv);
}
