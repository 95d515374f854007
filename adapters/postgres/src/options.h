// Which options can work, and what they let the store hold.
#pragma once

#include "tiercache/postgres.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Throws BadConfiguration, listing every fault but those of the URL.
void check_options(const Options& options);

// What the store refuses, whatever the server would say.
StoreLimits limits_of(const Options& options);

}  // namespace tiercache::postgres
