// XXH3, the one hash of the engine: document checksums, key hashes, record checksums.
#pragma once

#include <cstdint>
#include <string_view>

namespace tiercache {

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

}  // namespace tiercache
