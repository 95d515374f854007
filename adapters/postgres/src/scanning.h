// Scanning: pages of documents, those that were updated last first.
#pragma once

#include <cstddef>
#include <string>

#include "session.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// The page behind `cursor`, of one dataset, or of all where `dataset` is empty. A cursor that is
// none of ours begins from the start. Throws Failure.
void scan_rows(Session& session, const std::string& project, const std::string& dataset,
               const std::string& cursor, std::size_t limit, ScanReply& reply);

}  // namespace tiercache::postgres
