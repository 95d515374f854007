// A dataset of the configuration as the cache's options for it. This is where the service says by
// whose rules a document is fetched, kept and served.
#pragma once

#include "refresh_service/config.h"
#include "tiercache/tiercache.h"

namespace refresh_service {

// Throws what `make_source` throws.
tiercache::DatasetOptions<tiercache::JsonText> dataset_options(const DatasetConfig& config);

}  // namespace refresh_service
