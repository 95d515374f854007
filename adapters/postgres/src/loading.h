// Loads entries by dataset and key.
#pragma once

#include <string>
#include <vector>

#include "session.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Puts each id's entry in its place, as `Store::load` says. Throws Failure.
void load_rows(Session& session, const std::string& project, const std::vector<EntryId>& ids,
               LoadReply& reply);

}  // namespace tiercache::postgres
