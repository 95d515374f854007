// Reads a dataset page by page, the documents that were updated last first.
#pragma once

#include <cstddef>
#include <string>

#include "session.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Reads the page after `cursor`, as `Store::scan` says. A cursor that is not one of ours means the
// start. Throws Failure.
void scan_rows(Session& session, const std::string& project, const std::string& dataset,
               const std::string& cursor, std::size_t limit, ScanReply& reply);

}  // namespace tiercache::postgres
