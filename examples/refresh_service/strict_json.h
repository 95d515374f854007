// Parsing JSON that people have written.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "refresh_service/fields.h"

namespace refresh_service {

// Of several members with one name nlohmann takes the last; here each of them is a fault. Throws
// BadConfig for what is not JSON at all.
nlohmann::json parse_strictly(std::string_view text, Faults& faults);

}  // namespace refresh_service
