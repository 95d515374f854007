// An HTTP API as a source, asked by tiercache::http, which sends the ETag and the date of what is
// cached along, and reads Retry-After.
#pragma once

#include <string>

#include "refresh_service/config.h"
#include "refresh_service/sources.h"

namespace refresh_service {

// Throws tiercache::BadConfiguration for what can never be asked, and where tiercache::http is not
// in this build.
Source ask_http(const HttpSource& source);

// Why `ask_http` would throw, one fault a line; empty when it would not.
std::string fault_of(const HttpSource& source);

}  // namespace refresh_service
