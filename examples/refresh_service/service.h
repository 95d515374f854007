// The service itself: an open cache with the HTTP front before it.
#pragma once

#include <spdlog/fwd.h>

#include <memory>
#include <string>

#include "refresh_service/config.h"
#include "refresh_service/stop_signals.h"

namespace refresh_service {

// Tells a line on standard output at once, for the program that started this one and waits for it.
void say(const std::string& line);

// Opens the cache, serves until a signal comes, and closes it. It listens before the cache has
// warmed up, since what is in the files can be served at once; /health says when it has.
void serve(const Config& config, const StopSignals& stop,
           const std::shared_ptr<spdlog::logger>& logger);

}  // namespace refresh_service
