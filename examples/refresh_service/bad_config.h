// The error of everything that the operator gives the service and that cannot work.
#pragma once

#include <stdexcept>

namespace refresh_service {

// Its text lists every fault, one a line: field, value, what is allowed.
class BadConfig : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace refresh_service
