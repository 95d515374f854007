// A real file system of a few MiB, filled to the brim under an open cache.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tiercache::testing {

struct FullFigures {
  std::uint64_t boundaries = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t stored_alone = 0;
  std::uint64_t refused = 0;
  std::string why_not;  // none could be mounted
};

// `count` times: leaves room for so many pages, one more each time, beside an open cache that goes
// on writing, with a store and without, and then takes the ballast away; then the same with inodes,
// up to a dozen, and a cache that is opened meanwhile. Nullopt, or the promise that broke. It needs
// to be root, or user namespaces.
std::optional<std::string> fill_at_every_boundary(std::uint64_t count, std::uint64_t seed,
                                                  FullFigures& figures);

}  // namespace tiercache::testing
