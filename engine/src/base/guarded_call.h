// Calls into a store that may break its contract.
#pragma once

#include <exception>

#include "tiercache/store.h"

namespace tiercache {

// Returns the reply of `call`. If the store throws, the call has failed and nobody knows what it
// did.
template <class Call>
auto guarded(Call call) -> decltype(call()) {
  decltype(call()) broken;
  broken.status = StoreStatus::unknown;
  try {
    return call();
  } catch (const std::exception& error) {
    broken.message = error.what();
  } catch (...) {
    broken.message = "the store threw something that is no std::exception";
  }
  return broken;
}

}  // namespace tiercache
