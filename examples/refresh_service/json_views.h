// What the service tells over HTTP, as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "tiercache/outcome.h"
#include "tiercache/stats.h"

namespace refresh_service {

nlohmann::json view(const tiercache::Passage& passage);
nlohmann::json view(const tiercache::PutReceipt& receipt);
nlohmann::json view(const tiercache::Stats& stats);
// `status` is "ok", "degraded" (serving, and every promise holds, but a tier or a source does not
// work), "starting" or "failing" (writes cannot be kept here).
nlohmann::json view(const tiercache::Health& health, bool ready);

}  // namespace refresh_service
