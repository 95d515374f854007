// A key on its way through the tiers, hashed once.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/hash.h"

namespace tiercache {

// The number of a dataset of this name. It is the same in every process, except in the rare case
// that two names get one number: then the dataset that is opened second takes the next number.
inline std::uint32_t dataset_number(std::string_view name) {
  return static_cast<std::uint32_t>(hash64(name));
}

// Borrows the key's characters and is valid as long as they are. `dataset` is the number that the
// open cache has given to the dataset.
struct KeyRef {
  std::uint32_t dataset = 0;
  std::uint64_t hash = 0;
  std::string_view key;

  KeyRef(std::uint32_t dataset_number, std::string_view key_text)
      : dataset(dataset_number), hash(hash64(key_text, dataset_number)), key(key_text) {}
};

// A hash of the key that is the same in every process: the hash of its `KeyRef`, except in the rare
// case that the dataset's number was taken.
inline std::uint64_t shared_hash(std::string_view dataset, std::string_view key) {
  return KeyRef(dataset_number(dataset), key).hash;
}

}  // namespace tiercache
