// Saving a batch: one statement, and where the server refuses it, halves of it until what it
// refuses stands alone.
#pragma once

#include <string>
#include <vector>

#include "session.h"
#include "tiercache/postgres.h"

namespace tiercache::postgres {

// Throws Failure: in doubt where some of the batch was saved already.
void save_batch(Session& session, const Options& options, const std::string& project,
                const std::vector<StoreWrite>& writes, SaveReply& reply);

}  // namespace tiercache::postgres
