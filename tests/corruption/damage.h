// What may happen to bytes at rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tiercache::testing {

struct Damage {
  enum class Kind : std::uint8_t {
    flip,  // one bit of the byte
    zero,  // the byte
    cut,   // everything from the byte on
    swap,  // the whole file with `other`
  };
  Kind kind = Kind::flip;
  std::size_t file = 0;  // a number the user of this knows
  std::size_t offset = 0;
  std::size_t other = 0;
};
const char* to_string(Damage::Kind kind);

// Every byte of the file flipped, zeroed and cut in turn. Of a long run of zeros that ends it, as
// preallocation leaves, some bytes.
std::vector<Damage> every_damage(std::size_t file, const std::string& bytes);
// False when it would change nothing. Not for `swap`.
bool apply(const Damage& damage, std::string* bytes);
// In an order by the seed, at most `count` (0: all).
std::vector<Damage> pick(std::vector<Damage> all, std::uint64_t count, std::uint64_t seed);

}  // namespace tiercache::testing
