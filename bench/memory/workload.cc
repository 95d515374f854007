#include "workload.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

namespace tiercache::bench {
namespace {

std::string document_text(std::size_t number) {
  std::string text;
  text.reserve(Population::kDocumentBytes);
  text.append(R"({"number":)").append(std::to_string(number)).append(R"(,"text":")");
  text.append(Population::kDocumentBytes - text.size() - 2, 'x');
  return text.append("\"}");
}

// Returns the probability of each rank together with all ranks before it.
std::vector<double> zipf_sums(std::size_t ranks, double exponent) {
  std::vector<double> sums(ranks);
  double sum = 0;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    sums[rank] = sum += 1 / std::pow(static_cast<double>(rank + 1), exponent);
  }
  for (double& each : sums) each /= sum;
  return sums;
}

}  // namespace

Ticks coarse_now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<Ticks>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

Population::Population(std::size_t count) {
  keys_.reserve(count * kKeyBytes);
  documents_.reserve(count);
  for (std::size_t number = 0; number < count; ++number) {
    char key[kKeyBytes + 1];
    std::snprintf(key, sizeof key, "activity:%015zu", number * 2'654'435'761 % 1'000'000'000'039);
    keys_.append(key, kKeyBytes);
    documents_.push_back(std::make_shared<const std::string>(document_text(number)));
  }
}

std::vector<Operation> Workload::operations(std::size_t count, std::uint64_t seed) const {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  const std::vector<double> sums = zipf > 0 ? zipf_sums(keys, zipf) : std::vector<double>();
  // Ranks are spread by a factor that is coprime to the number of keys, so that popular keys are
  // not neighbours.
  const auto spread = [&](std::size_t rank) { return rank * 7'368'787 % keys; };
  const auto draw = [&] {
    if (sums.empty()) return static_cast<std::size_t>(random() % keys);
    const auto at = std::upper_bound(sums.begin(), sums.end(), uniform(random));
    return spread(std::min<std::size_t>(at - sums.begin(), keys - 1));
  };
  std::vector<Operation> made(count);
  for (Operation& operation : made) {
    operation.number = static_cast<std::uint32_t>(draw()) & 0x7fff'ffff;
    operation.put = random() % 100 < puts_of_100;
  }
  return made;
}

}  // namespace tiercache::bench
