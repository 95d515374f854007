// Calls into a store that breaks its contract.
#pragma once

#include <exception>

#include "tiercache/store.h"

namespace tiercache {

// The reply of `call`. A store that throws has failed, and what it did is not known.
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
