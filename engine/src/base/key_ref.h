// A key on its way through the tiers, hashed once.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/hash.h"

namespace tiercache {

// Borrowed: valid as long as the key's characters. `dataset` is the number the open cache gave it.
struct KeyRef {
  std::uint32_t dataset = 0;
  std::uint64_t hash = 0;
  std::string_view key;

  KeyRef(std::uint32_t dataset_number, std::string_view key_text)
      : dataset(dataset_number), hash(hash64(key_text, dataset_number)), key(key_text) {}
};

}  // namespace tiercache
