// Saves a batch by one statement. If the server refuses its data, the batch is halved until the
// write that it refuses is alone.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "session.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Saves the writes as `Store::save` says; documents above `max_document_bytes` are refused. Throws
// Failure, which is `in_doubt` if some of the batch was saved before.
void save_batch(Session& session, std::size_t max_document_bytes, const std::string& project,
                const std::vector<StoreWrite>& writes, SaveReply& reply);

}  // namespace tiercache::postgres
