// Purges tombstones, and documents whose retention is over.
#pragma once

#include <string>

#include "session.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Purges as `Store::purge` says. Throws Failure.
void purge_rows(Session& session, const std::string& project, const PurgeRequest& request,
                PurgeReply& reply);

}  // namespace tiercache::postgres
