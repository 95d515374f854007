// Saving a batch: one statement, and where the server refuses it, halves of it until what it
// refuses stands alone.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "session.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Documents above `max_document_bytes` are refused here. Throws Failure: in doubt where some of the
// batch was saved already.
void save_batch(Session& session, std::size_t max_document_bytes, const std::string& project,
                const std::vector<StoreWrite>& writes, SaveReply& reply);

}  // namespace tiercache::postgres
