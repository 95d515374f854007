// What a document must be before it is accepted, as a dataset's `validate`.
#pragma once

#include <functional>
#include <string>

#include "refresh_service/config.h"

namespace refresh_service {

// Empty where there is nothing to check. The function throws what is wrong with a document, which
// is refused with this reason.
std::function<bool(const std::string& document)> make_validate(const Checks& checks);

}  // namespace refresh_service
