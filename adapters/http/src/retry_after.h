// Reads when a server says to come back.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "tiercache/time.h"

namespace tiercache::http {

// The value of Retry-After, seconds or a date; nullopt when it is neither, or is no time to come. A
// date counts from the answer's own `date` where that can be read, since the clocks of two machines
// need not agree, else from `now`. At most a day.
std::optional<std::chrono::milliseconds> retry_delay(const std::string& value,
                                                     const std::string& date, WallTime now);

}  // namespace tiercache::http
