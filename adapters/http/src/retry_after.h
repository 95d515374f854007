// Reads when a server wants to be asked again.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "tiercache/time.h"

namespace tiercache::http {

// Reads the value of Retry-After, seconds or a date; nullopt if it is neither, or lies in the past.
// A date is compared with the answer's own `date`, since the clocks of two machines need not agree,
// and with `now` only if that cannot be read. At most a day.
std::optional<std::chrono::milliseconds> retry_delay(const std::string& value,
                                                     const std::string& date, WallTime now);

}  // namespace tiercache::http
