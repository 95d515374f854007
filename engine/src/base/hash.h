// XXH3, the only hash of the engine: checksums of documents and records, and hashes of keys.
#pragma once

// xxHash is inlined, so that the hit path hashes a key without a call.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <string_view>

namespace tiercache {

// XXH3-64. It is persisted (entry files, journal), so it is the same on every machine and for ever.
inline std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace tiercache
