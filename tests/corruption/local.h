// Whole caches on a damaged directory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "corruption/damage.h"
#include "corruption/scene.h"

namespace tiercache::testing {

struct Outcomes {
  std::uint64_t states = 0;
  std::uint64_t healed = 0;  // keys that the damage hid at first
};

// Every damage of every file of the scene, and every two files in each other's place.
std::vector<Damage> every_damage(const Scene& scene);
// "entry file … : byte 7 flipped".
std::string describe(const Scene& scene, const Damage& damage);
// Opens caches on it and reads everything; nullopt, or the promise that broke.
std::optional<std::string> check(const Scene& scene, const Damage& damage, Outcomes& outcomes);

}  // namespace tiercache::testing
