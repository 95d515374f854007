// XXH3, the one hash of the engine: document checksums, key hashes, record checksums.
#pragma once

// Inlined, so that the hit path hashes a key without a call.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <string_view>

namespace tiercache {

// XXH3-64. Persisted (entry files, journal), so it is the same on every machine and for ever.
inline std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace tiercache
