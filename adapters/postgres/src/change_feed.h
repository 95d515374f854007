// The change feed: what other machines wrote, read by a cursor that misses nothing, however late it
// is committed.
#pragma once

#include <chrono>
#include <string>

#include "session.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Reads a page of changes, as `Store::changes` says. Throws Failure.
void read_changes(Session& session, const std::string& project, const std::string& cursor,
                  std::size_t limit, ChangesReply& reply);

// Deletes what the feed has kept for longer than `keep`, up to a bound per project. Throws Failure.
void purge_changes(Session& session, std::chrono::hours keep);

}  // namespace tiercache::postgres
