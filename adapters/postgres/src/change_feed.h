// The change feed: what other machines wrote, by a cursor that misses nothing that commits late.
#pragma once

#include <chrono>
#include <string>

#include "session.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Throws Failure.
void read_changes(Session& session, const std::string& project, const std::string& cursor,
                  std::size_t limit, ChangesReply& reply);

// Drops what the feed has kept for longer than `keep`. Throws Failure.
void purge_changes(Session& session, std::chrono::hours keep);

}  // namespace tiercache::postgres
