// Refuses configurations, names and keys that cannot work, saying every fault at once.
#pragma once

#include <string>
#include <string_view>

#include "tiercache/detail/dataset_core.h"
#include "tiercache/options.h"

namespace tiercache::detail {

// Throws `BadConfiguration`.
void check_cache_options(const CacheOptions& options);
void check_dataset_options(const std::string& name, const DatasetPolicy& policy);
// Throws `InvalidKey`.
void check_key(const std::string& dataset, std::string_view key, bool keyed, const Limits& limits);

}  // namespace tiercache::detail
