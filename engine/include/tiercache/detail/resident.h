// Not for direct use: what the memory tier holds, and snapshots share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tiercache/entry.h"

namespace tiercache::detail {

// What memory knows of a key.
enum class ResidentKind : std::uint8_t {
  document,
  tombstone,  // erased
  not_found,  // the source said there is none
};

// One entry with its decoded value. Immutable once shared.
struct Resident {
  ResidentKind kind = ResidentKind::document;
  Entry entry;
  std::shared_ptr<const void> value;  // decoded, of the dataset's type; null for untyped datasets
  std::size_t value_bytes = 0;        // memory that `value` takes, by the codec or estimated
};

using ResidentPtr = std::shared_ptr<const Resident>;

}  // namespace tiercache::detail
