// Loading entries by their names.
#pragma once

#include <string>
#include <vector>

#include "session.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Each id's entry in its place, null where there is no row or a corrupt one. Throws Failure.
void load_rows(Session& session, const std::string& project, const std::vector<EntryId>& ids,
               LoadReply& reply);

}  // namespace tiercache::postgres
