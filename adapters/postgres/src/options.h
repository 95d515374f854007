// Checks the options, and derives from them what the store can hold.
#pragma once

#include "tiercache/postgres.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Throws BadConfiguration, which lists every fault except those inside the URL.
void check_options(const Options& options);

// Returns what the store refuses without asking the server.
StoreLimits limits_of(const Options& options);

}  // namespace tiercache::postgres
