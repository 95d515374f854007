// Which options can work.
#pragma once

#include "tiercache/postgres.h"

namespace tiercache::postgres {

// Throws BadConfiguration, listing every fault but those of the URL.
void check_options(const Options& options);

}  // namespace tiercache::postgres
