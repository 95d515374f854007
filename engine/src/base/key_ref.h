// A key on its way through the tiers, hashed once.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/hash.h"

namespace tiercache {

// The number of a dataset of this name, the same in every process but for the rare two names of one
// number: then the second to be opened takes the next one.
inline std::uint32_t dataset_number(std::string_view name) {
  return static_cast<std::uint32_t>(hash64(name));
}

// Borrowed: valid as long as the key's characters. `dataset` is the number the open cache gave it.
struct KeyRef {
  std::uint32_t dataset = 0;
  std::uint64_t hash = 0;
  std::string_view key;

  KeyRef(std::uint32_t dataset_number, std::string_view key_text)
      : dataset(dataset_number), hash(hash64(key_text, dataset_number)), key(key_text) {}
};

// A hash of the key that is the same in every process: that of its `KeyRef` but for the rare
// dataset whose number was taken.
inline std::uint64_t shared_hash(std::string_view dataset, std::string_view key) {
  return KeyRef(dataset_number(dataset), key).hash;
}

}  // namespace tiercache
