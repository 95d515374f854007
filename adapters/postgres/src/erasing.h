// Erasing by pattern, a piece at a time.
#pragma once

#include <string>

#include "session.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// One piece of it; `reply.next` says where the next one begins. Throws Failure.
void erase_rows(Session& session, const std::string& project, const MatchingErase& erase,
                EraseMatchingReply& reply);

}  // namespace tiercache::postgres
