// Refuses configurations, names and keys that cannot work, and lists all faults of a configuration
// at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "json/document.h"
#include "tiercache/detail/dataset_core.h"
#include "tiercache/options.h"

namespace tiercache::detail {

// Throws `BadConfiguration`.
void check_cache_options(const CacheOptions& options);
void check_dataset_options(const std::string& name, const DatasetPolicy& policy,
                           const DocumentRules& rules);
// Checks the options of a later call for a dataset that is open. Throws `BadConfiguration`, naming
// what differs, unless they are those it was opened with, as far as they can be compared, or all
// default, which asks for the handle alone.
void check_same_options(const std::string& name, const DatasetPolicy& there,
                        const DatasetPolicy& given);

// How long keys may be, by the limits of the cache and of its store.
struct KeyRules {
  std::size_t max_bytes = Limits{}.max_key_bytes;
  std::size_t max_bytes_with_dataset = SIZE_MAX;
};

// Throw `InvalidKey`.
void check_key(const std::string& dataset, std::string_view key, bool keyed, const KeyRules& rules);
void check_glob(const std::string& dataset, std::string_view glob, const KeyRules& rules);

}  // namespace tiercache::detail
