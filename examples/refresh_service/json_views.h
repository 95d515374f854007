// What the service tells over HTTP, as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tiercache/outbox.h"
#include "tiercache/outcome.h"
#include "tiercache/stats.h"

namespace refresh_service {

nlohmann::json view(const tiercache::Passage& passage);
nlohmann::json view(const tiercache::PutReceipt& receipt);
nlohmann::json view(const tiercache::Stats& stats);
nlohmann::json view(const tiercache::OutboxPage& page);
nlohmann::json view(const tiercache::OutboxCounts& counts);
// `status` is "ok", "degraded" (serving, and every promise holds, but a tier or a source does not
// work), "starting" or "failing" (writes cannot be kept here).
// `store_off_why` says why a store that was asked for is not used; empty: it is.
nlohmann::json view(const tiercache::Health& health, bool ready, const std::string& store_off_why);
// Takes out why something does not work, wherever that stands: it names hosts, databases and users.
void drop_reasons(nlohmann::json& told);

}  // namespace refresh_service
