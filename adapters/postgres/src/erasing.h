// Erases by pattern, piece by piece.
#pragma once

#include <string>

#include "session.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Erases one piece, as `Store::erase_matching` says; `reply.next` is where the next one begins.
// Throws Failure.
void erase_rows(Session& session, const std::string& project, const MatchingErase& erase,
                EraseMatchingReply& reply);

}  // namespace tiercache::postgres
